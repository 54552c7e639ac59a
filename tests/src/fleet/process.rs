//! One process of the fleet.

use std::path::Path;

use tokio::process::Command;

use super::plan::{Build, Machine, Region};
use crate::{child::Child, history::Journal};

/// A process, and what it stands for.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) machine: Machine,
    pub(super) build: Build,
    pub(super) child: Child,
}

impl Process {
    /// Starts a process with an environment of its own: a node in development mode that finds only its fleet.
    pub(super) fn spawn(
        binary: &Path,
        directory: &Path,
        machine: Machine,
        build: Build,
        number: u32,
        gossip: bool,
    ) -> anyhow::Result<Self> {
        let journal = format!(
            "{number:02}-{}-{build}.{}",
            machine.name,
            Journal::EXTENSION
        );
        let mut command = Command::new(binary);
        command
            .env_clear()
            .env("XDG_RUNTIME_DIR", directory)
            .env("FLY_RPC_CLUSTER", "rollout")
            .env("FLY_RPC_NODE_ID", machine.name)
            .env("FLY_REGION", machine.region.name())
            .env("PRIMARY_REGION", Region::PRIMARY.name())
            .env("FLY_IMAGE_REF", build.to_string())
            .env("FLY_RPC_GOSSIP", if gossip { "on" } else { "off" })
            .env("ROLLOUT_PROCESS", number.to_string())
            .env("ROLLOUT_JOURNAL", directory.join(journal));
        Ok(Self {
            machine,
            build,
            child: Child::spawn(machine.name, &mut command)?,
        })
    }

    /// Lets it finish what it runs, and waits for its end.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.child.ask("stop").await?;
        self.child.ended().await
    }
}
