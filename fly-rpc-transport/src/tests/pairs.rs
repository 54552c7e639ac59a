//! One connection per pair of nodes: simultaneous dials, restarts, retirement and drains.

use std::sync::{Arc, atomic::Ordering};

use super::fixture::{Fixture, call, hello, send, soon, until};
use crate::{
    Catalogue, CloseCode, Endpoint, Keeper, Link, Links, NodeId, control::Control, wire::FrameKind,
};

fn only_link(endpoint: &Endpoint) -> Option<Arc<Link>> {
    let links = endpoint.links();
    (links.len() == 1)
        .then(|| Arc::clone(&links[0]))
        .filter(|link| !link.is_retiring())
}

#[tokio::test]
async fn of_two_simultaneous_dials_both_ends_keep_the_same_and_no_call_is_lost() {
    let rounds = match std::env::var_os("FLY_RPC_SOAK") {
        Some(_) => 1_000,
        None => 50,
    };
    for _ in 0..rounds {
        let fixture = Fixture::new();
        let ((a, _), (b, echo)) = (fixture.endpoint("a"), fixture.endpoint("b"));
        let (from_a, from_b) =
            tokio::join!(a.dial(b.local_addr(), None), b.dial(a.local_addr(), None));
        let (from_a, from_b) = (from_a.expect("welcome"), from_b.expect("welcome"));
        // Calls are under way on both while one of them is chosen.
        let mut pending = Vec::new();
        for link in [&from_a, &from_b] {
            if !link.is_retiring() {
                pending.push(send(link, "echo", b"x").await);
            }
        }
        for call in pending {
            soon(call).await.expect("no call is lost");
        }
        // The smaller id's dial stays.
        soon(from_b.closed()).await;
        until(&a, |a| {
            only_link(a).is_some_and(|link| Arc::ptr_eq(&link, &from_a))
        })
        .await;
        until(&b, |b| {
            only_link(b).is_some_and(|link| link.node().as_str() == "a")
        })
        .await;
        assert_eq!(
            from_b.close_code().or(Some(CloseCode::Retired)),
            Some(CloseCode::Retired)
        );
        call(&from_a, b"after").await.expect("answered");
        assert!(echo.seen.load(Ordering::Relaxed) >= 1);
    }
}

