//! The command `fly-rpc`, as it is installed.

use std::process::ExitCode;

fn main() -> ExitCode {
    fly_rpc::cli::main()
}
