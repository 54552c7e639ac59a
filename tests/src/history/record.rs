//! One call, as its caller and whoever ran it tell it together.

use anyhow::bail;
use fly_rpc::Executed;

use super::event::{CallId, Event, Outcome};
use crate::fleet::{Build, Phase, Region};

/// Everything that is known of one call.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its name.
    pub call: CallId,
    /// The build of the caller.
    pub build: Build,
    /// What was asked for, as `name@version`.
    pub function: String,
    /// Where, in the selector spelling.
    pub target: String,
    /// The number of the phase in which it was made.
    pub made_in: usize,
    /// What the caller was told; `None` if it did not live to hear it.
    pub settled: Option<Settled>,
    /// Each time that it ran.
    pub runs: Vec<Run>,
}

/// What the caller was told, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// What it was told.
    pub outcome: Outcome,
    /// The number of the phase in which it was told.
    pub phase: usize,
    /// True if the call was over at its first poll.
    pub at_once: bool,
    /// How long it took, in microseconds.
    pub micros: u64,
    /// How many attempts failed.
    pub failed_attempts: u32,
}

/// One execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The function that ran, as `name@version`.
    pub function: String,
    /// The build that ran it.
    pub build: Build,
    /// True if it came to its end.
    pub ended: bool,
}

impl Record {
    /// The name of the function, without its version.
    pub fn name(&self) -> &str {
        self.function.split('@').next().unwrap_or_default()
    }

    /// What the caller was told.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.settled.as_ref().map(|settled| &settled.outcome)
    }

    /// True if the caller got the right value.
    pub fn is_right(&self) -> bool {
        self.outcome() == Some(&Outcome::Right)
    }

    /// True if the caller was told, before it waited for anything, that the function did not run, by an error of this name.
    pub fn is_refused_at_once(&self, error: &str) -> bool {
        self.settled
            .as_ref()
            .is_some_and(|settled| settled.at_once && settled.outcome.is_refusal(error))
    }

    /// True if the caller was told that the function did not run.
    pub fn did_not_run(&self) -> bool {
        matches!(
            self.outcome(),
            Some(Outcome::Failed {
                executed: Executed::No,
                ..
            })
        )
    }

    /// True if the caller was told that nobody can tell whether the function ran.
    pub fn may_have_run(&self) -> bool {
        matches!(
            self.outcome(),
            Some(Outcome::Failed {
                executed: Executed::Unknown,
                ..
            })
        )
    }

    /// The phase in which the call was made and settled, if nothing changed in the cluster meanwhile.
    pub fn steady<'a>(&self, phases: &'a [Phase]) -> Option<&'a Phase> {
        let settled = self.settled.as_ref()?;
        phases
            .get(self.made_in)
            .filter(|phase| settled.phase == self.made_in && phase.steady)
    }

    /// The region that the call was sent to, if it was sent to a region.
    pub fn region(&self) -> Option<Region> {
        self.target
            .strip_prefix("@region(")?
            .strip_suffix(')')?
            .parse()
            .ok()
    }

    /// The record of a call that was just made.
    pub(super) fn of(made: Event) -> anyhow::Result<Self> {
        let Event::Made {
            call,
            build,
            function,
            target,
            phase,
        } = made
        else {
            bail!("{made:?} makes no call");
        };
        Ok(Self {
            call,
            build,
            function,
            target,
            made_in: phase,
            settled: None,
            runs: Vec::new(),
        })
    }

    /// Adds what else is known of the call.
    pub(super) fn add(&mut self, event: Event) -> anyhow::Result<()> {
        let call = self.call;
        match event {
            Event::Made { .. } => bail!("two calls are both named {call}"),
            Event::Settled {
                phase,
                at_once,
                micros,
                failed_attempts,
                outcome,
                ..
            } => {
                let before = self.settled.replace(Settled {
                    outcome,
                    phase,
                    at_once,
                    micros,
                    failed_attempts,
                });
                anyhow::ensure!(before.is_none(), "{call} was settled twice");
            }
            Event::Began {
                function, build, ..
            } => self.runs.push(Run {
                function,
                build,
                ended: false,
            }),
            Event::Ended { .. } => {
                let Some(run) = self.runs.iter_mut().find(|run| !run.ended) else {
                    bail!("{call} ended without having begun");
                };
                run.ended = true;
            }
        }
        Ok(())
    }
}
