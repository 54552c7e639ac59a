//! Another process: started in a role, asked line by line, and weighed from outside.

use std::{ffi::OsStr, fs, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// A process that answers each line that it is asked with one. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    /// What it said when it was ready.
    pub(crate) greeting: String,
}

impl Process {
    /// Starts this program in a role, and waits until it is ready.
    pub(crate) async fn play(role: &str, arguments: &[&str]) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?;
        let arguments = [crate::roles::ROLE, role]
            .into_iter()
            .chain(arguments.iter().copied());
        Self::start(&program, arguments).await
    }

    /// Starts a program, and waits until it is ready.
    pub(crate) async fn start(
        program: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdin = child.stdin.take().context("it has a standard input")?;
        let stdout = child.stdout.take().context("it has a standard output")?;
        let mut process = Self {
            child,
            stdin,
            lines: BufReader::new(stdout).lines(),
            greeting: String::new(),
        };
        process.greeting = process.line().await?;
        Ok(process)
    }

    /// Asks for something and waits until it is done; returns what it says.
    pub(crate) async fn ask(&mut self, what: &str) -> anyhow::Result<String> {
        self.tell(what).await?;
        self.line().await
    }

    /// Asks for something without waiting.
    pub(crate) async fn tell(&mut self, what: &str) -> anyhow::Result<()> {
        self.stdin.write_all(format!("{what}\n").as_bytes()).await?;
        Ok(self.stdin.flush().await?)
    }

    /// What it says next.
    pub(crate) async fn line(&mut self) -> anyhow::Result<String> {
        let line = timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.context("a process says nothing")??;
        line.context("a process ended; its own words are above")
    }

    /// Bytes of memory that it holds.
    pub(crate) fn resident(&self) -> anyhow::Result<f64> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: f64 = line
            .and_then(|line| line.trim().strip_suffix(" kB"))
            .context("resident memory is in /proc on Linux only")?
            .trim()
            .parse()?;
        Ok(kib * 1024.0)
    }

    /// Time that it spent on a core.
    pub(crate) fn busy(&self) -> anyhow::Result<Duration> {
        let stat = self.read("stat")?;
        // The name, in brackets, may hold anything.
        let (_, fields) = stat.rsplit_once(')').context("a name in brackets")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let (Some(user), Some(system)) = (fields.get(11), fields.get(12)) else {
            bail!("/proc says {stat:?}")
        };
        let ticks = user.parse::<u64>()? + system.parse::<u64>()?;
        // A tick is a hundredth of a second on every Linux that is configured as usual.
        Ok(Duration::from_millis(ticks * 10))
    }

    fn read(&self, what: &str) -> anyhow::Result<String> {
        let id = self.child.id().context("it has ended")?;
        let path = format!("/proc/{id}/{what}");
        fs::read_to_string(&path).with_context(|| format!("{path}: only Linux has it"))
    }
}

/// A process that takes this long hangs.
const PATIENCE: Duration = Duration::from_secs(90);
