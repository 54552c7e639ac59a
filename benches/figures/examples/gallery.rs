//! Draws one plot of each kind from invented figures into the directory that is named, to be looked
//! at when the drawing changes: `cargo run -p bench-figures --example gallery -- /tmp`.

use std::{env, fs, path::PathBuf};

use bench_figures::{Axis, Bars, Figure, Lines};

fn main() -> anyhow::Result<()> {
    let directory = PathBuf::from(env::args().nth(1).unwrap_or_else(|| ".".to_owned()));
    let figure = |median: f64| {
        Some(Figure {
            median,
            low: median * 0.9,
            high: median * 1.15,
        })
    };
    let peers = [
        "fly-rpc",
        "quic-mux",
        "tarpc",
        "tarpc-tls",
        "tonic",
        "irpc",
        "erpc",
    ];
    let bars = Bars::new(
        "64-byte echo, two-worker runtime (invented)",
        Axis::linear("calls/s"),
        peers,
    )
    .group(
        "c = 1",
        [9.7e3, 9.9e3, 10.5e3, 9.8e3, 8e3, 11e3, 9.3e3].map(figure),
    )
    .group(
        "c = 64",
        [230e3, 279e3, 163e3, 143e3, 43e3, 105e3, 86e3].map(figure),
    )
    .group(
        "c = 256",
        [360e3, 408e3, 177e3, 160e3, 48e3, 124e3]
            .map(figure)
            .into_iter()
            .chain([None]),
    );
    fs::write(directory.join("bars.svg"), bars.draw())?;
    let hundredths = [1.0, 50.0, 90.0, 99.0, 99.9];
    let line = |values: [f64; 5]| hundredths.into_iter().zip(values);
    let lines = Lines::new(
        "100 ms round trip, 1 % loss (invented)",
        Axis::percentile("hundredths of the calls that were at most as slow"),
        Axis::log("round trips"),
    )
    .line("fly-rpc", line([1.0, 1.01, 1.02, 2.04, 2.2]))
    .line("tarpc-tls", line([1.0, 1.57, 2.02, 2.9, 4.1]))
    .line("irpc", line([1.01, 1.85, 3.47, 5.15, 8.0]))
    .mark(2.1, "target for the 99th");
    fs::write(directory.join("lines.svg"), lines.draw())?;
    Ok(())
}
