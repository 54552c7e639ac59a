//! What is written: to a terminal, with colours if they are wanted, or to whatever else stands there. A reader who has
//! seen enough (`| head`) is no error.

use std::{
    env,
    io::{self, IsTerminal, Write},
    process,
};

use super::{json::Json, table::wrap};

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

    /// Without colours and JSON: before it is known what is wanted.
    pub(super) fn plain() -> Self {
        Self {
            json: false,
            terminal: false,
            colour: false,
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

    pub(super) fn print(&self, text: &str) {
        let mut out = io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        match written {
            Ok(()) => {}
            // Nobody reads any more: there is nothing left to do.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => process::exit(0),
            Err(error) => {
                self.complain(&format!("fly-rpc: the output cannot be written: {error}\n"));
                process::exit(1);
            }
        }
    }

    /// On one line, for programs.
    pub(super) fn print_json(&self, json: &Json) {
        self.print(&format!("{json}\n"));
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
