//! One process of the fleet, and the lines that the test exchanges with it.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use super::plan::{Build, Machine, Region};
use crate::history::Journal;

/// A process. It is killed when this is dropped, and ends by itself when its standard input does, so that it outlives
/// neither the test nor the test's process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) machine: Machine,
    pub(super) build: Build,
    child: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts a process with an environment of its own: a node in development mode that finds only its fleet.
    pub(super) fn spawn(
        binary: &Path,
        directory: &Path,
        machine: Machine,
        build: Build,
        number: u32,
    ) -> anyhow::Result<Self> {
        let journal = format!(
            "{number:02}-{}-{build}.{}",
            machine.name,
            Journal::EXTENSION
        );
        let mut child = Command::new(binary)
            .env_clear()
            .env("XDG_RUNTIME_DIR", directory)
            .env("FLY_RPC_CLUSTER", "rollout")
            .env("FLY_RPC_NODE_ID", machine.name)
            .env("FLY_REGION", machine.region.name())
            .env("PRIMARY_REGION", Region::PRIMARY.name())
            .env("FLY_IMAGE_REF", build.to_string())
            .env("ROLLOUT_PROCESS", number.to_string())
            .env("ROLLOUT_JOURNAL", directory.join(journal))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be run", binary.display()))?;
        let commands = child
            .stdin
            .take()
            .context("it was asked for a standard input")?;
        let answers = child
            .stdout
            .take()
            .context("it was asked for a standard output")?;
        Ok(Self {
            machine,
            build,
            child,
            commands,
            answers: BufReader::new(answers).lines(),
        })
    }

    /// Gives a command and waits until it is carried out.
    pub(super) async fn ask(&mut self, command: &str) -> anyhow::Result<()> {
        self.tell(command).await?;
        self.done(command).await
    }

    /// Gives a command.
    pub(super) async fn tell(&mut self, command: &str) -> anyhow::Result<()> {
        let given = self
            .commands
            .write_all(format!("{command}\n").as_bytes())
            .await;
        given.with_context(|| format!("{} takes no commands", self.machine.name))
    }

    /// Waits until a command that was given is carried out.
    pub(super) async fn done(&mut self, command: &str) -> anyhow::Result<()> {
        self.expect("done")
            .await
            .with_context(|| format!("it was asked to {command:?}"))
    }

    /// Waits for an answer, which must be this one.
    pub(super) async fn expect(&mut self, expected: &str) -> anyhow::Result<()> {
        let name = self.machine.name;
        let answer = timeout(PATIENCE, self.answers.next_line()).await;
        let answer = answer.with_context(|| format!("{name} does not answer"))??;
        let answer = answer.with_context(|| format!("{name} ended"))?;
        ensure!(
            answer == expected,
            "{name} should say {expected:?} and says {answer:?}"
        );
        Ok(())
    }

    /// Lets it finish what it runs, and waits for its end.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.ask("stop").await?;
        let status = timeout(PATIENCE, self.child.wait())
            .await
            .context("it does not end")??;
        ensure!(
            status.success(),
            "{} ended with {status}",
            self.machine.name
        );
        Ok(())
    }

    /// Kills it (`SIGKILL`) without a word of warning.
    pub(super) fn start_kill(&mut self) -> anyhow::Result<()> {
        Ok(self.child.start_kill()?)
    }

    /// Waits for the end of a process that was killed.
    pub(super) async fn killed(mut self) -> anyhow::Result<()> {
        let status = timeout(PATIENCE, self.child.wait())
            .await
            .context("it does not die")??;
        ensure!(
            !status.success(),
            "{} ended before it was killed",
            self.machine.name
        );
        Ok(())
    }
}

/// How long a command may take. The longest is to notice the dead: 12 s of silence, by default.
const PATIENCE: Duration = Duration::from_secs(45);