#[tokio::test]
async fn calls_on_a_retiring_link_are_answered_before_it_closes() {
    let fixture = Fixture::new();
    let ((a, _), (b, echo)) = (fixture.endpoint("a"), fixture.endpoint("b"));
    let first = b.dial(a.local_addr(), None).await.expect("welcome");
    until(&a, |a| only_link(a).is_some()).await;
    let on_first = only_link(&a).expect("connected");
    let slow = send(&on_first, "wait", b"slow").await;
    let second = a.dial(b.local_addr(), None).await.expect("welcome");
    until(&a, |a| {
        only_link(a).is_some_and(|link| Arc::ptr_eq(&link, &second))
    })
    .await;
    soon(async {
        while !first.is_retiring() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!first.is_closed(), "a call is still under way on it");
    echo.gate.add_permits(1);
    assert_eq!(&soon(slow).await.expect("answered").body[..], b"slow");
    soon(first.closed()).await;
}

#[tokio::test]
async fn a_peer_that_lets_a_connection_go_is_told_from_one_that_is_lost() {
    let fixture = Fixture::new();
    let ((a, _), (b, _)) = (fixture.endpoint("a"), fixture.endpoint("b"));
    let keeper = Keeper::start(b.clone(), a.local_addr(), Some(NodeId::from("a")));
    let mut attempts = keeper.attempts();
    for is_let_go in [true, false] {
        let connected = attempts.wait_for(|attempts| attempts.connected && !attempts.let_go);
        soon(connected).await.expect("the keeper lives");
        until(&a, |a| only_link(a).is_some()).await;
        let link = only_link(&a).expect("connected");
        if is_let_go {
            link.retire();
        } else {
            link.close(CloseCode::Malformed);
        }
        let ended =
            attempts.wait_for(|attempts| !attempts.connected && attempts.let_go == is_let_go);
        soon(ended).await.expect("the keeper lives");
        soon(link.closed()).await;
    }
}

#[tokio::test]
async fn a_restarted_node_replaces_its_predecessor_at_once() {
    let fixture = Fixture::new();
    let (a, _) = fixture.endpoint("a");
    let (old, _) = fixture.endpoint("b");
    let to_old = a.dial(old.local_addr(), None).await.expect("welcome");
    let (new, _) = fixture.endpoint("b");
    soon(new.dial(a.local_addr(), None)).await.expect("welcome");
    soon(to_old.closed()).await;
    until(&a, |a| only_link(a).is_some()).await;
    let link = only_link(&a).expect("connected");
    assert_eq!(link.hello().incarnation, new.hello().incarnation);
    call(&link, b"x").await.expect("the new one answers");
}

#[tokio::test]
async fn an_earlier_incarnation_that_comes_back_does_not_displace_a_later_one_that_lives() {
    let fixture = Fixture::new();
    let (a, _) = fixture.endpoint("a");
    let earlier = fixture.endpoint_with(hello("b"), fixture.identity("b")).0;
    let later = fixture.endpoint("b").0;
    let link = a.dial(later.local_addr(), None).await.expect("welcome");
    let usurper = soon(earlier.dial(a.local_addr(), None))
        .await
        .expect("introduced");
    soon(usurper.closed()).await;
    assert_eq!(usurper.close_code(), Some(CloseCode::Replaced));
    call(&link, b"x").await.expect("the later one answers");
}

#[tokio::test]
async fn a_drain_ends_when_every_peer_has_its_answers() {
    let fixture = Fixture::new();
    let ((a, _), (b, echo)) = (fixture.endpoint("a"), fixture.endpoint("b"));
    let link = a.dial(b.local_addr(), None).await.expect("welcome");
    let slow = send(&link, "wait", b"slow").await;
    until(&b, |b| b.links().len() == 1).await;
    let drain = tokio::spawn({
        let b = b.clone();
        async move { b.drain().await }
    });
    until(&a, |a| {
        a.links().first().is_some_and(|link| link.is_draining())
    })
    .await;
    assert!(!drain.is_finished());
    echo.gate.add_permits(1);
    assert_eq!(&soon(slow).await.expect("answered").body[..], b"slow");
    soon(drain).await.expect("no panic");
    b.close().await;
    soon(link.closed()).await;
    assert_eq!(link.close_code(), Some(CloseCode::Shutdown));
}

#[tokio::test]
async fn control_messages_of_a_newer_peer_are_skipped_and_broken_ones_end_the_connection() {
    let fixture = Fixture::new();
    let (b, _) = fixture.endpoint("b");
    let raw = fixture.raw("a", &b).await;
    let (mut send, mut control) = raw.introduce("a").await;
    send.write_all(&super::fixture::frame(99, b"news from the future"))
        .await
        .expect("open");
    send.write_all(&Control::Ping(7).encode())
        .await
        .expect("open");
    // The node asks for signs of life itself, whenever it looks.
    let answer = loop {
        match soon(control.next()).await.expect("sound") {
            Control::Ping(_) => {}
            other => break other,
        }
    };
    assert_eq!(answer, Control::Pong(7));
    send.write_all(&super::fixture::frame(FrameKind::Ping as u8, b""))
        .await
        .expect("open");
    assert_eq!(raw.closed().await, CloseCode::Malformed as u64);
}

#[tokio::test]
async fn a_closed_endpoint_frees_its_port_and_whatever_its_links_held() {
    let fixture = Fixture::new();
    let ((a, _), (b, _)) = (fixture.endpoint("a"), fixture.endpoint("b"));
    let address = a.local_addr();
    let link = a.dial(b.local_addr(), None).await.expect("welcome");
    call(&link, b"x").await.expect("answered");
    drop(link);
    a.close().await;
    soon(async {
        while std::net::UdpSocket::bind(address).is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn whatever_changes_where_calls_go_nothing_is_concluded_from_former_links() {
    let fixture = Fixture::new();
    let ((a, _), (b, _)) = (fixture.endpoint("a"), fixture.endpoint("b"));
    let renewed = async |former: &Arc<Links>| {
        until(&a, |a| !Arc::ptr_eq(former, &a.links())).await;
        let links = a.links();
        assert!(*links.conclusion(|| true));
        links
    };
    let nobody = a.links();
    assert!(!*nobody.conclusion(|| false));
    a.dial(b.local_addr(), None).await.expect("welcome");
    let met = renewed(&nobody).await;
    b.set_catalogue(Catalogue::default());
    let told = renewed(&met).await;
    assert!(told[0].catalogue().is_empty());
    soon(b.drain()).await;
    let left = renewed(&told).await;
    assert!(left[0].is_draining());
    soon(b.close()).await;
    assert!(renewed(&left).await.is_empty());
}

#[tokio::test]
async fn looks_at_the_round_trips_are_counted() {
    let fixture = Fixture::new();
    let (a, _) = fixture.endpoint("a");
    let looked = async {
        while a.looks() == 0 {
            tokio::task::yield_now().await;
        }
    };
    soon(looked).await;
}
