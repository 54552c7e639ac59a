//! `cargo run --release -p bench-node --features sim --bin cluster [SIZE…]`: whole nodes that gossip, 10,
//! 100 and 1 000 of them, on a simulated network. Prints the tables of FLEET.md and draws its plots.
//!
//! The nodes are real, with QUIC, TLS and hellos; what is simulated is the way of their datagrams, and
//! the time. So all that a node sends is counted, and a minute of a thousand nodes takes as long as
//! their computing.

mod figures;
mod phases;
mod world;

use std::{path::Path, time::Instant};

use anyhow::Context;
use fly_rpc::testing::simulate;

use crate::figures::{Figures, draw, tables};

fn main() -> anyhow::Result<()> {
    let mut sizes: Vec<usize> = std::env::args()
        .skip(1)
        .map(|size| size.parse().context("a number of nodes"))
        .collect::<Result<_, _>>()?;
    if sizes.is_empty() {
        sizes = vec![10, 100, 1_000];
    }
    let mut measured: Vec<Figures> = Vec::new();
    for size in sizes {
        let began = Instant::now();
        let mut figures = simulate(SEED, async |network| phases::measure(&network, size).await);
        figures.took = began.elapsed();
        figures.memory = most_memory();
        eprintln!("{figures:#?}");
        measured.push(figures);
    }
    println!("{}", tables(&measured));
    let plots = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plots");
    draw(&measured, &plots)
}

/// Bytes of memory that this process ever had, as Linux tells; 0 elsewhere.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
    kibibytes.unwrap_or(0) * 1024
}

const SEED: u64 = 1;
