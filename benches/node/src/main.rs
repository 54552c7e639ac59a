//! `cargo run --release -p bench-node [short]`: the scale of one node, by itself.

use std::env;

use anyhow::Context;
use bench_figures::Effort;

fn main() -> anyhow::Result<()> {
    if bench_node::play_if_asked()? {
        return Ok(());
    }
    let effort = match env::args().nth(1).as_deref() {
        Some("short") => Effort::short(),
        _ => Effort::long(),
    };
    let runtime = tokio::runtime::Runtime::new().context("a runtime")?;
    let scale = runtime.block_on(bench_node::measure(effort))?;
    println!("{scale}");
    for verdict in scale.verdicts() {
        println!("{verdict}");
    }
    Ok(())
}
