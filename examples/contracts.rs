//! Contracts in version control: what a test of the application writes, and what it says to somebody who changed a function and
//! forgot its version.
//!
//! `cargo run --example contracts`
//!
//! In an application the macro stands in a test, and the file beside `Cargo.toml`. Here the test is this program, run again with
//! the path of a file.

use std::{
    env, fs,
    path::Path,
    process::{Command, Output},
};

use anyhow::{bail, ensure};
use fly_rpc::region_rpc;
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize, Serialize)]
struct Greeting {
    text: String,
    language: String,
}

/// The previous build had no `language`, neither here nor in what comes back.
#[region_rpc]
fn greet(name: &str, language: &str) -> Greeting {
    Greeting {
        text: format!("hello {name}"),
        language: language.to_owned(),
    }
}

#[region_rpc(@primary, idempotent)]
fn visits(name: &str) -> u64 {
    name.len() as u64
}

/// What the previous build recorded, as it was committed.
const BEFORE: &str = include_str!("before.contracts");

fn main() -> anyhow::Result<()> {
    if let Some(path) = env::args_os().nth(1) {
        fly_rpc::assert_contracts!(path); // the whole test
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("fly-rpc.contracts");

    // In CI there is nothing to compare with yet.
    let in_ci = ("CI", "true");
    let output = test(&path, &[in_ci])?;
    ensure!(!output.status.success() && !path.exists());

    // On somebody's machine the file is written, and committed.
    ensure!(test(&path, &[])?.status.success());
    let recorded = fs::read_to_string(&path)?;
    println!("the file:\n\n{recorded}");
    ensure!(test(&path, &[in_ci])?.status.success());

    // Beside the file of the previous build: `greet@1` is another function there. No setting writes over that.
    fs::write(&path, BEFORE)?;
    for variables in [&[][..], &[in_ci], &[("FLY_RPC_CONTRACTS", "write")]] {
        let output = test(&path, variables)?;
        ensure!(!output.status.success() && fs::read_to_string(&path)? == BEFORE);
        let said = String::from_utf8(output.stderr)?;
        if variables.is_empty() {
            println!("beside the file of the previous build:\n\n{said}");
        }
        ensure!(said.contains("+     language: str,") && said.contains("`version = 2`"));
    }

    // Had nobody run the previous build yet, its entry could go.
    let Some((head, _)) = BEFORE.split_once("\n\n") else {
        bail!("the file has a head")
    };
    fs::write(&path, head)?;
    ensure!(test(&path, &[])?.status.success());
    let entries = |text: &str| {
        text.split_once("\n\n")
            .map(|(_, entries)| entries.to_owned())
    };
    ensure!(entries(&fs::read_to_string(&path)?) == entries(&recorded));
    Ok(())
}

/// Runs the test on this file.
fn test(path: &Path, variables: &[(&str, &str)]) -> anyhow::Result<Output> {
    let mut command = Command::new(env::current_exe()?);
    command
        .arg(path)
        .env_remove("CI")
        .env_remove("FLY_RPC_CONTRACTS");
    Ok(command.envs(variables.iter().copied()).output()?)
}
