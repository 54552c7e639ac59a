//! The far rows by themselves, or a single run under any conditions.
//!
//! `far` measures everything, `far short` fly-rpc alone, `far baseline` the link alone.
//! `far run PEER [relay] [loss=PER_MILLION] [mbit=RATE] [delay=MS] [rate=CALLS] [size=BYTES]
//! [calls=COUNT] [seeds=COUNT]` is for looking closer.

use std::{env, str::FromStr, time::Duration};

use anyhow::{Context, bail};
use bench_far::{Conditions, Kind, Load, cold, measure, open_loop, take_part_if_asked};
use bench_figures::{Effort, Figure};
use bench_peers::Peer;

fn main() -> anyhow::Result<()> {
    if take_part_if_asked()? {
        return Ok(());
    }
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => tables(Effort::long()),
        ["short"] => tables(Effort::short()),
        ["smoke"] => tables(Effort::smoke()),
        ["baseline"] => baseline(),
        ["run", peer, ref wishes @ ..] => run(peer.parse()?, wishes),
        ["cold", peer] => {
            let taken = cold(Kind::Tun, peer.parse()?, Duration::from_millis(50), 20)?;
            println!(
                "{peer}: a cold call takes {} round trips",
                Figure::of(taken)
            );
            Ok(())
        }
        _ => bail!("far [short | smoke | baseline | cold PEER | run PEER [NAME=VALUE …]]"),
    }
}

fn tables(effort: Effort) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let far = runtime.block_on(measure(effort))?;
    for note in far.notes {
        println!("{note}");
    }
    println!("\n{}", far.table);
    for verdict in far.verdicts {
        println!("{verdict}");
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn baseline() -> anyhow::Result<()> {
    for rate in [1_000, 5_000, 20_000] {
        let delay = Duration::from_millis(50);
        let length = Duration::from_secs(5);
        println!("{}", bench_far::Baseline::measure(delay, rate, length)?);
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn baseline() -> anyhow::Result<()> {
    bail!("a long link for real packets needs Linux")
}

fn run(peer: Peer, wishes: &[&str]) -> anyhow::Result<()> {
    let kind = if wishes.contains(&"relay") {
        Kind::Relay
    } else {
        Kind::Tun
    };
    let mut conditions = Conditions::of_delay(Duration::from_millis(wish(wishes, "delay", 50)?));
    conditions.loss = wish(wishes, "loss", 0)?;
    let mbit: u64 = wish(wishes, "mbit", 0)?;
    if mbit > 0 {
        conditions.rate = Some(mbit * 1_000_000);
        // As long as the round trip: what routers are advised to have.
        conditions.queue = mbit * 125 * 2 * conditions.delay.as_millis() as u64;
    }
    let load = Load {
        rate: wish(wishes, "rate", 1_000)?,
        size: wish(wishes, "size", 64)?,
        warm_up: wish(wishes, "warm-up", 2_000)?,
        calls: wish(wishes, "calls", 10_000)?,
    };
    let mut runs = Vec::new();
    for seed in 1..=wish(wishes, "seeds", 3)? {
        let taken = open_loop(kind, peer, conditions, &load, seed)?;
        eprintln!("seed {seed}: {}", taken.link);
        runs.push(taken);
    }
    let of = |of| Figure::of(runs.iter().map(|run| run.quantile(of)));
    println!(
        "{peer}: p50 {:.3}, p90 {:.3}, p99 {:.3}, at most {:.3} round trips",
        of(0.5),
        of(0.9),
        of(0.99),
        of(1.0)
    );
    Ok(())
}

/// What is said of `name`, or what holds unless it is.
fn wish<T: FromStr>(wishes: &[&str], name: &str, otherwise: T) -> anyhow::Result<T> {
    let said = wishes
        .iter()
        .find_map(|wish| wish.strip_prefix(name)?.strip_prefix('='));
    match said {
        None => Ok(otherwise),
        Some(value) => value
            .parse()
            .ok()
            .with_context(|| format!("{name}={value:?} is no number")),
    }
}
