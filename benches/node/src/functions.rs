//! A program of ten thousand functions, beside one of ten: what their number costs while it runs.

use anyhow::Context;
use bench_price::{Profile, Project, many};
use fly_rpc::ClusterSecret;

use crate::process::Process;

/// What a node with so many functions costs.
#[derive(Clone, Debug, Default)]
pub struct Functions {
    /// Functions in the program.
    pub functions: usize,
    /// Milliseconds of the first `start()`, in which all contracts are traced.
    pub start: f64,
    /// Bytes of resident memory with one node and no peer.
    pub resident: f64,
    /// Bytes of the catalogue that every hello carries.
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
        let project = Project::new(if functions == SIZES[0] {
            "functions-few"
        } else {
            "functions-many"
        })?;
        project.write(&many(functions))?;
        let built = project.prepare(Profile::Debug).await?;
        let secret = ClusterSecret::generate().reveal();
        let mut server = Process::start(&built.binary, ["serve", &secret]).await?;
        let greeting = server.greeting.clone();
        let [address, start, catalogue] = greeting.split(' ').collect::<Vec<_>>()[..] else {
            anyhow::bail!("the program says {greeting:?}")
        };
        let resident = server.resident()?;
        let mut peers = Process::start(&built.binary, ["peers", &secret, address]).await?;
        peers.ask("2").await?;
        let few = server.resident()?;
        let measured = peers.ask(&PEERS.to_string()).await?;
        let per_peer = (server.resident()? - few) / PEERS as f64;
        server.ask("").await?;
        let (local, remote) = measured.split_once(' ').context("two numbers")?;
        all.push(Functions {
            functions,
            start: start.parse()?,
            resident,
            catalogue: catalogue.parse()?,
            per_peer,
            local: local.parse()?,
            remote: remote.parse()?,
        });
    }
    Ok(all)
}

const SIZES: [usize; 2] = [10, 10_000];
/// Peers by which the growth is taken.
const PEERS: usize = 10;
