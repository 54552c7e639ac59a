//! A process that a test runs, and the lines that they exchange.
//!
//! The test gives commands, the process answers each when it has carried it out; so the test knows when something has
//! happened, and nothing sleeps to synchronise.

use std::{io::BufRead, process::Stdio, time::Duration};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{self, ChildStdin, ChildStdout, Command},
    sync::mpsc,
    time::timeout,
};

/// A process. It is killed when this is dropped, and ends by itself when its standard input does, so that it outlives
/// neither the test nor the test's process.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: process::Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    /// Lets it go on, if it is stopped.
    guard: Option<process::Child>,
}

impl Child {
    /// Starts a process. The name is for what goes wrong.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn spawn(name: impl Into<String>, command: &mut Command) -> anyhow::Result<Self> {
        let name = name.into();
        let spawned = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut process = spawned.with_context(|| format!("{name} cannot be run: {command:?}"))?;
        let commands = process
            .stdin
            .take()
            .context("it was asked for a standard input")?;
        let answers = process
            .stdout
            .take()
            .context("it was asked for a standard output")?;
        Ok(Self {
            name,
            process,
            commands,
            answers: BufReader::new(answers).lines(),
            guard: None,
        })
    }

    /// The id of the process, while it runs.
    pub fn process(&self) -> Option<u32> {
        self.process.id()
    }

    /// Gives a command and waits until it is carried out.
    ///
    /// # Errors
    /// A process that ended, or answers something else.
    pub async fn ask(&mut self, command: &str) -> anyhow::Result<()> {
        self.tell(command).await?;
        self.done(command).await
    }

    /// Gives a command.
    ///
    /// # Errors
    /// A process that ended.
    pub async fn tell(&mut self, command: &str) -> anyhow::Result<()> {
        let given = self
            .commands
            .write_all(format!("{command}\n").as_bytes())
            .await;
        given.with_context(|| format!("{} takes no commands", self.name))
    }

    /// Waits until a command that was given is carried out.
    ///
    /// # Errors
    /// A process that ended, or answers something else.
    pub async fn done(&mut self, command: &str) -> anyhow::Result<()> {
        self.expect("done")
            .await
            .with_context(|| format!("it was asked to {command:?}"))
    }

    /// Waits for an answer, which must be this one.
    ///
    /// # Errors
    /// A process that ended, or answers something else.
    pub async fn expect(&mut self, expected: &str) -> anyhow::Result<()> {
        let answer = self.answer().await?;
        ensure!(
            answer == expected,
            "{} should say {expected:?} and says {answer:?}",
            self.name
        );
        Ok(())
    }

    /// Waits for an answer.
    ///
    /// # Errors
    /// A process that ended.
    pub async fn answer(&mut self) -> anyhow::Result<String> {
        let answer = timeout(PATIENCE, self.answers.next_line()).await;
        let answer = answer.with_context(|| format!("{} does not answer", self.name))??;
        answer.with_context(|| format!("{} ended", self.name))
    }

    /// Waits for the end of a process that was told to stop and said that it did.
    ///
    /// # Errors
    /// A process that does not end, or not well.
    pub async fn ended(mut self) -> anyhow::Result<()> {
        let status = timeout(PATIENCE, self.process.wait()).await;
        let status = status.with_context(|| format!("{} does not end", self.name))??;
        ensure!(status.success(), "{} ended with {status}", self.name);
        Ok(())
    }

    /// Stops it in mid-motion (`SIGSTOP`), until it [continues](Self::resume). If the test's process dies first, it
    /// continues too, and then ends.
    ///
    /// # Errors
    /// A process that ended.
    pub async fn pause(&mut self) -> anyhow::Result<()> {
        let process = self.process.id();
        let process = process.with_context(|| format!("{} ended", self.name))?;
        // A shell has `kill` built in; this one waits for the end of its standard input.
        let mut guard = Command::new("sh")
            .arg("-c")
            .arg(STOP)
            .arg(process.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A process that was killed meanwhile is none to it.
            .stderr(Stdio::null())
            .spawn()?;
        let answers = guard.stdout.take();
        let answers = answers.context("it was asked for a standard output")?;
        let answer = BufReader::new(answers).lines().next_line().await?;
        ensure!(answer.is_some(), "{} cannot be stopped", self.name);
        self.guard = Some(guard);
        Ok(())
    }

    /// Lets it go on (`SIGCONT`) as if nothing had happened.
    ///
    /// # Errors
    /// A process that was not [stopped](Self::pause), or ended.
    pub async fn resume(&mut self) -> anyhow::Result<()> {
        let guard = self.guard.take();
        let mut guard = guard.with_context(|| format!("{} is not stopped", self.name))?;
        drop(guard.stdin.take());
        ensure!(guard.wait().await?.success(), "{} ended", self.name);
        Ok(())
    }

    /// Kills it (`SIGKILL`) without a word of warning.
    ///
    /// # Errors
    /// A process that ended.
    pub fn start_kill(&mut self) -> anyhow::Result<()> {
        Ok(self.process.start_kill()?)
    }

    /// Waits for the end of a process that was killed.
    ///
    /// # Errors
    /// A process that ended by itself before.
    pub async fn killed(mut self) -> anyhow::Result<()> {
        let status = timeout(PATIENCE, self.process.wait()).await;
        let status = status.with_context(|| format!("{} does not die", self.name))??;
        ensure!(
            !status.success(),
            "{} ended before it was killed",
            self.name
        );
        Ok(())
    }
}

/// In the process: the commands, which are the lines of its standard input. When that ends, the test is gone, and so is
/// the process.
pub fn commands() -> mpsc::UnboundedReceiver<String> {
    let (sender, commands) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            // Fails only when the process ends already.
            let _ = sender.send(line);
        }
        std::process::exit(1);
    });
    commands
}

/// In the process: what its test put into the environment.
///
/// # Errors
/// If it is not there.
pub fn variable(name: &str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set: this program is run by a test"))
}

/// Stops a process and lets it go on when the standard input ends. The signal is taken by one of its threads, and on a busy
/// machine the others run on until that one is scheduled: it is stopped when all of them are.
const STOP: &str = "kill -STOP $0 &&
    while grep -h ^State: /proc/$0/task/*/status | grep -qv T; do :; done &&
    echo stopped; read -r _; kill -CONT $0";
/// How long a command may take. The longest is to notice the dead: 12 s of silence, by default.
const PATIENCE: Duration = Duration::from_secs(45);
