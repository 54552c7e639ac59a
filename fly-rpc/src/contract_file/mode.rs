//! Whether the file may be written: on a developer's machine it follows the code, in continuous integration it does not.

use super::report::Refusal;

/// What becomes of a file that is not what the code has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// It is written.
    Write,
    /// It stays, and the test fails. Says why.
    Check(String),
}

/// What the environment asks for. Empty means unset, values are trimmed.
pub(super) fn mode(lookup: impl Fn(&str) -> Option<String>) -> Result<Mode, Refusal> {
    let get = |variable: &str| {
        let value = lookup(variable)?.trim().to_owned();
        (!value.is_empty()).then_some(value)
    };
    match get(MODE).as_deref() {
        Some("write") => Ok(Mode::Write),
        Some("check") => Ok(Mode::Check(format!("{MODE} is `check`"))),
        Some(value) => Err(Refusal::Mode(value.to_owned())),
        // `CI=false` is how people switch it off where it cannot be unset.
        None => match get("CI") {
            Some(value) if value != "false" && value != "0" => {
                Ok(Mode::Check("CI is set".to_owned()))
            }
            _ => Ok(Mode::Write),
        },
    }
}

pub(super) const MODE: &str = "FLY_RPC_CONTRACTS";
