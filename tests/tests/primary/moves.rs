//! The primary moves by hand, over real connections.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use fly_rpc::{Executed, Node, PrimaryError, Region, RpcError};
use fly_rpc_tests::{Cluster, Probe, SOON};
use tokio::{sync::watch, task::JoinSet, time::timeout};

use crate::functions::{
    Ledger, all_see, where_am_i_on_primary, write_at_the_gate_on_primary, write_on_primary,
};

struct Three {
    syd: Node,
    hkg: Node,
    lax: Node,
    ledger: Ledger,
    probe: Probe,
}

async fn three(cluster: &Cluster) -> Three {
    let (ledger, probe) = (Ledger::default(), Probe::new());
    let node = async |id, region| {
        let builder = cluster.builder(id, region);
        let builder = builder.state(ledger.clone()).state(probe.clone());
        cluster.start(builder).await
    };
    Three {
        syd: node("syd-1", "syd").await,
        hkg: node("hkg-1", "hkg").await,
        lax: node("lax-1", "lax").await,
        ledger,
        probe,
    }
}

#[tokio::test]
async fn everybody_follows_a_word_by_hand() {
    let cluster = Cluster::new();
    let Three { syd, hkg, lax, .. } = three(&cluster).await;
    assert_eq!(*syd.primary_region(), Region::from("syd"));
    assert_eq!((syd.is_primary(), syd.primary().epoch), (true, 0));
    let mut changes = syd.primary_changes();
    let view = lax.set_primary_region("hkg").expect("a region");
    assert_eq!((view.region.as_str(), view.epoch), ("hkg", 1));
    assert_eq!(changes.next().await, Some(view.clone()));
    all_see(&[&syd, &hkg, &lax], "hkg").await;
    assert!(hkg.is_primary() && !syd.is_primary());
    assert_eq!((hkg.primary(), lax.primary()), (view.clone(), view));
    assert_eq!(syd.stats().primary_moves, 1);
    // What is said again is no news, and what is no region is refused.
    assert_eq!(hkg.set_primary_region("HKG ").expect("a region").epoch, 1);
    let error = hkg.set_primary_region("hong kong").expect_err("no region");
    assert!(matches!(error, PrimaryError::Region(_)), "{error}");
    assert_eq!(hkg.primary().epoch, 1);
    // Who comes later learns it with the first hello.
    let late = cluster.builder("fra-1", "fra").state(Ledger::default());
    let late = cluster.start(late.state(Probe::new())).await;
    all_see(&[&late], "hkg").await;
    syd.shutdown().await;
    assert_eq!(changes.next().await, None);
    assert_eq!(changes.next().await, None);
}

#[tokio::test]
async fn calls_follow_the_primary_at_once() {
    let cluster = Cluster::new();
    let Three { syd, hkg, lax, .. } = &three(&cluster).await;
    let mut id = 0;
    // Said where the primary was, as a hand-over does: whoever has not heard of it is refused there.
    for (by, to) in [(syd, "hkg"), (hkg, "lax"), (lax, "syd"), (syd, "hkg")] {
        by.set_primary_region(to).expect("a region");
        for caller in [lax, syd, hkg] {
            id += 1;
            let wrote = write_on_primary(id).via(caller).await.expect("it follows");
            assert_eq!(wrote, to, "called from {}", caller.region());
            let found = where_am_i_on_primary().via(caller).await;
            assert_eq!(found.expect("it follows"), to);
        }
    }
}

#[tokio::test]
async fn a_call_that_runs_goes_on_when_the_primary_moves_away() {
    let cluster = Cluster::new();
    let three = three(&cluster).await;
    let running = tokio::spawn(write_at_the_gate_on_primary().via(&three.lax));
    let local = tokio::spawn(write_at_the_gate_on_primary().via(&three.syd));
    assert_eq!(three.probe.told().await, "started");
    assert_eq!(three.probe.told().await, "started");
    three.syd.set_primary_region("hkg").expect("a region");
    all_see(&[&three.lax], "hkg").await;
    three.probe.open(2);
    for call in [running, local] {
        assert_eq!(call.await.expect("no panic").expect("it runs on"), "syd");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_is_lost_or_run_twice_while_the_primary_moves_under_load() {
    let cluster = Cluster::new();
    let Three {
        syd,
        hkg,
        lax,
        ledger,
        ..
    } = three(&cluster).await;
    let ids = Arc::new(AtomicU64::new(0));
    let (moved, over) = watch::channel(false);
    let mut callers = JoinSet::new();
    for caller in [&syd, &hkg, &lax, &lax] {
        let (caller, ids, over) = (caller.clone(), Arc::clone(&ids), over.clone());
        let ledger = ledger.clone();
        callers.spawn(async move {
            let mut ends = [0_u32; 2];
            while !*over.borrow() {
                let id = ids.fetch_add(1, Ordering::Relaxed);
                let outcome = write_on_primary(id).via(&caller).await;
                ledger.check(id, &outcome);
                if let Err(error) = &outcome {
                    println!("from {}: {error}", caller.id());
                    assert_eq!(error.executed(), Executed::No, "{error}");
                }
                ends[usize::from(outcome.is_err())] += 1;
            }
            ends
        });
    }
    for turn in 0..30 {
        let (by, to) = [(&syd, "hkg"), (&lax, "lax"), (&hkg, "syd")][turn % 3];
        let goal = ids.load(Ordering::Relaxed) + 40;
        let calls_went_on = async {
            while ids.load(Ordering::Relaxed) < goal {
                tokio::task::yield_now().await;
            }
        };
        timeout(SOON, calls_went_on).await.expect("calls go on");
        // Who has not heard of the last word cannot make the next one.
        all_see(&[by], ["syd", "hkg", "lax"][turn % 3]).await;
        by.set_primary_region(to).expect("a region");
    }
    moved.send_replace(true);
    let mut ends = [0; 2];
    while let Some(of_caller) = callers.join_next().await {
        let of_caller = of_caller.expect("no panic");
        ends = [ends[0] + of_caller[0], ends[1] + of_caller[1]];
    }
    println!("{} calls ran, {} did not", ends[0], ends[1]);
    assert_eq!(ends[1], 0, "calls that gave up following");
    all_see(&[&syd, &hkg, &lax], "syd").await;
}

#[tokio::test]
async fn nodes_that_point_at_each_other_end_a_call_unrun_and_soon() {
    let cluster = Cluster::new();
    let ledger = Ledger::default();
    let node = async |region: &str, primary| {
        let builder = cluster.builder(region, region).primary_region(primary);
        let builder = builder.state(ledger.clone()).state(Probe::new());
        cluster.start(builder).await
    };
    let (syd, hkg) = (node("syd", "hkg").await, node("hkg", "syd").await);
    let lax = node("lax", "syd").await;
    for (caller, refuses) in [(&lax, "syd"), (&syd, "hkg"), (&hkg, "syd")] {
        let outcome = write_on_primary(7).via(caller).await;
        ledger.check(7, &outcome);
        let error = outcome.expect_err("nobody thinks that it is here");
        let RpcError::WrongRegion { region, epoch, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!((region.as_str(), *epoch), (refuses, 0));
        let found = where_am_i_on_primary().via(caller).await;
        assert!(matches!(found, Err(RpcError::WrongRegion { .. })));
    }
    // One word settles it.
    lax.set_primary_region("syd").expect("a region");
    let wrote = write_on_primary(8).via(&hkg).await;
    assert_eq!(wrote.expect("it follows"), "syd");
}
