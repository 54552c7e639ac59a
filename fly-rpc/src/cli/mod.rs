//! The command `fly-rpc`: a cluster looked at, and called, from a terminal.
//!
//! It joins as an observer ([`NodeBuilder::observer`](crate::NodeBuilder::observer)), asks the nodes what only they
//! know (`inquiry`), and leaves. One file for each subcommand; `join.rs` finds the cluster, `ask.rs`
//! asks, `json` spells values, `table.rs` and `screen.rs` show, `failure.rs` says what went wrong, with an exit code for
//! each kind. It is a part of the library so that it needs nothing public that others could come to depend on.

mod arguments;
mod ask;
mod call;
mod catalogue;
mod doctor;
mod duration;
mod failure;
mod help;
mod join;
mod json;
mod keygen;
mod nodes;
mod ping;
mod screen;
mod table;

use std::{env, ffi::OsString, process::ExitCode};

use self::{
    arguments::{Arguments, Subcommand},
    failure::Failure,
    screen::Screen,
};

/// Runs the command with the arguments of this process.
pub fn main() -> ExitCode {
    let given: Vec<OsString> = env::args_os().skip(1).collect();
    // Also what cannot be understood is said as programs want it, as far as that can be seen.
    let seems_for_programs = given.iter().any(|given| given == "--json" || given == "-j");
    let arguments = match Arguments::parse(given) {
        Ok(arguments) => arguments,
        Err(failure) => return failure.end(&Screen::new(seems_for_programs)),
    };
    let screen = Screen::new(arguments.json);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return Failure::usage(format!("no runtime: {error}")).end(&screen),
    };
    let outcome = runtime.block_on(run(arguments, &screen));
    // Nothing that still runs is worth waiting for: look-ups of names cannot be taken back.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => failure.end(&screen),
    }
}

async fn run(arguments: Arguments, screen: &Screen) -> Result<u8, Failure> {
    match &arguments.subcommand {
        Subcommand::Help(topic) => {
            screen.print(help::text(*topic))?;
            Ok(0)
        }
        Subcommand::Version => {
            screen.print(&format!("fly-rpc {}\n", env!("CARGO_PKG_VERSION")))?;
            Ok(0)
        }
        Subcommand::Keygen => keygen::run(screen),
        Subcommand::Nodes { watch } => nodes::run(&arguments, *watch, screen).await,
        Subcommand::Catalogue { differing } => catalogue::run(&arguments, *differing, screen).await,
        Subcommand::Call(order) => call::run(&arguments, order, screen).await,
        Subcommand::Ping { target, count } => {
            ping::run(&arguments, target.as_deref(), *count, screen).await
        }
        Subcommand::Doctor { config } => doctor::run(&arguments, config.as_deref(), screen).await,
    }
}
