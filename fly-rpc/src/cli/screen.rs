//! What is written: to a terminal, with colours if they are wanted, or to whatever else stands there. A reader who has
//! seen enough (`| head`) is no error.

use std::{
    env,
    io::{self, IsTerminal, Write},
};

use super::{failure::Failure, json::Json, table::wrap};

/// Where the command writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    json: bool,
    terminal: bool,
    colour: bool,
}

impl Screen {
    pub(super) fn new(json: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        // https://no-color.org
        let is_wanted = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && env::var_os("TERM").is_none_or(|value| value != "dumb");
        Self {
            json,
            terminal,
            colour: terminal && is_wanted,
        }
    }

    /// True if programs read it.
    pub(super) fn json(&self) -> bool {
        self.json
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.terminal
    }

    pub(super) fn colour(&self) -> bool {
        self.colour
    }

    /// False if nobody reads any more, which changes nothing of what was done.
    ///
    /// # Errors
    /// That it cannot be written, for another reason.
    pub(super) fn print(&self, text: &str) -> Result<bool, Failure> {
        let mut out = io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        match written {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Failure::unwritten(&error)),
        }
    }

    /// The same, on one line, for programs.
    ///
    /// # Errors
    /// As for [`print`](Self::print).
    pub(super) fn print_json(&self, json: &Json) -> Result<bool, Failure> {
        self.print(&format!("{json}\n"))
    }

    /// To the standard error: a sentence, on one line unless people read it.
    pub(super) fn complain(&self, text: &str) {
        let text = match io::stderr().is_terminal() {
            true => text.lines().map(|line| wrap(line, 0) + "\n").collect(),
            false => text.to_owned(),
        };
        // If that cannot be written either, there is nobody to tell.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}
