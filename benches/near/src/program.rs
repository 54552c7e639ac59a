//! The program of its own: `near [short|all] [runtime…] [peer…]`.

use std::env;

use anyhow::{Context, bail};
use bench_figures::{Effort, Runtime};

use crate::{run::measure, server::serve_if_asked};

/// Measures what the command line names, or the short form on both runtimes with all peers, and
/// prints it.
///
/// # Errors
/// An argument that is none of these.
pub fn program() -> anyhow::Result<()> {
    if serve_if_asked()? {
        return Ok(());
    }
    let mut effort = Effort::short();
    let (mut runtimes, mut peers) = (Vec::new(), Vec::new());
    for argument in env::args().skip(1) {
        if let Ok(runtime) = argument.parse() {
            runtimes.push(runtime);
        } else if let Ok(peer) = argument.parse() {
            peers.push(peer);
        } else if let Some(rounds) = argument.strip_prefix("rounds=") {
            effort.rounds = rounds.parse().context("a number of rounds")?;
        } else {
            effort = match argument.as_str() {
                "short" => Effort::short(),
                "all" => Effort::long(),
                _ => bail!("{argument:?} is no runtime, no peer, and neither short nor all"),
            };
        }
    }
    if runtimes.is_empty() {
        runtimes.extend(Runtime::ALL);
    }
    let near = measure(&effort, &runtimes, &peers)?;
    for (heading, table) in near.tables() {
        println!("\n{heading}\n\n{table}");
    }
    for verdict in near.verdicts() {
        if verdict.figure.is_known() {
            println!("{verdict}");
        }
    }
    for missing in &near.missing {
        println!("missing: {missing}");
    }
    Ok(())
}
