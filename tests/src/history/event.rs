//! The lines of a journal: each says one thing about one call.

use std::{fmt, str::FromStr};

use anyhow::{Context, bail};
use fly_rpc::{CallError, Executed};
use serde::{Deserialize, Serialize};

use crate::fleet::Build;

/// The name of a call, unique in a roll-out: the process that made it, and a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CallId {
    /// The number of the process.
    pub process: u32,
    /// The number of the call in that process.
    pub number: u32,
}

/// One line of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A caller is about to make a call.
    Made {
        /// The call.
        call: CallId,
        /// The build of the caller.
        build: Build,
        /// What it asks for, as `name@version`.
        function: String,
        /// Where, in the selector spelling.
        target: String,
        /// The number of the phase in which it asks.
        phase: usize,
    },
    /// A caller knows what became of its call.
    Settled {
        /// The call.
        call: CallId,
        /// The number of the phase in which it knows.
        phase: usize,
        /// True if the call was over at its first poll: it waited for nothing, and so for no peer.
        at_once: bool,
        /// How long it took, in microseconds.
        micros: u64,
        /// How many attempts failed.
        failed_attempts: u32,
        /// What it was told.
        outcome: Outcome,
    },
    /// A callee is about to do the work of a call.
    Began {
        /// The call.
        call: CallId,
        /// The function that runs, as `name@version`.
        function: String,
        /// The build of the callee.
        build: Build,
    },
    /// A callee has done the work of a call.
    Ended {
        /// The call.
        call: CallId,
    },
}

/// What a caller was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The value that it should be.
    Right,
    /// Another value.
    Wrong,
    /// The function's own error.
    Application,
    /// Nothing: the call was dropped, because the call around it was.
    Abandoned,
    /// An error of the library.
    Failed {
        /// The name of its variant.
        error: String,
        /// Whether the function ran, as far as the error knows.
        executed: Executed,
        /// What it says.
        text: String,
    },
}

impl Event {
    /// The call that it is about.
    pub fn call(&self) -> CallId {
        match self {
            Self::Made { call, .. }
            | Self::Settled { call, .. }
            | Self::Began { call, .. }
            | Self::Ended { call } => *call,
        }
    }
}

impl Outcome {
    /// The outcome of a call that gave `answer`, which says whether the value is right.
    pub fn of<E>(answer: Result<bool, CallError<E>>) -> Self {
        match answer {
            Ok(true) => Self::Right,
            Ok(false) => Self::Wrong,
            Err(CallError::App(_)) => Self::Application,
            Err(CallError::Rpc(error)) => Self::Failed {
                error: variant(&format!("{error:?}")),
                executed: error.executed(),
                text: error.to_string().replace(['\t', '\n'], " "),
            },
        }
    }

    /// True if it is an error of this name, after which the function certainly did not run.
    pub fn is_refusal(&self, name: &str) -> bool {
        matches!(self, Self::Failed { error, executed: Executed::No, .. } if error == name)
    }
}

/// The name with which a derived `Debug` begins.
fn variant(debug: &str) -> String {
    debug.chars().take_while(|c| c.is_alphanumeric()).collect()
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Made {
                call,
                build,
                function,
                target,
                phase,
            } => {
                write!(f, "made\t{call}\t{build}\t{function}\t{target}\t{phase}")
            }
            Self::Settled {
                call,
                phase,
                at_once,
                micros,
                failed_attempts,
                outcome,
            } => {
                write!(
                    f,
                    "settled\t{call}\t{phase}\t{at_once}\t{micros}\t{failed_attempts}\t{outcome}"
                )
            }
            Self::Began {
                call,
                function,
                build,
            } => write!(f, "began\t{call}\t{function}\t{build}"),
            Self::Ended { call } => write!(f, "ended\t{call}"),
        }
    }
}

impl FromStr for Event {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> anyhow::Result<Self> {
        let mut fields = line.split('\t');
        let mut next = || {
            fields
                .next()
                .with_context(|| format!("a field is missing in {line:?}"))
        };
        let kind = next()?;
        let call = next()?.parse()?;
        Ok(match kind {
            "made" => Self::Made {
                call,
                build: next()?.parse()?,
                function: next()?.to_owned(),
                target: next()?.to_owned(),
                phase: next()?.parse()?,
            },
            "settled" => Self::Settled {
                call,
                phase: next()?.parse()?,
                at_once: next()?.parse()?,
                micros: next()?.parse()?,
                failed_attempts: next()?.parse()?,
                outcome: match next()? {
                    "right" => Outcome::Right,
                    "wrong" => Outcome::Wrong,
                    "application" => Outcome::Application,
                    "abandoned" => Outcome::Abandoned,
                    error => Outcome::Failed {
                        error: error.to_owned(),
                        executed: executed(next()?)?,
                        text: next()?.to_owned(),
                    },
                },
            },
            "began" => Self::Began {
                call,
                function: next()?.to_owned(),
                build: next()?.parse()?,
            },
            "ended" => Self::Ended { call },
            other => bail!("a line cannot begin with {other:?}"),
        })
    }
}

fn executed(text: &str) -> anyhow::Result<Executed> {
    let all = [Executed::No, Executed::Yes, Executed::Unknown];
    all.into_iter()
        .find(|executed| format!("{executed:?}") == text)
        .with_context(|| text.to_owned())
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Right => f.write_str("right"),
            Self::Wrong => f.write_str("wrong"),
            Self::Application => f.write_str("application"),
            Self::Abandoned => f.write_str("abandoned"),
            Self::Failed {
                error,
                executed,
                text,
            } => write!(f, "{error}\t{executed:?}\t{text}"),
        }
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.process, self.number)
    }
}

impl FromStr for CallId {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (process, number) = text
            .split_once('-')
            .with_context(|| format!("{text:?} names no call"))?;
        Ok(Self {
            process: process.parse()?,
            number: number.parse()?,
        })
    }
}
