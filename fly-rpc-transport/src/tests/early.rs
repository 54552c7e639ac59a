//! Calls that follow the dialler's hello and do not wait for the answer (PROTOCOL.md, *Calls behind the
//! hello*).

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::fixture::{Fixture, call, hello, send, soon, until};
use crate::{
    Catalogue, CloseCode, DialError, Endpoint, Hearsay, Hello, Link, NodeId, Request, Served,
    Service, Status,
    control::{ControlReader, hello_frame},
};

/// Goes by what it is told of everybody.
struct Told(Hearsay);

impl Service for Told {
    fn serve(&self, _link: &Arc<Link>, request: Request) -> Served {
        Served::Answer(request.respond(Status::UnknownFunction))
    }

    fn said_of(&self, _node: &NodeId) -> Option<Hearsay> {
        Some(self.0.clone())
    }
}

/// What is true of who says this hello.
fn truth(hello: &Hello) -> Hearsay {
    Hearsay {
        incarnation: Some(hello.incarnation),
        region: hello.region.clone(),
        view: hello.view.clone(),
        catalogue: hello.catalogue.digest(),
    }
}

fn dialler(fixture: &Fixture, said: Hearsay) -> Endpoint {
    fixture.endpoint_serving(hello("a"), fixture.identity("a"), Arc::new(Told(said)))
}

#[tokio::test]
async fn a_call_is_there_before_the_hello_is_answered() {
    let fixture = Fixture::new();
    let theirs = hello("b");
    let a = dialler(&fixture, truth(&theirs));
    let (listener, address) = fixture.listener("b");
    let serve = async {
        let incoming = listener.accept().await.expect("dialled");
        let connection = incoming.await.expect("a member");
        let (mut control_send, recv) = connection.accept_bi().await.expect("introduced");
        let mut control = ControlReader::new(recv, &fixture.limits);
        let greeting = control.hello().await.expect("a hello");
        let taken_for = (theirs.incarnation, theirs.region.clone());
        assert_eq!(greeting.takes_for, Some(taken_for));
        let (_lane_send, mut lane) = connection.accept_bi().await.expect("called");
        let begun = lane.read_chunk(1, true).await.expect("open");
        assert!(begun.is_some());
        let answer = hello_frame(&theirs.clone().into());
        control_send.write_all(&answer).await.expect("open");
        // Until it is heard, and the link found.
        until(&a, |a| a.links().len() == 1).await;
    };
    let dial = async {
        let link = a.dial_early(address, "b".into()).await.expect("welcome");
        assert!(!link.is_introduced() && a.links().is_empty());
        assert_eq!(link.region().as_str(), "syd");
        let pending = send(&link, "echo", b"?").await;
        assert!(soon(link.introduced()).await);
        assert_eq!(link.hello().message_size, theirs.message_size);
        drop(pending);
    };
    tokio::join!(soon(serve), dial);
}

#[tokio::test]
async fn who_is_what_was_said_serves_at_once_and_is_a_peer_like_others() {
    let fixture = Fixture::new();
    let theirs = hello("b");
    let a = dialler(&fixture, truth(&theirs));
    let (b, _) = fixture.endpoint_with(theirs, fixture.identity("b"));
    let dialled = a.dial_early(b.local_addr(), "b".into()).await;
    let link = dialled.expect("welcome");
    let answer = call(&link, b"hello").await.expect("answered");
    assert_eq!(&answer.body[..], b"hello");
    assert!(soon(link.introduced()).await);
    assert!(Arc::ptr_eq(&a.links()[0], &link));
    until(&b, |b| b.links().len() == 1).await;
}

#[tokio::test]
async fn who_is_in_another_life_or_region_than_was_said_runs_nothing_and_says_so() {
    let theirs = hello("b");
    let another_life = Hearsay {
        incarnation: Some(theirs.incarnation + 1),
        ..truth(&theirs)
    };
    // As a member may say that lies about others.
    let another_region = Hearsay {
        region: "hkg".into(),
        ..truth(&theirs)
    };
    for said in [another_life, another_region] {
        is_turned_away(theirs.clone(), said).await;
    }
}

async fn is_turned_away(theirs: Hello, said: Hearsay) {
    let fixture = Fixture::new();
    let a = dialler(&fixture, said);
    let (b, echo) = fixture.endpoint_with(theirs, fixture.identity("b"));
    let dialled = a.dial_early(b.local_addr(), "b".into()).await;
    let link = dialled.expect("it is not known yet");
    let pending = send(&link, "echo", b"?").await;
    soon(pending).await.expect_err("nobody served it");
    assert!(!soon(link.introduced()).await);
    assert!(link.was_turned_away());
    assert_eq!(link.close_code(), Some(CloseCode::Mistaken));
    assert_eq!(echo.seen.load(Ordering::Relaxed), 0);
    assert!(a.links().is_empty() && b.links().is_empty());
    // As whoever it is, it is welcome.
    let dialled = a.dial(b.local_addr(), Some("b".into())).await;
    let answer = call(&dialled.expect("welcome"), b"hello").await;
    assert_eq!(&answer.expect("answered").body[..], b"hello");
}

#[tokio::test]
async fn a_node_of_which_too_little_is_known_is_waited_for() {
    let fixture = Fixture::new();
    let theirs = hello("b");
    let (b, _) = fixture.endpoint_with(theirs.clone(), fixture.identity("b"));
    // Nobody serves that.
    let unheard_of = Hearsay {
        catalogue: [9; 16],
        ..truth(&theirs)
    };
    // It may be of a build that would serve what is meant for its former life.
    let inexact = Hearsay {
        incarnation: None,
        ..truth(&theirs)
    };
    for said in [unheard_of, inexact] {
        let a = dialler(&fixture, said);
        let dialled = a.dial_early(b.local_addr(), "b".into()).await;
        let link = dialled.expect("welcome");
        assert!(link.is_introduced());
        assert_eq!(*link.catalogue(), Catalogue::default());
    }
}

#[tokio::test]
async fn an_early_link_to_who_is_no_member_of_the_cluster_runs_nothing() {
    let fixture = Fixture::new();
    let theirs = Hello {
        cluster: "other".into(),
        ..hello("b")
    };
    let a = dialler(&fixture, truth(&theirs));
    let (b, echo) = fixture.endpoint_with(theirs, fixture.identity("b"));
    match a.dial_early(b.local_addr(), "b".into()).await {
        Ok(link) => {
            let pending = send(&link, "echo", b"?").await;
            soon(pending).await.expect_err("nobody served it");
            assert!(link.was_turned_away());
        }
        // The refusal was faster.
        Err(error) => assert!(matches!(error, DialError::Refused { .. }), "{error}"),
    }
    assert_eq!(echo.seen.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn who_never_says_hello_leaves_it_unknown_whether_a_call_ran() {
    let mut fixture = Fixture::new();
    fixture.limits.hello_timeout = Duration::from_millis(200);
    let theirs = hello("b");
    let a = dialler(&fixture, truth(&theirs));
    let (listener, address) = fixture.listener("b");
    let silent = async {
        let incoming = listener.accept().await.expect("dialled");
        let connection = incoming.await.expect("a member");
        connection.closed().await
    };
    let dial = async {
        let link = a.dial_early(address, "b".into()).await.expect("welcome");
        let pending = send(&link, "echo", b"?").await;
        soon(pending).await.expect_err("nobody answers");
        assert!(!link.is_introduced() && !link.was_turned_away());
    };
    tokio::join!(soon(silent), dial);
}
