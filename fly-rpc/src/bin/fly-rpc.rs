//! The command `fly-rpc`: `cargo install fly-rpc --features cli`. What it does is in the library's `cli/`.

use std::process::ExitCode;

fn main() -> ExitCode {
    fly_rpc::cli::main()
}
