//! Why the command did not do what it was asked: one sentence with the cure, and an exit code for each kind.

use std::{fmt, io, process::ExitCode};

use super::{json::Json, screen::Screen, table::clean};
use crate::error::{Executed, RpcError};

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    code: u8,
    sentence: String,
    executed: Option<Executed>,
    /// What helps to do better.
    hint: Option<String>,
}

/// Something was found, or somebody did not answer.
pub(super) const FINDINGS: u8 = 1;
/// The function ran and returned an `Err`.
pub(super) const RETURNED_ERROR: u8 = 10;
/// As shells have it for a process that SIGINT ended.
const INTERRUPTED: u8 = 130;

impl Failure {
    fn new(code: u8, sentence: String) -> Self {
        Self {
            code,
            sentence,
            executed: None,
            hint: None,
        }
    }

    /// What was typed, or set in the environment, cannot be used.
    pub(super) fn usage(sentence: String) -> Self {
        Self::new(2, sentence)
    }

    pub(super) fn nobody(sentence: String) -> Self {
        Self::new(3, sentence)
    }

    pub(super) fn other_secret(sentence: String) -> Self {
        Self::new(4, sentence)
    }

    pub(super) fn other_protocol(sentence: String) -> Self {
        Self::new(5, sentence)
    }

    /// The arguments do not fit the function. Nothing was sent.
    pub(super) fn misfit(sentence: String) -> Self {
        let executed = Some(Executed::No);
        Self {
            executed,
            ..Self::new(6, sentence)
        }
    }

    /// The call cannot be made.
    pub(super) fn not_called(sentence: String) -> Self {
        Self::called(Executed::No, sentence)
    }

    /// The call failed.
    pub(super) fn called(executed: Executed, sentence: String) -> Self {
        let code = match executed {
            Executed::No => 7,
            Executed::Unknown => 8,
            Executed::Yes => 9,
        };
        Self {
            executed: Some(executed),
            ..Self::new(code, sentence)
        }
    }

    /// What was found out cannot be told.
    pub(super) fn unwritten(error: &io::Error) -> Self {
        Self::new(11, format!("the output cannot be written: {error}"))
    }

    /// The user wants no more of it; a call of theirs may have been under way.
    pub(super) fn interrupted(executed: Option<Executed>) -> Self {
        Self {
            executed,
            ..Self::new(INTERRUPTED, "interrupted".to_owned())
        }
    }

    /// The same, with what helps to do better.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// The same, of a call that was not made yet.
    pub(super) fn before_the_call(mut self) -> Self {
        self.executed.get_or_insert(Executed::No);
        self
    }

    pub(super) fn code(&self) -> u8 {
        self.code
    }

    pub(super) fn is_interruption(&self) -> bool {
        self.code == INTERRUPTED
    }

    /// Says it and gives the exit code.
    pub(super) fn end(&self, screen: &Screen) -> ExitCode {
        screen.complain(&format!("fly-rpc: {self}\n"));
        if screen.json() {
            // If that cannot be written, it was said above.
            let _ = screen.print_json(&Json::object([
                ("error", Json::text(&self.sentence)),
                ("hint", Json::optional(self.hint.as_ref().map(Json::text))),
                ("exit_code", Json::number(self.code)),
                (
                    "executed",
                    Json::optional(self.executed.map(|ran| Json::text(name(ran)))),
                ),
            ]));
        }
        ExitCode::from(self.code)
    }
}

impl From<&RpcError> for Failure {
    fn from(error: &RpcError) -> Self {
        Self::called(error.executed(), error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&clean(&self.sentence))?;
        f.write_str(match self.executed {
            Some(Executed::No) => " (it did not run)",
            Some(Executed::Yes) => " (it ran)",
            Some(Executed::Unknown) => " (it may have run: look before you try again)",
            None => "",
        })?;
        match &self.hint {
            Some(hint) => write!(f, "; {}", clean(hint)),
            None => Ok(()),
        }
    }
}

/// As `RpcError::executed` has it.
fn name(executed: Executed) -> &'static str {
    match executed {
        Executed::No => "no",
        Executed::Yes => "yes",
        Executed::Unknown => "unknown",
    }
}
