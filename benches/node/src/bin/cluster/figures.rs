//! What was measured of a cluster, as tables and plots.

use std::{fmt::Write, path::Path, time::Duration};

use bench_figures::{Axis, Lines};

/// What was measured of one cluster. Times are simulated where nothing else is said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) size: usize,
    /// Until all know all, from the start of all at once.
    pub(crate) joined: Option<Duration>,
    /// Until all know what a new build serves, from the start of its first node.
    pub(crate) announced: Option<Duration>,
    /// Until nobody would call any of a tenth that died at once.
    pub(crate) buried: Option<Duration>,
    /// Of a call into any region, from nodes most of which are not connected with it.
    pub(crate) call: Option<Duration>,
    pub(crate) joining: Rates,
    pub(crate) at_rest: Rates,
    pub(crate) dying: Rates,
    /// Of a node at rest: on average, and of the one that has most.
    pub(crate) connections: (f64, usize),
    /// Of a node for a call, real time.
    pub(crate) resolution: Option<Duration>,
    /// Real time of the whole simulation.
    pub(crate) took: Duration,
    /// Bytes of memory that it had at most.
    pub(crate) memory: u64,
}

/// Bytes that a node sends in a second: on average over all nodes, and the one that sends most.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rates {
    /// UDP payloads: gossip and all else, handshakes and QUIC's headers included.
    pub(crate) all: (f64, f64),
    /// Of gossip alone.
    pub(crate) gossip: (f64, f64),
}

/// The tables of FLEET.md.
pub(crate) fn tables(measured: &[Figures]) -> String {
    let mut text = String::from(
        "| nodes | all know all | a new function is known to all | the dead are gone from all routing | connections | resolution | slowest first call |\n|---|---|---|---|---|---|---|\n",
    );
    for figures in measured {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {:.1} (most {}) | {} | {} |",
            figures.size,
            seconds(figures.joined),
            seconds(figures.announced),
            seconds(figures.buried),
            figures.connections.0,
            figures.connections.1,
            figures
                .resolution
                .map_or_else(|| "-".to_owned(), |time| format!("{} ns", time.as_nanos())),
            seconds(figures.call),
        );
    }
    text.push_str(
        "\n| nodes | gossip, joining | at rest | while a tenth dies | all, joining | at rest | while a tenth dies | took | memory |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for figures in measured {
        let rate = |(mean, most): (f64, f64)| format!("{mean:.0} (most {most:.0})");
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {:.0} s | {:.1} GB |",
            figures.size,
            rate(figures.joining.gossip),
            rate(figures.at_rest.gossip),
            rate(figures.dying.gossip),
            rate(figures.joining.all),
            rate(figures.at_rest.all),
            rate(figures.dying.all),
            figures.took.as_secs_f64(),
            figures.memory as f64 / 1e9,
        );
    }
    text
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or_else(
        || "not within the time".to_owned(),
        |time| format!("{:.2} s", time.as_secs_f64()),
    )
}

/// The plots of FLEET.md.
pub(crate) fn draw(measured: &[Figures], folder: &Path) -> anyhow::Result<()> {
    let line = |value: &dyn Fn(&Figures) -> f64| -> Vec<(f64, f64)> {
        measured
            .iter()
            .map(|figures| (figures.size as f64, value(figures)))
            .filter(|(_, value)| value.is_finite() && *value > 0.0)
            .collect()
    };
    let time = |time: Option<Duration>| time.map_or(f64::NAN, |time| time.as_secs_f64());
    let times = Lines::new(
        "How long news takes among whole nodes",
        Axis::log("nodes"),
        Axis::linear("seconds"),
    )
    .line("all know all", line(&|figures| time(figures.joined)))
    .line("the dead are gone", line(&|figures| time(figures.buried)))
    .line("a new function", line(&|figures| time(figures.announced)));
    let bytes = Lines::new(
        "What a whole node sends",
        Axis::log("nodes"),
        Axis::log("bytes per second"),
    )
    .line("all, joining", line(&|figures| figures.joining.all.0))
    .line("all, at rest", line(&|figures| figures.at_rest.all.0))
    .line("gossip, joining", line(&|figures| figures.joining.gossip.0))
    .line("gossip, at rest", line(&|figures| figures.at_rest.gossip.0));
    for (name, plot) in [("cluster-times", times), ("cluster-bytes", bytes)] {
        std::fs::write(folder.join(format!("{name}.svg")), plot.draw())?;
    }
    Ok(())
}
