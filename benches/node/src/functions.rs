//! A program of ten thousand functions, beside one of ten: what their number costs while it runs.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use fly_rpc::{ClusterSecret, Node, Target, bench::register_copies, region_rpc};

use crate::{
    crowd::{HUB, SOON, member},
    process::Process,
    roles::obey,
};

/// What a node with so many functions costs.
#[derive(Clone, Debug, Default)]
pub struct Functions {
    /// Functions in the program.
    pub functions: usize,
    /// Milliseconds of the first `start()`, in which all contracts are traced.
    pub start: f64,
    /// Bytes of resident memory with one node and no peer.
    pub resident: f64,
    /// Bytes of names, contracts and fingerprints in every hello.
    pub catalogue: f64,
    /// Bytes by which each peer more, of the same program, makes the node grow.
    pub per_peer: f64,
    /// Nanoseconds of a call that stays in the process.
    pub local: f64,
    /// Microseconds of a call over loopback, in the median, one at a time.
    pub remote: f64,
}

pub(crate) async fn measure() -> anyhow::Result<Vec<Functions>> {
    let mut all = Vec::new();
    for functions in SIZES {
        let (secret, count) = (ClusterSecret::generate().reveal(), functions.to_string());
        let library = Process::play("library", &[&secret, &count]).await?;
        let greeting = library.greeting.clone();
        let [address, start, catalogue] = greeting.split(' ').collect::<Vec<_>>()[..] else {
            bail!("the library says {greeting:?}")
        };
        let resident = library.resident()?;
        let mut readers = Process::play("readers", &[address, &secret, &count]).await?;
        readers.ask("2").await?;
        let few = library.resident()?;
        let measured = readers.ask(&PEERS.to_string()).await?;
        let (local, remote) = measured.split_once(' ').context("two numbers")?;
        all.push(Functions {
            functions,
            start: start.parse()?,
            resident,
            catalogue: catalogue.parse()?,
            per_peer: (library.resident()? - few) / PEERS as f64,
            local: local.parse()?,
            remote: remote.parse()?,
        });
    }
    Ok(all)
}

/// The function that is called.
#[region_rpc]
fn look_up(id: u64) -> u64 {
    id
}

/// The node that serves them.
pub(crate) async fn library(secret: &str, functions: &str) -> anyhow::Result<()> {
    register(functions)?;
    let begun = Instant::now();
    let node = member(secret)?.region(HUB).start().await?;
    let start = begun.elapsed().as_secs_f64() * 1e3;
    let catalogue = node.catalogue();
    let sizes = catalogue
        .iter()
        .map(|function| function.name.len() + function.contract.len() + FINGERPRINT);
    println!("{} {start} {}", node.local_addr(), sizes.sum::<usize>());
    obey(async |_| Ok("here".to_owned())).await
}

/// Nodes of the same program that call it.
pub(crate) async fn readers(address: &str, secret: &str, functions: &str) -> anyhow::Result<()> {
    register(functions)?;
    println!("ready");
    let mut nodes: Vec<Node> = Vec::new();
    obey(async |more| {
        for _ in 0..more.parse()? {
            let node = member(secret)?.peers([address]).start().await?;
            node.wait_for(Target::Primary, SOON).await?;
            nodes.push(node);
        }
        Ok(format!("{} {}", local().await?, remote().await?))
    })
    .await
}

/// So many functions, with the program's own.
fn register(functions: &str) -> anyhow::Result<()> {
    register_copies(functions.parse::<usize>()?.div_ceil(OWN).saturating_sub(1));
    Ok(())
}

async fn local() -> anyhow::Result<f64> {
    let mut quickest = f64::MAX;
    for _ in 0..TURNS {
        let begun = Instant::now();
        for id in 0..CALLS {
            black_box(look_up_on_region("elsewhere", id).await?);
        }
        quickest = quickest.min(begun.elapsed().as_secs_f64() * 1e9 / CALLS as f64);
    }
    Ok(quickest)
}

async fn remote() -> anyhow::Result<f64> {
    let mut took: Vec<Duration> = Vec::new();
    for id in 0..CALLS {
        let begun = Instant::now();
        black_box(look_up_on_primary(id).await?);
        took.push(begun.elapsed());
    }
    Ok(bench_figures::median_of(&mut took))
}

/// Functions of this crate: `pass` and `look_up`. Others that are linked are multiplied with them.
const OWN: usize = 2;
const SIZES: [usize; 2] = [10, 10_000];
/// Peers by which the growth is taken.
const PEERS: usize = 10;
/// Bytes of a fingerprint and a version.
const FINGERPRINT: usize = 20;
const CALLS: u64 = 5_000;
const TURNS: usize = 5;
