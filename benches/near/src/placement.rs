//! On which cores the two ends run. One call at a time takes ten times as long when every datagram
//! wakes a sleeping core as when it switches between two processes of one core, and left alone the
//! kernel takes now the one and now the other. So one call at a time is measured in both places.

use std::{fmt, fs, process::Command};

use anyhow::{Context, bail, ensure};

/// Where the two ends run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Placement {
    /// Wherever the kernel likes.
    Anywhere,
    /// On a core each, as two machines would.
    Apart,
    /// Both on one core: what a call costs in instructions.
    Together,
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Anywhere => "anywhere",
            Self::Apart => "a core each",
            Self::Together => "one core",
        })
    }
}

/// The cores that this process had at first.
#[derive(Clone, Debug)]
pub(crate) struct Cores {
    list: String,
}

impl Cores {
    pub(crate) fn of_this_process() -> anyhow::Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let line = status.lines().find_map(|line| line.strip_prefix(ALLOWED));
        let list = line.context("the kernel does not say which cores there are")?;
        Ok(Self {
            list: list.trim().to_owned(),
        })
    }

    /// Puts this process there, with every process that it starts from now on, but for servers:
    /// gives their cores.
    pub(crate) fn place(&self, placement: Placement) -> anyhow::Result<String> {
        let first = self.list.split(['-', ',']).next().unwrap_or_default();
        let last = self.list.rsplit(['-', ',']).next().unwrap_or_default();
        let (ours, theirs) = match placement {
            Placement::Anywhere => (self.list.as_str(), self.list.as_str()),
            Placement::Apart if first == last => bail!("there is one core only"),
            Placement::Apart => (first, last),
            Placement::Together => (first, first),
        };
        let this = std::process::id().to_string();
        let done = Command::new(TASKSET)
            .args(["--all-tasks", "--cpu-list", "--pid", ours, &this])
            .output();
        let done = done.with_context(|| format!("no `{TASKSET}` on the PATH"))?;
        ensure!(done.status.success(), "`{TASKSET}`: {}", done.status);
        Ok(theirs.to_owned())
    }
}

/// The program that puts a process on cores.
pub(crate) const TASKSET: &str = "taskset";
const ALLOWED: &str = "Cpus_allowed_list:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ends_cannot_be_apart_on_one_core() {
        let one = Cores {
            list: "3".to_owned(),
        };
        assert!(one.place(Placement::Apart).is_err());
    }
}
