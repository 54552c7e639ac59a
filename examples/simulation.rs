//! Testing an application on a simulated network: a fault that shows only when an answer is lost, found
//! by trying seeds, repeated by naming one, and mended.
//!
//! `cargo run --example simulation`
//!
//! The shop charges a card in another region. When nobody knows whether that ran, the first version
//! simply charges again; the second one names each order, so that the other side can tell.

use std::{
    collections::BTreeMap,
    panic,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, ensure};
use fly_rpc::{
    ClusterSecret, Node, NodeBuilder, RpcError, region_rpc,
    testing::{self, Conditions, Host, Network},
};

/// What was charged for each order.
#[derive(Debug, Default)]
struct Ledger(Mutex<BTreeMap<u64, Vec<u32>>>);

#[region_rpc(@primary)]
fn charge(#[state] ledger: &Ledger, order: u64, cents: u32) {
    ledger.change(|charges| charges.entry(order).or_default().push(cents));
}

#[region_rpc(@primary, idempotent)]
fn charge_once(#[state] ledger: &Ledger, order: u64, cents: u32) {
    ledger.change(|charges| {
        charges.entry(order).or_insert_with(|| vec![cents]);
    });
}

#[region_rpc(@primary)]
fn charged_for(#[state] ledger: &Ledger, order: u64) -> Vec<u32> {
    ledger.change(|charges| charges.get(&order).cloned().unwrap_or_default())
}

/// Wrong: `executed()` says `Unknown`, and this takes it for a no.
async fn buy_carelessly(order: u64) -> Result<(), RpcError> {
    while let Err(error) = charge_on_primary(order, 999).await {
        println!("  order {order}: {error}; charging again");
    }
    Ok(())
}

/// Right: it does not matter how often this is made.
async fn buy(order: u64) -> Result<(), RpcError> {
    while charge_once_on_primary(order, 999).await.is_err() {}
    Ok(())
}

fn main() -> anyhow::Result<()> {
    // The runs that fail are expected to: they need not be heard.
    let loud = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let found = (0..1_000).find(|&seed| {
        let run = || testing::simulate(seed, async |network| shop(&network, buy_carelessly).await);
        panic::catch_unwind(run).is_err()
    });
    let seed = found.context("no seed shows the fault")?;
    println!("seed {seed} charges a card twice, every time:");
    let again = panic::catch_unwind(|| {
        testing::simulate(seed, async |network| shop(&network, buy_carelessly).await);
    });
    panic::set_hook(loud);
    ensure!(again.is_err(), "seed {seed} went another way than before");

    // In an application this is the test: it panics with the seed that failed.
    let explored = testing::explore(100, Duration::from_secs(20), async |network| {
        shop(&network, buy).await;
    });
    println!("with an order that is charged once: {explored:?}, none wrong");
    Ok(())
}

/// Ten orders from Hong Kong, over a network that loses every tenth datagram and is cut now and
/// then; the primary is in Sydney. Every order must be charged once.
async fn shop<F>(network: &Network, buy: fn(u64) -> F)
where
    F: Future<Output = Result<(), RpcError>> + Send + 'static,
{
    let secret = ClusterSecret::generate();
    let (sydney, hong_kong) = (network.host(), network.host());
    let syd = start(&secret, &sydney, "syd").state(Ledger::default());
    let syd = syd.start().await.expect("started");
    let hkg = start(&secret, &hong_kong, "hkg").state(Ledger::default());
    let hkg = hkg.peers([sydney.address().to_string()]);
    let hkg = hkg.start().await.expect("started");

    network.set_conditions(Conditions {
        delay: Duration::from_millis(65),
        loss: 0.1,
        ..Conditions::default()
    });
    for order in 0..10 {
        let bought = tokio::spawn(hkg.scope(buy(order)));
        if network.chance().fraction() < 0.2 {
            // An answer that is on its way now is lost.
            tokio::time::sleep(Duration::from_millis(70)).await;
            network.cut(&sydney, &hong_kong);
            tokio::time::sleep(Duration::from_secs(6)).await;
            network.heal();
        }
        bought.await.expect("no panic").expect("bought");
        let charged = charged_for_on_primary(order).via(&syd).await.expect("here");
        assert_eq!(charged, [999], "order {order}");
    }
}

fn start(secret: &ClusterSecret, host: &Host, region: &str) -> NodeBuilder {
    let node = Node::builder().secret(secret.clone()).id(region);
    node.region(region).primary_region("syd").simulated(host)
}

impl Ledger {
    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<u64, Vec<u32>>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
