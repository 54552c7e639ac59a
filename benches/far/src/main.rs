//! The far rows by themselves: `far [baseline] [cold] [loss per million …]`.

use std::{env, time::Duration};

use bench_far::{Baseline, Conditions, Kind, Load, cold, open_loop, take_part_if_asked};
use bench_figures::Figure;
use bench_peers::Peer;

fn main() -> anyhow::Result<()> {
    if take_part_if_asked()? {
        return Ok(());
    }
    let arguments: Vec<String> = env::args().skip(1).collect();
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let delay = Duration::from_millis(50);
    let kind = if has("relay") { Kind::Relay } else { Kind::Tun };
    if has("baseline") {
        for rate in [1_000, 5_000, 20_000] {
            println!(
                "{}",
                Baseline::measure(delay, rate, Duration::from_secs(5))?
            );
        }
    }
    let mut named: Vec<Peer> = arguments.iter().filter_map(|a| a.parse().ok()).collect();
    if named.is_empty() {
        named = Peer::ALL.to_vec();
    }
    let seeds = env::var("SEEDS")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(3);
    for peer in named {
        if has("cold") {
            println!("{peer} cold {}", Figure::of(cold(kind, peer, delay, 20)?));
        }
        for loss in arguments.iter().filter_map(|a| a.parse::<u32>().ok()) {
            let load = Load {
                rate: 1000,
                size: 64,
                warm_up: 2000,
                calls: 10_000,
            };
            let mut runs = Vec::new();
            for seed in 1..=seeds {
                let conditions = Conditions::of_delay(delay).losing(loss);
                let far = open_loop(kind, peer, conditions, &load, seed)?;
                println!(
                    "  {peer} {loss} ppm seed {seed}: {:.3} {:.3} {:.3} {:.3}",
                    far.p50, far.p90, far.p99, far.most
                );
                runs.push(far);
            }
            println!(
                "{peer} {loss} ppm: p50 {:.3} p90 {:.3} p99 {:.3} max {:.3}",
                Figure::of(runs.iter().map(|r| r.p50)),
                Figure::of(runs.iter().map(|r| r.p90)),
                Figure::of(runs.iter().map(|r| r.p99)),
                Figure::of(runs.iter().map(|r| r.most))
            );
        }
    }
    Ok(())
}
