//! Sources: what they say, and how they fail.

use std::{future::Future, pin::Pin};

use fly_rpc::{Node, PrimarySource, PrimaryWord};
use fly_rpc_tests::{Cluster, Log, Probe, SOON};
use tokio::{sync::mpsc, time::timeout};

use crate::functions::{Ledger, all_see, write_on_primary};

/// Says what it is sent.
pub(crate) struct Told(mpsc::UnboundedReceiver<PrimaryWord>);

impl Told {
    pub(crate) fn new() -> (mpsc::UnboundedSender<PrimaryWord>, Self) {
        let (say, told) = mpsc::unbounded_channel();
        (say, Self(told))
    }
}

impl PrimarySource for Told {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<PrimaryWord>> + Send + '_>> {
        Box::pin(async {
            let word = self.0.recv().await?;
            assert_ne!(word, PrimaryWord::new("panic"), "told to");
            Some(word)
        })
    }
}

struct Cast {
    say: mpsc::UnboundedSender<PrimaryWord>,
    syd: Node,
    hkg: Node,
}

impl Cast {
    fn say(&self, word: PrimaryWord) {
        self.say.send(word).expect("the source lives");
    }
}

/// Two nodes, one of which has a source that says `hkg` from the beginning.
async fn cast(cluster: &Cluster, first: PrimaryWord) -> Cast {
    let (say, told) = Told::new();
    say.send(first).expect("the source lives");
    let builder = |region| {
        let builder = cluster.builder(region, region);
        builder.state(Ledger::default()).state(Probe::new())
    };
    let syd = cluster.start(builder("syd").primary_source(told)).await;
    let hkg = cluster.start(builder("hkg")).await;
    Cast { say, syd, hkg }
}

#[tokio::test]
async fn a_source_moves_the_nodes_without_one() {
    let cluster = Cluster::new();
    let cast = cast(&cluster, PrimaryWord::new("hkg")).await;
    // Its first word came before anybody was met.
    assert_eq!(cast.syd.primary_region().as_str(), "hkg");
    all_see(&[&cast.hkg], "hkg").await;
    let wrote = write_on_primary(1).via(&cast.syd).await;
    assert_eq!(wrote.expect("runs"), "hkg");
    cast.say(PrimaryWord::new("syd"));
    all_see(&[&cast.hkg, &cast.syd], "syd").await;
    let wrote = write_on_primary(2).via(&cast.hkg).await;
    assert_eq!(wrote.expect("runs"), "syd");
    assert_eq!(cast.hkg.primary().epoch, 2);
}

#[tokio::test]
async fn of_words_with_epochs_a_stale_one_loses() {
    let cluster = Cluster::new();
    let cast = cast(&cluster, PrimaryWord::new("hkg").epoch(1_000)).await;
    all_see(&[&cast.hkg], "hkg").await;
    cast.say(PrimaryWord::new("syd").epoch(999));
    cast.say(PrimaryWord::new("lax").epoch(1_001));
    all_see(&[&cast.hkg, &cast.syd], "lax").await;
    assert_eq!(cast.hkg.primary().epoch, 1_001);
    assert_eq!(cast.syd.stats().primary_moves, 2);
}

#[tokio::test]
async fn a_source_that_talks_nonsense_is_not_heeded_and_one_that_panics_is_over() {
    let (log, _guard) = Log::start();
    let cluster = Cluster::new();
    let cast = cast(&cluster, PrimaryWord::new("hkg")).await;
    cast.say(PrimaryWord::new("not a region"));
    cast.say(PrimaryWord::new("lax").epoch(u64::MAX));
    cast.say(PrimaryWord::new("syd"));
    all_see(&[&cast.hkg, &cast.syd], "syd").await;
    assert_eq!(log.lines("is not heeded").len(), 2);
    cast.say(PrimaryWord::new("panic"));
    timeout(SOON, cast.say.closed())
        .await
        .expect("it is dropped");
    assert_eq!(log.lines("panicked; its last word stands").len(), 1);
    let wrote = write_on_primary(1).via(&cast.hkg).await;
    assert_eq!(wrote.expect("runs"), "syd");
    // The hand still can.
    cast.syd.set_primary_region("hkg").expect("a region");
    all_see(&[&cast.hkg], "hkg").await;
}

#[tokio::test]
async fn a_node_starts_although_its_source_says_nothing() {
    let cluster = Cluster::new();
    let (_say, told) = Told::new();
    let builder = cluster.builder("syd", "syd").primary_source(told);
    let node = builder.state(Ledger::default()).state(Probe::new());
    let node = node.start().await.expect("a sound configuration");
    assert_eq!(
        (node.primary_region().as_str(), node.primary().epoch),
        ("syd", 0)
    );
    node.shutdown().await;
}
