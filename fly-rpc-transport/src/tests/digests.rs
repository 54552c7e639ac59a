//! Catalogues that are known already and do not travel again (PROTOCOL.md, *Catalogues by digest*).

use std::sync::{Arc, Mutex};

use super::fixture::{Fixture, Raw, hello, until};
use crate::{
    Catalogue, CloseCode, Endpoint, Hearsay, Hello, Limits, Link, NodeId, Offer, Request, Served,
    Service, Status, View,
    control::{Control, ControlReader, hello_frame},
    wire::Greeting,
};

fn catalogue(name: &str) -> Arc<Catalogue> {
    Arc::new(Catalogue::new([Offer {
        name: name.into(),
        version: 1,
        fingerprint: [7; 16],
        contract: format!("{name}@1() -> ()"),
    }]))
}

fn serving(node: &str, catalogue: &Arc<Catalogue>) -> Hello {
    Hello {
        catalogue: Arc::clone(catalogue),
        ..hello(node)
    }
}

/// The hello of one who serves this and only names it.
fn by_digest(served: &Arc<Catalogue>) -> Greeting {
    Greeting {
        known: vec![served.digest()],
        leaves_out: true,
        ..serving("b", served).into()
    }
}

/// Serves nothing, and has heard of everybody that they serve this.
#[derive(Default)]
struct Told(Mutex<Option<Hearsay>>);

impl Told {
    fn of(catalogue: &Catalogue) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Some(Hearsay {
            incarnation: Some(1),
            region: "syd".into(),
            view: View::configured("syd"),
            catalogue: catalogue.digest(),
        }))))
    }
}

impl Service for Told {
    fn serve(&self, _link: &Arc<Link>, request: Request) -> Served {
        Served::Answer(request.respond(Status::UnknownFunction))
    }

    fn said_of(&self, _node: &NodeId) -> Option<Hearsay> {
        crate::lock::lock(&self.0).clone()
    }
}

/// The answer of `with` to a greeting of `b`, which says it over a raw connection.
async fn answer(
    fixture: &Fixture,
    with: &Endpoint,
    greeting: &Greeting,
) -> (Raw, quinn::SendStream, Greeting) {
    let raw = fixture.raw("b", with).await;
    let (send, recv) = raw.say(&hello_frame(greeting)).await;
    let mut control = ControlReader::new(recv, &Limits::default());
    let answer = control.hello().await.expect("answered");
    (raw, send, answer)
}

#[tokio::test]
async fn a_catalogue_that_the_dialler_knows_is_not_sent_to_it() {
    let fixture = Fixture::new();
    let served = catalogue("upcase");
    let (a, _) = fixture.endpoint_with(serving("a", &served), fixture.identity("a"));
    let mut greeting = Greeting {
        known: vec![catalogue("other").digest(), served.digest()],
        ..serving("b", &catalogue("other")).into()
    };
    let (_raw, _send, by_digest) = answer(&fixture, &a, &greeting).await;
    assert!(by_digest.leaves_out && by_digest.hello.catalogue.is_empty());
    assert_eq!(by_digest.known, [served.digest()]);

    greeting.known.pop();
    let (_raw, _send, whole) = answer(&fixture, &a, &greeting).await;
    assert!(!whole.leaves_out);
    assert_eq!(whole.hello.catalogue, served);
}

#[tokio::test]
async fn a_catalogue_that_is_named_and_not_known_is_asked_for_before_the_node_is_a_peer() {
    let fixture = Fixture::new();
    let (a, _) = fixture.endpoint("a");
    let served = catalogue("upcase");
    let greeting = by_digest(&served);
    let (_raw, mut send, asking) = answer(&fixture, &a, &greeting).await;
    assert!(asking.asks);
    assert!(a.links().is_empty());
    let told = Control::Catalogue(Arc::clone(&served)).encode();
    send.write_all(&told).await.expect("open");
    until(&a, |a| a.links().len() == 1).await;
    assert_eq!(a.links()[0].catalogue(), served);
    assert_eq!(a.catalogue(&served.digest()), Some(served));
}

#[tokio::test]
async fn who_is_asked_for_a_catalogue_and_says_something_else_is_no_peer() {
    let fixture = Fixture::new();
    let (a, _) = fixture.endpoint("a");
    let served = catalogue("upcase");
    let greeting = by_digest(&served);
    let (raw, mut send, _) = answer(&fixture, &a, &greeting).await;
    let other = Control::Retire.encode();
    send.write_all(&other).await.expect("open");
    assert_eq!(raw.closed().await, CloseCode::BadHello as u64);
    assert!(a.links().is_empty());
}

#[tokio::test]
async fn nodes_of_one_build_know_each_others_catalogue_whatever_they_heard() {
    let same = catalogue("upcase");
    let other = catalogue("other");
    // Right, wrong, and nothing.
    for said in [Some(&same), Some(&other), None] {
        for theirs in [&same, &other] {
            let fixture = Fixture::new();
            let (b, _) = fixture.endpoint_with(serving("b", theirs), fixture.identity("b"));
            let told = said.map_or_else(Arc::default, |said| Told::of(said));
            let a = fixture.endpoint_serving(serving("a", &same), fixture.identity("a"), told);
            let expected = Some("b".into());
            let link = a.dial(b.local_addr(), expected).await.expect("welcome");
            assert_eq!(&link.catalogue(), theirs);
            until(&b, |b| b.links().len() == 1).await;
            assert_eq!(b.links()[0].catalogue(), same);
        }
    }
}

#[tokio::test]
async fn peers_that_serve_the_same_share_one_copy() {
    let fixture = Fixture::new();
    let hub = fixture.endpoint("hub").0;
    let same = catalogue("upcase");
    // Each has a copy of its own.
    let peers = ["a", "b"].map(|node| {
        let own = Arc::new(Catalogue::clone(&same));
        fixture.endpoint_with(serving(node, &own), fixture.identity(node))
    });
    let mut heard = Vec::new();
    for (peer, _) in &peers {
        let link = hub.dial(peer.local_addr(), None).await.expect("welcome");
        heard.push(link.catalogue());
    }
    assert!(Arc::ptr_eq(&heard[0], &heard[1]));
}

/// A member of a build that knows nothing of digests: it answers one connection, and returns what it
/// was told behind the hello.
async fn of_an_older_build(fixture: &Fixture, listener: quinn::Endpoint) -> Control {
    let incoming = listener.accept().await.expect("dialled");
    let connection = incoming.await.expect("a member");
    let (mut send, recv) = connection.accept_bi().await.expect("introduced");
    let mut control = ControlReader::new(recv, &fixture.limits);
    let greeting = control.hello().await.expect("a hello");
    assert!(greeting.leaves_out);
    let answer = hello_frame(&hello("b").into());
    send.write_all(&answer).await.expect("open");
    control.next().await.expect("told")
}

#[tokio::test]
async fn a_build_without_digests_is_told_the_catalogue_that_was_left_out() {
    let fixture = Fixture::new();
    let served = catalogue("upcase");
    let (listener, address) = fixture.listener("b");
    let told = Told::of(&served);
    let a = fixture.endpoint_serving(serving("a", &served), fixture.identity("a"), told);
    let (heard, link) = tokio::join!(
        of_an_older_build(&fixture, listener),
        a.dial(address, Some("b".into()))
    );
    assert_eq!(heard, Control::Catalogue(served));
    assert!(link.expect("welcome").catalogue().is_empty());
}
