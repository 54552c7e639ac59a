//! Nodes that know epochs beside builds that do not, spoken to over the transport alone.

use fly_rpc::{Executed, NodeId, RpcError};
use fly_rpc_tests::{Cluster, Peer, Probe, SOON, contract_of};
use fly_rpc_transport::{Status, View};
use tokio::time::timeout;

use crate::functions::{Ledger, all_see, where_am_i_on_primary, write_on_primary};

async fn syd(cluster: &Cluster) -> fly_rpc::Node {
    let builder = cluster.builder("syd-1", "syd").state(Ledger::default());
    cluster.start(builder.state(Probe::new())).await
}

fn old() -> View {
    View {
        epoch: None,
        ..View::configured("syd")
    }
}

#[tokio::test]
async fn the_former_primary_refuses_with_a_hint_that_each_build_can_read() {
    let cluster = Cluster::new();
    let syd = syd(&cluster).await;
    let new = Peer::join(&cluster, "new", &syd, Status::Overloaded).await;
    let old = Peer::join_with_view(&cluster, "old", &syd, old(), Status::Overloaded, b"").await;
    let pinned = contract_of(&syd, "write");
    let free = contract_of(&syd, "where_am_i");
    for peer in [&new, &old] {
        let asked = peer.ask("write", pinned, SOON, vec![1]).await;
        assert_eq!(asked.status, Status::Ok);
        let asked = peer.ask_for_primary("where_am_i", free, vec![]).await;
        assert_eq!(asked.status, Status::Ok);
    }
    syd.set_primary_region("hkg").expect("a region");
    for (peer, hint) in [(&new, &b"syd\nhkg\n1"[..]), (&old, &b"syd\nhkg"[..])] {
        let asked = peer.ask("write", pinned, SOON, vec![1]).await;
        assert_eq!((asked.status, &asked.body[..]), (Status::WrongRegion, hint));
        let asked = peer.ask_for_primary("where_am_i", free, vec![]).await;
        assert_eq!((asked.status, &asked.body[..]), (Status::WrongRegion, hint));
        // A call for anybody else is served, as before.
        let asked = peer.ask("where_am_i", free, SOON, vec![]).await;
        assert_eq!(asked.status, Status::Ok);
    }
}

#[tokio::test]
async fn peers_show_their_views_and_old_builds_only_a_region() {
    let cluster = Cluster::new();
    let syd = syd(&cluster).await;
    let new = Peer::join(&cluster, "new", &syd, Status::Overloaded).await;
    let _old = Peer::join_with_view(&cluster, "old", &syd, old(), Status::Overloaded, b"").await;
    let seen = |id: &str| {
        let peers = syd.peers();
        let peer = peers.iter().find(|peer| peer.id == NodeId::from(id));
        let peer = peer.expect("connected");
        (peer.primary_region.to_string(), peer.primary_epoch)
    };
    assert_eq!(seen("new"), ("syd".to_owned(), 0));
    let view = |region: &str, epoch| View {
        epoch: Some(epoch),
        ..View::configured(region)
    };
    // One that is greater is taken over, one that is not is only seen.
    new.see(view("cdg", 4));
    all_see(&[&syd], "cdg").await;
    assert_eq!(
        (seen("new"), syd.primary().epoch),
        (("cdg".to_owned(), 4), 4)
    );
    let mut changes = syd.primary_changes();
    new.see(view("fra", 3));
    new.see(view("lax", u64::MAX));
    new.see(view("ams", 5));
    let change = changes.next().await.expect("the node runs");
    assert_eq!((change.region.as_str(), change.epoch), ("ams", 5));
    assert_eq!(seen("old"), ("syd".to_owned(), 0));
}

#[tokio::test]
async fn a_refusal_of_an_old_build_ends_the_call_as_it_always_did() {
    let cluster = Cluster::new();
    let syd = syd(&cluster).await;
    let body = b"cdg\nfra";
    let refuses = Status::WrongRegion;
    let _old = Peer::join_with_view(&cluster, "old", &syd, old(), refuses, body).await;
    syd.set_primary_region("cdg").expect("a region");
    for outcome in [
        write_on_primary(1).via(&syd).await,
        where_am_i_on_primary().via(&syd).await,
    ] {
        let error = outcome.expect_err("refused");
        let RpcError::WrongRegion { primary, epoch, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!((primary.as_str(), *epoch), ("fra", 0));
        assert_eq!(error.executed(), Executed::No);
    }
}

#[tokio::test]
async fn a_call_that_is_sent_back_to_its_caller_runs_there() {
    let cluster = Cluster::new();
    let syd = syd(&cluster).await;
    let hint = b"cdg\nsyd\n7";
    let liar = Peer::join_with_view(
        &cluster,
        "liar",
        &syd,
        View::configured("cdg"),
        Status::WrongRegion,
        hint,
    )
    .await;
    syd.set_primary_region("cdg").expect("a region");
    // It sends the call back here, and here it runs.
    assert_eq!(write_on_primary(1).via(&syd).await.expect("runs"), "syd");
    assert_eq!((syd.primary().epoch, liar.asked()), (7, 1));
}

#[tokio::test]
async fn whoever_points_at_itself_and_refuses_is_asked_a_few_times() {
    let cluster = Cluster::new();
    let syd = syd(&cluster).await;
    for hint in [
        &b"cdg\ncdg\n9"[..],
        b"cdg\ncdg\n18446744073709551616",
        b"cdg\nnot a region\n10",
        b"cdg",
        b"\xff\n\n\n",
    ] {
        let id = format!("liar-{}", hint.len());
        let view = View::configured("cdg");
        let liar = Peer::join_with_view(&cluster, &id, &syd, view, Status::WrongRegion, hint).await;
        syd.set_primary_region("cdg").expect("a region");
        let outcome = timeout(SOON, write_on_primary(1).via(&syd)).await;
        let error = outcome.expect("soon").expect_err("refused");
        assert_eq!(error.executed(), Executed::No, "{error}");
        assert!((1..=13).contains(&liar.asked()), "{}", liar.asked());
        assert_eq!(syd.primary_region().as_str(), "cdg", "{hint:?}");
        drop(liar);
    }
}
