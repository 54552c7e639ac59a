//! `cargo run --release -p bench-node --bin fleet [SIZE…]`: what gossip costs in clusters of 10, 100 and
//! 1 000 nodes, and how long its news takes. Prints the table of FLEET.md and draws its plots.
//!
//! The gossipers are the real ones, the network is a model: see `fly-rpc/src/membership/model.rs`.

use std::{path::Path, time::Duration};

use anyhow::Context;
use bench_figures::{Axis, Lines};
use fly_rpc::bench::gossip::{Figures, measure};

fn main() -> anyhow::Result<()> {
    let mut sizes: Vec<usize> = std::env::args()
        .skip(1)
        .map(|size| size.parse().context("a number of nodes"))
        .collect::<Result<_, _>>()?;
    if sizes.is_empty() {
        sizes = vec![10, 100, 1_000];
    }
    println!(
        "| nodes | all know all | news reaches all | the dead are gone | bytes/s, joining | at rest | while a tenth dies | connections | made per minute |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut measured = Vec::new();
    for size in sizes {
        let figures = measure(size);
        println!("| {size} | {} |", cells(&figures));
        measured.push((size as f64, figures));
    }
    draw(&measured)
}

fn cells(figures: &Figures) -> String {
    let Figures {
        joined,
        buried,
        spread,
        bytes,
        most_bytes,
        connections,
        handshakes,
    } = figures;
    let time = |time: &Option<Duration>| match time {
        Some(time) => format!("{:.2} s", time.as_secs_f64()),
        None => "not within the time".to_owned(),
    };
    let rate = |phase: usize| format!("{:.0} (most {:.0})", bytes[phase], most_bytes[phase]);
    [
        time(joined),
        time(spread),
        time(buried),
        rate(0),
        rate(1),
        rate(2),
        format!("{:.1} (most {})", connections.0, connections.1),
        format!("{:.0}", handshakes * 60.0),
    ]
    .join(" | ")
}

fn draw(measured: &[(f64, Figures)]) -> anyhow::Result<()> {
    let seconds = |time: Option<Duration>| time.map_or(f64::NAN, |time| time.as_secs_f64());
    let line = |value: &dyn Fn(&Figures) -> f64| -> Vec<(f64, f64)> {
        measured
            .iter()
            .map(|(size, figures)| (*size, value(figures)))
            .filter(|(_, value)| value.is_finite() && *value > 0.0)
            .collect()
    };
    let times = Lines::new(
        "How long news takes",
        Axis::log("nodes"),
        Axis::linear("seconds"),
    )
    .line("all know all", line(&|figures| seconds(figures.joined)))
    .line(
        "the dead are gone",
        line(&|figures| seconds(figures.buried)),
    )
    .line("news reaches all", line(&|figures| seconds(figures.spread)));
    let bytes = Lines::new(
        "What a node sends",
        Axis::log("nodes"),
        Axis::log("bytes per second"),
    )
    .line("while all join", line(&|figures| figures.bytes[0]))
    .line("at rest", line(&|figures| figures.bytes[1]))
    .line("while a tenth dies", line(&|figures| figures.bytes[2]));
    let plots = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plots");
    for (name, plot) in [("fleet-times", times), ("fleet-bytes", bytes)] {
        std::fs::write(plots.join(format!("{name}.svg")), plot.draw())?;
    }
    Ok(())
}
