//! Three nodes, one of which is cut off from the two others: case N7 of RELIABILITY.md.

use std::{
    env,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use fly_rpc::{Node, Target};
use fly_rpc_tests::{
    history::Outcome,
    relay::{Relay, Way},
};
use tokio::time::sleep;

use crate::{
    desk::{Desk, Order},
    traffic::Traffic,
    world::{World, at, sees},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_side_of_a_partition_works_and_the_other_fails_fast_until_it_heals() -> anyhow::Result<()>
{
    let (whole, one_way) = tokio::join!(
        partition("parted", Relay::cut),
        // What the others send arrives nowhere; what they are sent arrives.
        partition("parted-one-way", |path| path.cut_way(Way::There)),
    );
    whole.and(one_way)
}

/// Without gossip, which would tell them of addresses that no relay stands before.
async fn partition(name: &'static str, cut: fn(&Relay)) -> anyhow::Result<()> {
    let world = World::new(name)?;
    let (alone, left, right) = (world.desk()?, world.desk()?, world.desk()?);
    let syd = world.builder("syd-1", &alone).gossip(false);
    let syd = syd.start().await?;
    let (from_hkg, from_cdg) = (
        Relay::open(syd.local_addr(), 1).await?,
        Relay::open(syd.local_addr(), 2).await?,
    );
    let hkg = world
        .builder("hkg-1", &left)
        .peers([from_hkg.address()])
        .gossip(false);
    let hkg = hkg.start().await?;
    let cdg = world.builder("cdg-1", &right).gossip(false);
    let cdg = cdg.peers([from_cdg.address(), hkg.local_addr().to_string()]);
    let cdg = cdg.start().await?;
    let pairs = [(&syd, "hkg-1"), (&hkg, "cdg-1"), (&cdg, "syd-1")];
    for (node, other) in pairs {
        sees(node, other, None).await;
    }

    let mut traffic = Traffic::new();
    let within = Arc::new(Mutex::new(Vec::new()));
    for (node, desk, target, told) in [
        (&hkg, &left, "cdg-1", Some(&within)),
        (&cdg, &right, "hkg-1", Some(&within)),
        (&syd, &alone, "hkg-1", None),
        (&cdg, &right, "syd-1", None),
    ] {
        call(&mut traffic, node, desk, at(target), told.cloned());
    }
    traffic.more(100).await;
    cut(&from_hkg);
    cut(&from_cdg);
    let long = match env::var_os("FLY_RPC_SOAK") {
        Some(_) => Duration::from_secs(30),
        None => Duration::from_secs(16),
    };
    sleep(long).await; // sleep: the partition takes its time
    let mut longest = Duration::ZERO;
    for (node, desk, target) in [(&syd, &alone, "hkg-1"), (&hkg, &left, "syd-1")] {
        let begun = Instant::now();
        let told = desk.count(node, &Order::to(at(target))).await;
        longest = longest.max(begun.elapsed());
        assert_ne!(told, Outcome::Right);
    }
    assert!(longest < Duration::from_secs(1), "{longest:?}");

    from_hkg.heal();
    from_cdg.heal();
    let healed = Instant::now();
    for (node, other) in pairs {
        sees(node, other, None).await;
    }
    let together = healed.elapsed();
    traffic.more(100).await;
    traffic.rest().await;
    let told = within.lock().expect("no panic").clone();
    let sound = told.iter().filter(|told| **told == Outcome::Right).count();
    println!(
        "N7, {name}: {sound} of {} calls within a side were right; a call across failed in {longest:.0?}; together {together:.1?} after the end",
        told.len()
    );
    assert!(sound * 100 >= told.len() * 99);
    assert!(together < Duration::from_secs(15));
    world.judge(200)?;
    Ok(())
}

fn call(
    traffic: &mut Traffic,
    node: &Node,
    desk: &Desk,
    target: Target,
    told: Option<Arc<Mutex<Vec<Outcome>>>>,
) {
    let (node, desk) = (node.clone(), desk.clone());
    traffic.add(4, Duration::from_millis(20), move || {
        let (node, desk, told) = (node.clone(), desk.clone(), told.clone());
        let order = Order {
            timeout: Duration::from_secs(1),
            ..Order::to(target.clone())
        };
        async move {
            let outcome = desk.count(&node, &order).await;
            if let Some(told) = told {
                told.lock().expect("no panic").push(outcome.clone());
            }
            outcome
        }
    });
}
