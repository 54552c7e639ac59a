//! Small calls beside large ones on the same connection, where the network is the narrow place.
//!
//! Time is simulated, so what is measured is the order in which things travel, and not what a
//! machine's processors have left.

use std::time::Duration;

use fly_rpc::{
    Node,
    testing::{self, Conditions, Network},
};
use tokio::{
    sync::oneshot,
    task::{JoinHandle, JoinSet},
    time::{Instant, interval, sleep},
};

use crate::{
    application::{answer, large_on_primary, transfer_on},
    fleet::Fleet,
};

#[test]
fn a_transfer_of_4_mib_at_most_doubles_what_small_calls_take() {
    for (round_trip, rate) in [(20, 12_500_000), (70, 125_000_000), (150, 12_500_000)] {
        let round_trip = Duration::from_millis(round_trip);
        testing::simulate(1, async |network| {
            let (fleet, from) = far(&network, round_trip, rate).await;
            let alone = p99(&fleet, &from).await;
            let (stop, transfers) = transfers(&fleet, &from);
            sleep(8 * round_trip).await; // sleep: simulated, until it has found its pace
            let beside = p99(&fleet, &from).await;
            drop(stop);
            let many = transfers.await.expect("no transfer fails");
            assert!(many > 0);
            println!(
                "{round_trip:?}, {rate} bytes/s: {alone:?}, beside {many} transfers {beside:?}"
            );
            assert!(beside <= 2 * alone, "{alone:?} alone, {beside:?} beside");
        });
    }
}

/// Two nodes in two regions; the second is the caller.
async fn far(network: &Network, round_trip: Duration, rate: u64) -> (Fleet, Node) {
    network.set_conditions(Conditions {
        delay: round_trip / 2,
        rate: Some(rate),
        ..Conditions::default()
    });
    let mut fleet = Fleet::new(network, &["syd", "hkg"]);
    fleet.start_all().await;
    fleet.whole(Duration::from_secs(30)).await;
    let from = fleet.machines[1].node.clone().expect("started");
    // Which of two connections stays has to be settled.
    sleep(Duration::from_secs(10)).await; // sleep: simulated
    (fleet, from)
}

/// One after the other, there and back, until the sender is dropped; how many there were.
fn transfers(fleet: &Fleet, from: &Node) -> (oneshot::Sender<()>, JoinHandle<u32>) {
    let (ledger, from) = (fleet.ledger.clone(), from.clone());
    let (stop, mut stopped) = oneshot::channel();
    let transfers = tokio::spawn(async move {
        let body = vec![7; (4 << 20) - 64];
        let mut many = 0;
        while let Err(oneshot::error::TryRecvError::Empty) = stopped.try_recv() {
            let id = ledger.open(false);
            let call = large_on_primary(id, &body).timeout(Duration::from_secs(60));
            assert_eq!(call.via(&from).await.expect("served").len(), body.len());
            many += 1;
        }
        many
    });
    (stop, transfers)
}

/// Of 500 small calls, one every 4 ms whether the one before is answered or not.
async fn p99(fleet: &Fleet, from: &Node) -> Duration {
    let mut calls = JoinSet::new();
    let mut tick = interval(Duration::from_millis(4));
    for _ in 0..500 {
        tick.tick().await;
        let (id, from) = (fleet.ledger.open(false), from.clone());
        calls.spawn(async move {
            let began = Instant::now();
            let outcome = transfer_on("syd", id, 0).via(&from).await;
            assert_eq!(outcome.expect("served"), answer(id));
            began.elapsed()
        });
    }
    let mut took = Vec::new();
    while let Some(call) = calls.join_next().await {
        took.push(call.expect("no call panics"));
    }
    took.sort();
    took[took.len() * 99 / 100]
}
