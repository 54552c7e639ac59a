//! A fleet of real processes, and what a deploy does to it: replace one after the other, or lose some.
//!
//! The test decides what happens when, and waits for each process to say that it did. Nothing here sleeps to synchronise.

mod plan;
mod process;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};

pub use plan::{Build, Chapter, Machine, Phase, Region};
use process::Process;

/// The processes that run, and the phases that were.
#[derive(Debug)]
pub struct Fleet {
    directory: PathBuf,
    binary: fn(Build) -> PathBuf,
    processes: Vec<Process>,
    phases: Vec<Phase>,
    started: u32,
    gossip: bool,
}

impl Fleet {
    /// Starts the old build on every machine, with or without gossip. Journals and everything else that is written goes
    /// to `directory`.
    ///
    /// # Errors
    /// A process that does not start.
    pub async fn start(
        directory: PathBuf,
        binary: fn(Build) -> PathBuf,
        machines: &[Machine],
        gossip: bool,
    ) -> anyhow::Result<Self> {
        let mut fleet = Self {
            directory,
            binary,
            processes: Vec::new(),
            phases: Vec::new(),
            started: 0,
            gossip,
        };
        for machine in machines {
            fleet.spawn(*machine, Build::Old)?;
        }
        for process in &mut fleet.processes {
            process.child.expect("ready").await?;
        }
        Ok(fleet)
    }

    /// A phase in which nothing changes: begins when everybody sees everybody else and nobody besides, ends when every
    /// process has made and settled enough calls of every kind in it.
    ///
    /// # Errors
    /// A process that sees others than it should, or whose traffic stands still.
    pub async fn steady(&mut self, chapter: Chapter) -> anyhow::Result<()> {
        self.see_each_other().await?;
        self.enter(chapter, true).await?;
        self.ask_all("work").await
    }

    /// Replaces the process of a machine under traffic, as a deploy does: drain, stop, start.
    ///
    /// # Errors
    /// A process that does not drain to the end, or does not start.
    pub async fn replace(&mut self, machine: Machine, build: Build) -> anyhow::Result<()> {
        self.enter(Chapter::Replacement, false).await?;
        self.take(machine)?.stop().await?;
        let process = self.spawn(machine, build)?;
        process.child.expect("ready").await?;
        let phase = self.phases.len() - 1;
        self.last()?.child.ask(&format!("phase {phase}")).await?;
        self.see_each_other().await
    }

    /// Kills the processes of some machines under traffic, and waits until nobody else is connected to them any more.
    /// Returns how long that took.
    ///
    /// # Errors
    /// A process that stays connected to a dead one.
    pub async fn kill(&mut self, machines: &[Machine]) -> anyhow::Result<Duration> {
        self.enter(Chapter::Killed, false).await?;
        let mut victims = Vec::new();
        for machine in machines {
            victims.push(self.take(*machine)?);
        }
        // All at once, before any is waited for.
        victims
            .iter_mut()
            .try_for_each(|victim| victim.child.start_kill())?;
        let begun = Instant::now();
        for victim in victims {
            victim.child.killed().await?;
        }
        self.see_each_other().await?;
        Ok(begun.elapsed())
    }

    /// Ends the traffic, lets every call settle, and stops all processes. Returns the phases that were.
    ///
    /// # Errors
    /// A process that does not stop.
    pub async fn rest(mut self) -> anyhow::Result<Vec<Phase>> {
        self.ask_all("rest").await?;
        for process in self.processes {
            process.stop().await?;
        }
        Ok(self.phases)
    }

    /// Begins a phase; when this returns, every process has begun it.
    async fn enter(&mut self, chapter: Chapter, steady: bool) -> anyhow::Result<()> {
        let builds = self
            .processes
            .iter()
            .map(|process| (process.machine.region, process.build));
        self.phases.push(Phase {
            chapter,
            steady,
            builds: builds.collect(),
        });
        self.ask_all(&format!("phase {}", self.phases.len() - 1))
            .await
    }

    /// Waits until each process is connected to all others, in the build that they run, and knows of nobody else.
    async fn see_each_other(&mut self) -> anyhow::Result<()> {
        let all: Vec<String> = self
            .processes
            .iter()
            .map(|process| format!("{}={}", process.machine.name, process.build))
            .collect();
        self.ask_all(&format!("see {}", all.join(" "))).await
    }

    /// Gives every process the same command, and waits until each has carried it out.
    async fn ask_all(&mut self, command: &str) -> anyhow::Result<()> {
        for process in &mut self.processes {
            process.child.tell(command).await?;
        }
        for process in &mut self.processes {
            process.child.done(command).await?;
        }
        Ok(())
    }

    fn spawn(&mut self, machine: Machine, build: Build) -> anyhow::Result<&mut Process> {
        self.started += 1;
        let process = Process::spawn(
            &(self.binary)(build),
            &self.directory,
            machine,
            build,
            self.started,
            self.gossip,
        )?;
        self.processes.push(process);
        self.last()
    }

    fn last(&mut self) -> anyhow::Result<&mut Process> {
        self.processes.last_mut().context("no process runs")
    }

    fn take(&mut self, machine: Machine) -> anyhow::Result<Process> {
        let place = self
            .processes
            .iter()
            .position(|process| process.machine == machine);
        let place = place.with_context(|| format!("nothing runs on {}", machine.name))?;
        let process = self.processes.remove(place);
        ensure!(!self.processes.is_empty(), "nobody is left");
        Ok(process)
    }
}
