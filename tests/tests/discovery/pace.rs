//! Sources that go wrong in other ways than DNS does, on simulated time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fly_rpc::{
    ClusterSecret, Node, Target,
    discovery::{Discovery, DiscoveryError, Fixed, Next},
    testing::{Host, simulate},
};
use fly_rpc_tests::{Log, SOON};
use tokio::time::{Instant, advance};

/// A source that does the same each time it is asked, and counts.
#[derive(Debug)]
struct Odd {
    habit: Habit,
    asked: Arc<AtomicU64>,
}

#[derive(Clone, Copy, Debug)]
enum Habit {
    Fails,
    Panics,
    Babbles,
    Hangs,
}

impl Odd {
    fn new(habit: Habit) -> (Self, Arc<AtomicU64>) {
        let asked = Arc::new(AtomicU64::new(0));
        let this = Self {
            habit,
            asked: Arc::clone(&asked),
        };
        (this, asked)
    }
}

impl Discovery for Odd {
    fn next(&mut self) -> Next<'_> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Box::pin(async {
            match self.habit {
                Habit::Fails => Err(DiscoveryError::new("out of order\nfor ever")),
                Habit::Panics => panic!("a mistake in somebody's source"),
                Habit::Babbles => Ok(Vec::new()),
                Habit::Hangs => std::future::pending().await,
            }
        })
    }

    fn name(&self) -> String {
        "odd".to_owned()
    }
}

/// Starts a node with an odd source beside a good one, which names the other node that is returned.
async fn pair(one: &Host, other: &Host, odd: Odd) -> (Node, Node) {
    let secret = ClusterSecret::generate();
    let builder = |id: &str, host| {
        let builder = Node::builder().secret(secret.clone()).id(id);
        builder.region("syd").primary_region("syd").simulated(host)
    };
    let b = builder("b", other).start().await.expect("started");
    let a = builder("a", one).discovery(odd);
    let a = a.discovery(Fixed::new([other.address()]));
    let since = Instant::now();
    let a = a.start().await.expect("started");
    assert!(since.elapsed() <= Duration::from_millis(1100));
    a.wait_for(Target::Node("b".into()), SOON)
        .await
        .expect("the good source is followed");
    (a, b)
}

async fn minutes(count: u32) {
    for _ in 0..count * 60 {
        advance(Duration::from_secs(1)).await;
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_source_that_fails_for_ever_is_asked_ever_less_and_logged_once_a_minute() {
    let (log, _guard) = Log::start();
    simulate(1, async |network| {
        let (odd, asked) = Odd::new(Habit::Fails);
        let _nodes = pair(&network.host(), &network.host(), odd).await;
        minutes(5).await;
        let first = asked.load(Ordering::Relaxed);
        // 1 s × 1.6 up to 30 s: eight in the first minute, two or three in each that follows.
        assert!((12..=25).contains(&first), "{first}");
        minutes(10).await;
        let more = asked.load(Ordering::Relaxed) - first;
        assert!((15..=27).contains(&more), "{more}");
    });
    let lines = log.lines("a source of addresses has no answer");
    assert!((8..=16).contains(&lines.len()), "{}", lines.len());
    assert!(
        lines[0].contains("WARN") && lines[0].contains("odd"),
        "{}",
        lines[0]
    );
    assert!(lines[0].contains("out of order\\nfor ever"), "{}", lines[0]);
    assert!(lines[5].contains("left_out="), "{}", lines[5]);
}

#[test]
fn a_source_that_panics_costs_nothing_but_its_own_addresses() {
    simulate(2, async |network| {
        let (odd, asked) = Odd::new(Habit::Panics);
        let (a, _b) = pair(&network.host(), &network.host(), odd).await;
        minutes(2).await;
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert_eq!(a.peers().len(), 1);
    });
}

#[test]
fn a_source_that_never_pauses_leaves_time_to_others() {
    simulate(3, async |network| {
        let (odd, asked) = Odd::new(Habit::Babbles);
        let (a, _b) = pair(&network.host(), &network.host(), odd).await;
        let before = asked.load(Ordering::Relaxed);
        minutes(1).await;
        let asked = asked.load(Ordering::Relaxed) - before;
        assert!(asked <= 601, "{asked}");
        assert_eq!(a.peers().len(), 1);
    });
}

#[test]
fn a_source_that_never_answers_holds_a_start_up_for_a_second() {
    simulate(4, async |network| {
        let (odd, asked) = Odd::new(Habit::Hangs);
        let (a, _b) = pair(&network.host(), &network.host(), odd).await;
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert_eq!(a.peers().len(), 1);
    });
}
