//! The three processes, one for each region, and what a deploy does to them.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::watch,
    time::timeout,
};

/// Where a process runs. The first is the primary's.
pub(crate) const REGIONS: [&str; 3] = ["syd", "lax", "cdg"];
pub(crate) const PRIMARY: usize = 0;

/// The process of one region, which is replaced and keeps its ports.
pub(crate) struct Machine {
    region: &'static str,
    directory: PathBuf,
    pub(crate) http: u16,
    metrics: u16,
    /// False from right before the process is stopped until its successor is ready.
    pub(crate) is_up: watch::Sender<bool>,
    process: Option<(Child, Child)>,
    started: u32,
}

impl Machine {
    pub(crate) async fn start(region: &'static str, directory: &Path) -> anyhow::Result<Self> {
        let mut machine = Self {
            region,
            directory: directory.to_owned(),
            http: 0,
            metrics: 0,
            is_up: watch::Sender::new(false),
            process: None,
            started: 0,
        };
        machine.run().await?;
        Ok(machine)
    }

    /// Starts a process where none runs, and waits until it takes visitors.
    pub(crate) async fn run(&mut self) -> anyhow::Result<()> {
        self.started += 1;
        let log = self
            .directory
            .join(format!("{}-{}.log", self.region, self.started));
        let mut process = Command::new(env!("CARGO_BIN_EXE_guestbook"))
            .env_clear()
            .env("XDG_RUNTIME_DIR", &self.directory)
            .env("FLY_RPC_CLUSTER", "guestbook")
            .env("FLY_RPC_NODE_ID", format!("{}-1", self.region))
            .env("MY_REGION", self.region)
            .env("PRIMARY_REGION", REGIONS[PRIMARY])
            .env("HTTP_ADDRESS", format!("127.0.0.1:{}", self.http))
            .env("METRICS_ADDRESS", format!("127.0.0.1:{}", self.metrics))
            .env("DATABASE", self.directory.join("book.db"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(log)?)
            .kill_on_drop(true)
            .spawn()?;
        let said = BufReader::new(process.stdout.take().context("a standard output")?);
        let guard = guard(&process)?;
        self.process = Some((process, guard));
        let line = timeout(PATIENCE, said.lines().next_line()).await??;
        let line = line.with_context(|| format!("the process in {} ended", self.region))?;
        let port = |number: usize| -> Option<u16> {
            let address = line.split("http://127.0.0.1:").nth(number)?;
            address.split('/').next()?.parse().ok()
        };
        self.http = port(1).with_context(|| line.clone())?;
        self.metrics = port(2).with_context(|| line.clone())?;
        self.is_up.send_replace(true);
        Ok(())
    }

    /// What a deploy does: SIGTERM, the end of the process, and another one in its place.
    pub(crate) async fn replace(&mut self) -> anyhow::Result<()> {
        self.stop().await?;
        self.run().await
    }

    /// Lets the process end as a deploy does.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        self.is_up.send_replace(false);
        let (mut process, _guard) = self.process.take().context("no process runs")?;
        let id = process.id().context("it ended by itself")?.to_string();
        let told = Command::new("sh")
            .args(["-c", "kill -TERM $0", &id])
            .status()
            .await?;
        ensure!(
            told.success(),
            "the process in {} cannot be told",
            self.region
        );
        let ended = timeout(KILL_TIMEOUT, process.wait()).await;
        let ended = ended
            .with_context(|| format!("the process in {} outlives kill_timeout", self.region))??;
        ensure!(
            ended.success(),
            "the process in {} ended with {ended}",
            self.region
        );
        Ok(())
    }

    /// Kills the process without a word of warning.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        self.is_up.send_replace(false);
        let (mut process, _guard) = self.process.take().context("no process runs")?;
        Ok(process.kill().await?)
    }

    /// What Prometheus reads.
    pub(crate) fn metrics(&self) -> u16 {
        self.metrics
    }
}

/// A shell that kills the process when this test's process is gone, however that ended.
fn guard(process: &Child) -> anyhow::Result<Child> {
    let id = process.id().context("it ended at once")?.to_string();
    let guard = Command::new("sh")
        .args(["-c", "read -r _; kill -KILL $0", &id])
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    Ok(guard)
}

/// As in fly.toml.
const KILL_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a process may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
