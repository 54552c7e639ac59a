//! The two runtimes that figures are taken on. The same one runs in both processes.

use std::{fmt, str::FromStr};

use anyhow::bail;
use tokio::runtime;

/// A shape of tokio's runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// Everything on one thread: what the protocol costs.
    CurrentThread,
    /// Two workers, as a small machine has: what crossing threads adds.
    TwoWorkers,
}

impl Runtime {
    /// Both.
    pub const ALL: [Self; 2] = [Self::CurrentThread, Self::TwoWorkers];

    /// Those that the command line names, or both: `cargo bench --bench remote -- two-workers`.
    pub fn asked_for() -> Vec<Self> {
        let named: Vec<Self> = std::env::args()
            .filter_map(|name| name.parse().ok())
            .collect();
        if named.is_empty() {
            Self::ALL.to_vec()
        } else {
            named
        }
    }

    /// A runtime of this shape.
    ///
    /// # Errors
    /// The operating system's.
    pub fn build(self) -> anyhow::Result<runtime::Runtime> {
        let mut builder = match self {
            Self::CurrentThread => runtime::Builder::new_current_thread(),
            Self::TwoWorkers => runtime::Builder::new_multi_thread(),
        };
        if self == Self::TwoWorkers {
            builder.worker_threads(2);
        }
        Ok(builder.enable_all().build()?)
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::CurrentThread => "current-thread",
            Self::TwoWorkers => "two-workers",
        })
    }
}

impl FromStr for Runtime {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match Self::ALL.iter().find(|shape| shape.to_string() == text) {
            Some(shape) => Ok(*shape),
            None => bail!("no runtime is called {text:?}"),
        }
    }
}
