//! Two nodes with a bad network between them: cases M1, N1 to N4 and N10 to N12 of RELIABILITY.md.

use std::{
    env,
    sync::Arc,
    time::{Duration, Instant},
};

use fly_rpc::{Node, PeerState};
use fly_rpc_tests::{
    history::Outcome,
    relay::{Conditions, Relay},
};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    desk::{Desk, Order},
    traffic::Traffic,
    world::{World, sees, until},
};

/// A caller and a callee, with a relay between them that is their only path.
struct Pair {
    caller: Node,
    callee: Node,
    desk: Desk,
    relay: Relay,
}

/// What became of a call, and how long that took.
type Told = (Outcome, Duration);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_loses_and_doubles_lets_nothing_run_twice() -> anyhow::Result<()> {
    let world = World::new("lossy")?;
    let mut callers = JoinSet::new();
    for number in 0..4 {
        let pair = Pair::new(&world, number).await?;
        pair.relay.set(Conditions {
            loss: 30,
            duplicate: 50,
            reorder: 20,
            ..Conditions::default()
        });
        let order = Order {
            bytes: 256,
            timeout: Duration::from_secs(20),
            ..pair.order()
        };
        callers.spawn(async move {
            let told = pair.make(M1 / 4, 16, order).await;
            pair.print("M1", &told);
        });
    }
    callers.join_all().await;
    world.judge(M1)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loss_up_to_a_tenth_fails_no_call_and_more_fails_none_without_a_type() -> anyhow::Result<()>
{
    let world = World::new("losses")?;
    let mut callers = JoinSet::new();
    for loss in [1, 5, 10, 20, 30] {
        let pair = Pair::new(&world, loss.into()).await?;
        pair.relay.set(Conditions {
            loss,
            delay: Duration::from_millis(25),
            ..Conditions::default()
        });
        let order = Order {
            bytes: 1024,
            ..pair.order()
        };
        callers.spawn(async move {
            let told = pair.make(N1 / 5, 10, order.clone()).await;
            pair.print(&format!("N1, {loss} % lost"), &told);
            none_hangs(&told, &order);
            assert!(loss > 10 || right(&told) == told.len(), "{told:?}");
        });
    }
    callers.join_all().await;
    world.judge(N1)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_a_path_at_once_gives_no_wrong_answer_and_hangs_no_call()
-> anyhow::Result<()> {
    let world = World::new("packet-set")?;
    let pair = Pair::new(&world, 1).await?;
    pair.relay.set(Conditions {
        loss: 20,
        duplicate: 20,
        corrupt: 20,
        reorder: 20,
        delay: Duration::from_millis(50),
        jitter: Duration::from_millis(10),
        ..Conditions::default()
    });
    let order = Order {
        timeout: Duration::from_secs(10),
        ..pair.order()
    };
    let told = pair.make(N2, 50, order.clone()).await;
    pair.print("N2", &told);
    none_hangs(&told, &order);
    world.judge(N2)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flipped_bits_give_no_wrong_answer_and_end_no_connection() -> anyhow::Result<()> {
    let world = World::new("flipped")?;
    let pair = Pair::new(&world, 1).await?;
    pair.relay.set(Conditions {
        corrupt: 20,
        ..Conditions::default()
    });
    let order = Order {
        bytes: 512,
        ..pair.order()
    };
    let told = pair.make(N3, 16, order).await;
    pair.print("N3", &told);
    assert_eq!(right(&told), N3);
    // It counts what was sent on this connection: there was no other.
    assert_eq!(pair.caller.peers()[0].requests_sent, N3 as u64);
    world.judge(N3)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_black_hole_ends_calls_at_their_deadline_and_calls_work_soon_after_it()
-> anyhow::Result<()> {
    let world = World::new("black-hole")?;
    // A hole, and how long the first call after it may take: a second while the connection lives, else until the next
    // dial.
    let mut holes = vec![(1, 1), (5, 1)];
    if env::var_os("FLY_RPC_SOAK").is_some() {
        holes.push((20, 11));
    }
    let mut all = JoinSet::new();
    for (seconds, patience) in holes {
        let pair = Arc::new(Pair::new(&world, seconds).await?);
        all.spawn(async move {
            let order = Order {
                timeout: Duration::from_secs(2),
                ..pair.order()
            };
            let (mut traffic, told) = (Traffic::new(), Arc::new(std::sync::Mutex::new(Vec::new())));
            let (from, to, makes) = (Arc::clone(&pair), Arc::clone(&told), order.clone());
            traffic.add(4, Duration::from_millis(20), move || {
                let (pair, told, order) = (Arc::clone(&from), Arc::clone(&to), makes.clone());
                async move {
                    let one = pair.one(&order).await;
                    told.lock().expect("no panic").push(one.clone());
                    one.0
                }
            });
            traffic.more(50).await;
            pair.relay.cut();
            sleep(Duration::from_secs(seconds)).await; // sleep: the hole takes its time
            pair.relay.heal();
            let ready = Order {
                timeout: Duration::from_secs(30),
                wait_ready: true,
                ..order.clone()
            };
            let (outcome, took) = pair.one(&ready).await;
            traffic.more(50).await;
            traffic.rest().await;
            let told = told.lock().expect("no panic").clone();
            pair.print(
                &format!("N4, {seconds} s; first call afterwards {took:.0?}"),
                &told,
            );
            none_hangs(&told, &order);
            assert_eq!(outcome, Outcome::Right);
            assert!(took <= Duration::from_secs(patience), "{took:?}");
        });
    }
    all.join_all().await;
    world.judge(200)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_whose_address_changes_is_lost_with_a_type_and_dials_again() -> anyhow::Result<()>
{
    let world = World::new("rebound")?;
    let pair = Arc::new(Pair::new(&world, 1).await?);
    let mut traffic = Traffic::new();
    let from = Arc::clone(&pair);
    traffic.add(4, Duration::from_millis(20), move || {
        let pair = Arc::clone(&from);
        let order = Order {
            timeout: Duration::from_secs(2),
            ..pair.order()
        };
        async move { pair.one(&order).await.0 }
    });
    traffic.more(50).await;
    let before = pair.caller.peers()[0].requests_sent;
    pair.relay.rebind();
    let begun = Instant::now();
    // It counts what was sent on one connection.
    until("there is another connection", || {
        let mut peers = pair.caller.peers().into_iter();
        peers.any(|peer| peer.state == PeerState::Connected && peer.requests_sent < before)
    })
    .await;
    let again = begun.elapsed();
    println!("N12: connected again {again:.1?} after the change");
    // Two seconds until the silence is suspicious, which is looked at once a second. Without that it takes 13.
    assert!(again <= Duration::from_secs(8), "{again:?}");
    let after = pair.one(&pair.order()).await;
    assert_eq!(after.0, Outcome::Right);
    traffic.rest().await;
    let kept = world.judge(50)?;
    assert!(kept.unknown > 0, "nothing was in flight");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_argument_on_a_narrow_path_does_not_hold_up_small_ones() -> anyhow::Result<()> {
    let world = World::new("narrow")?;
    let pair = Pair::new(&world, 1).await?;
    pair.relay.set(Conditions {
        delay: Duration::from_millis(25),
        rate: Some(MEGABIT),
        ..Conditions::default()
    });
    let order = pair.order();
    let alone = pair.make(N10, 1, order.clone()).await;
    let large = Order {
        bytes: 512 * 1024,
        timeout: Duration::from_secs(60),
        ..order.clone()
    };
    let large = pair.one(&large);
    let small = async {
        // Until it fills the path.
        pair.relay.until(|tallies| tallies.there.lost > 0).await;
        pair.make(N10, 1, order).await
    };
    let (large, beside) = tokio::join!(large, small);
    // The longest: if they waited for the large one, one would wait for all of it, and the others for nothing.
    let (alone_took, beside_took) = (percentile(&alone, 100), percentile(&beside, 100));
    println!(
        "N10: small calls take {alone_took:.0?} at most, and {beside_took:.0?} beside half a megabyte in {:.1?}",
        large.1
    );
    assert_eq!(large.0, Outcome::Right);
    assert_eq!(right(&beside), N10);
    assert!(beside_took < alone_took * 10);
    world.judge(2 * N10 + 1)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_carries_less_and_less_is_adapted_to() -> anyhow::Result<()> {
    let world = World::new("shrunk")?;
    let pair = Pair::new(&world, 1).await?;
    let order = Order {
        bytes: 100_000,
        timeout: Duration::from_secs(20),
        ..pair.order()
    };
    // Each call has datagrams of the size that the path was found to carry.
    let told = pair.make(50, 1, order.clone()).await;
    assert_eq!(right(&told), 50);
    for largest in [1280, 1200] {
        pair.relay.set(Conditions {
            largest: Some(largest),
            ..Conditions::default()
        });
        let (outcome, took) = pair.one(&order).await;
        println!("N11: the first call of 100 kB over a path for {largest} bytes took {took:.1?}");
        assert_eq!(outcome, Outcome::Right);
        assert!(took <= Duration::from_secs(10), "{took:?}");
    }
    assert!(pair.relay.tallies().there.lost > 0, "nothing was too large");
    world.judge(52)?;
    Ok(())
}

impl Pair {
    async fn new(world: &World, number: u64) -> anyhow::Result<Self> {
        let (callee, desk) = (world.desk()?, world.desk()?);
        let id = format!("syd-{number}");
        let callee = world.builder(&id, &callee).start().await?;
        let relay = Relay::open(callee.local_addr(), number).await?;
        let caller = world.builder(&format!("hkg-{number}"), &desk);
        let caller = caller.peers([relay.address()]).start().await?;
        sees(&caller, &id, None).await;
        Ok(Self {
            caller,
            callee,
            desk,
            relay,
        })
    }

    fn order(&self) -> Order {
        Order::to(self.callee.id())
    }

    async fn one(&self, order: &Order) -> Told {
        let begun = Instant::now();
        let outcome = self.desk.count(&self.caller, order).await;
        (outcome, begun.elapsed())
    }

    /// Makes calls, so many at a time.
    async fn make(&self, calls: usize, at_a_time: usize, order: Order) -> Vec<Told> {
        let mut callers = JoinSet::new();
        for place in 0..at_a_time {
            let (node, desk, order) = (self.caller.clone(), self.desk.clone(), order.clone());
            callers.spawn(async move {
                let mut told = Vec::new();
                for _ in (place..calls).step_by(at_a_time) {
                    let begun = Instant::now();
                    let outcome = desk.count(&node, &order).await;
                    told.push((outcome, begun.elapsed()));
                }
                told
            });
        }
        callers.join_all().await.concat()
    }

    fn print(&self, case: &str, told: &[Told]) {
        println!(
            "{case}: {} of {} right; median {:.0?}, p99 {:.0?}, longest {:.0?}; {}",
            right(told),
            told.len(),
            percentile(told, 50),
            percentile(told, 99),
            percentile(told, 100),
            self.relay.tallies(),
        );
    }
}

fn right(told: &[Told]) -> usize {
    told.iter()
        .filter(|(outcome, _)| *outcome == Outcome::Right)
        .count()
}

fn percentile(told: &[Told], share: usize) -> Duration {
    let mut times: Vec<Duration> = told.iter().map(|(_, took)| *took).collect();
    times.sort_unstable();
    times[(times.len() - 1) * share / 100]
}

/// No call takes longer than its deadline, and a while to hear of it on a busy machine.
fn none_hangs(told: &[Told], order: &Order) {
    let longest = told.iter().map(|(_, took)| *took).max();
    assert!(
        longest <= Some(order.timeout + Duration::from_secs(2)),
        "{longest:?}"
    );
}

/// Calls of each case.
const M1: usize = 10_000;
const N1: usize = 1000;
const N2: usize = 1000;
const N3: usize = 1000;
const N10: usize = 40;
/// In bytes a second.
const MEGABIT: u32 = 125_000;
