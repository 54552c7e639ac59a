//! What members tell each other beside calls.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::fixture::{Fixture, call, hello, soon};
use crate::{Link, Request, Served, Service, Status, lock::lock, watch};

/// Remembers what it hears, and from whom.
#[derive(Default)]
struct Listener {
    heard: Mutex<Vec<(String, Bytes)>>,
    count: watch::Sender<usize>,
}

impl Service for Listener {
    fn serve(&self, _link: &Arc<Link>, request: Request) -> Served {
        Served::Answer(request.respond(Status::Ok))
    }

    fn gossip(&self, link: &Arc<Link>, message: Bytes) {
        lock(&self.heard).push((link.node().to_string(), message));
        self.count.send_modify(|count| *count += 1);
    }
}

#[tokio::test]
async fn a_datagram_and_a_message_are_heard_with_the_name_of_who_sent_them() {
    let fixture = Fixture::new();
    let (a, _) = fixture.endpoint("a");
    let listener = Arc::new(Listener::default());
    let service = Arc::clone(&listener) as _;
    let b = fixture.endpoint_serving(hello("b"), fixture.identity("b"), service);
    let link = a.dial(b.local_addr(), None).await.expect("welcome");
    let mut count = listener.count.subscribe();
    // Loopback loses nothing.
    link.send_datagram(Bytes::from(vec![7; 1_100]));
    link.send_gossip(Bytes::from(vec![8; Link::gossip_size()]))
        .await;
    let _ = soon(count.wait_for(|count| *count == 2)).await;
    let mut heard = lock(&listener.heard).clone();
    heard.sort();
    let sizes: Vec<_> = heard
        .iter()
        .map(|(who, what)| (who.as_str(), what.len()))
        .collect();
    assert_eq!(sizes, [("a", 1_100), ("a", Link::gossip_size())]);
    assert_eq!(heard[0].1[0], 7);
    assert_eq!(heard[1].1[0], 8);
}

#[tokio::test]
async fn who_listens_to_nothing_is_not_disturbed_by_gossip() {
    let fixture = Fixture::new();
    let ((a, _), (b, _)) = (fixture.endpoint("a"), fixture.endpoint("b"));
    let link = a.dial(b.local_addr(), None).await.expect("welcome");
    link.send_datagram(Bytes::from_static(b"?"));
    link.send_gossip(Bytes::from_static(b"?")).await;
    // Longer than any: not sent, or the peer would close the connection.
    link.send_gossip(Bytes::from(vec![8; Link::gossip_size() + 1]))
        .await;
    call(&link, b"still here").await.expect("answered");
    assert!(!link.is_closed());
}

#[tokio::test]
async fn a_peer_that_gossips_without_end_is_heard_in_part_and_then_left() {
    let mut fixture = Fixture::new();
    (fixture.limits.gossip_rate, fixture.limits.offences) = (5, 20);
    let (a, _) = fixture.endpoint("a");
    let listener = Arc::new(Listener::default());
    let service = Arc::clone(&listener) as _;
    let b = fixture.endpoint_serving(hello("b"), fixture.identity("b"), service);
    let link = a.dial(b.local_addr(), None).await.expect("welcome");
    let flood = async {
        while !link.is_closed() {
            link.send_gossip(Bytes::from_static(b"and another thing"))
                .await;
        }
    };
    soon(flood).await;
    assert_eq!(link.close_code(), Some(crate::CloseCode::ExcessiveLoad));
    // A second or two, of which each lets five pass.
    assert!(listener.count.now() <= 20, "{}", listener.count.now());
}
