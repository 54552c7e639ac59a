//! Processes that stop in mid-motion (`SIGSTOP`) and go on as if nothing had happened: case N6 of RELIABILITY.md.

use std::{
    env,
    time::{Duration, Instant},
};

use fly_rpc_tests::history::Outcome;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    desk::Order,
    traffic::Traffic,
    world::{World, at, sees},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_was_stopped_gives_no_stale_answer_and_is_back_at_once() -> anyhow::Result<()>
{
    let mut pauses = vec![5];
    if env::var_os("FLY_RPC_SOAK").is_some() {
        pauses.push(40);
    }
    let mut all = JoinSet::new();
    for seconds in pauses {
        all.spawn(pause(Duration::from_secs(seconds)));
    }
    all.join_all().await.into_iter().collect()
}

async fn pause(pause: Duration) -> anyhow::Result<()> {
    let name = if pause < Duration::from_secs(10) {
        "stopped"
    } else {
        "stopped-for-long"
    };
    let world = World::new(name)?;
    let mut worker = world.start(world.plan("syd-1")).await?;
    let desk = world.desk()?;
    let caller = world.builder("hkg-1", &desk);
    let caller = caller.peers([worker.address.to_string()]).start().await?;
    sees(&caller, "syd-1", None).await;

    let mut traffic = Traffic::new();
    let (node, from) = (caller.clone(), desk.clone());
    traffic.add(8, Duration::from_millis(10), move || {
        let (node, desk) = (node.clone(), from.clone());
        let order = Order {
            timeout: Duration::from_secs(1),
            ..Order::to(at("syd-1"))
        };
        async move { desk.count(&node, &order).await }
    });
    traffic.more(200).await;
    worker.child.pause().await?;
    sleep(pause).await; // sleep: the pause takes its time
    worker.child.resume().await?;
    let resumed = Instant::now();
    let order = Order {
        timeout: Duration::from_secs(20),
        wait_ready: true,
        ..Order::to(at("syd-1"))
    };
    let told = desk.count(&caller, &order).await;
    println!(
        "N6, {pause:?}: the first call after it took {:.0?}",
        resumed.elapsed()
    );
    assert_eq!(told, Outcome::Right);
    // The backoff's longest delay, and a second for the machine.
    assert!(resumed.elapsed() < Duration::from_secs(11));
    traffic.more(200).await;
    traffic.rest().await;
    worker.stop().await?;
    let kept = world.judge(400)?;
    assert!(kept.unknown > 0, "the pause broke nothing");
    Ok(())
}
