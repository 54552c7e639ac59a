//! How far one node goes: peers, functions, calls pending, nodes to choose from.
//!
//! Whatever is weighed is a process of its own, which does nothing else: the memory that the
//! operating system says it has is then attributable, and the difference between two loads is what
//! the load costs.

mod crowd;
mod functions;
mod pending;
mod process;
mod report;
mod resolution;
mod roles;

use bench_figures::Effort;

pub use report::Scale;
pub use roles::play_if_asked;

/// Measures everything; the short form only what promises are about. The program that calls this
/// must call [`play_if_asked`] first thing: the other processes are the same program.
///
/// # Errors
/// Whatever keeps a process from starting. What was left out, and why, is in the result.
pub async fn measure(effort: Effort) -> anyhow::Result<Scale> {
    let mut scale = Scale {
        resolution: resolution::measure(effort),
        ..Scale::default()
    };
    scale.crowd = scale.keep("peers", crowd::measure(effort).await);
    if effort.whole {
        scale.pending = scale.keep("calls pending", pending::measure().await);
        scale.functions = scale
            .keep("functions", functions::measure().await)
            .unwrap_or_default();
    }
    Ok(scale)
}
