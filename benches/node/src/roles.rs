//! What the other processes do, line by line as they are asked.

use std::env;

use anyhow::bail;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::{crowd, functions, pending};

/// If this process was started by a measurement: plays its role to the end and returns true.
///
/// # Errors
/// Whatever kept it from doing so.
pub fn play_if_asked() -> anyhow::Result<bool> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [first, role, rest @ ..] = &arguments[..] else {
        return Ok(false);
    };
    if first != ROLE {
        return Ok(false);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    runtime.block_on(async {
        match (role.as_str(), &rest[..]) {
            ("hub", [secret]) => crowd::hub(secret).await,
            ("members", [address, secret]) => crowd::members(address, secret).await,
            ("server", [secret]) => pending::server(secret).await,
            ("caller", [address, secret]) => pending::caller(address, secret).await,
            ("library", [secret, functions]) => functions::library(secret, functions).await,
            ("readers", [address, secret, functions]) => {
                functions::readers(address, secret, functions).await
            }
            _ => bail!(
                "no role is called {role:?} and takes {} arguments",
                rest.len()
            ),
        }
    })?;
    // Nothing is drained: whoever asked has gone, and the processes at the other ends with it.
    runtime.shutdown_background();
    Ok(true)
}

/// Answers each line of standard input with what `act` says, until it ends.
pub(crate) async fn obey(
    mut act: impl AsyncFnMut(&str) -> anyhow::Result<String>,
) -> anyhow::Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        println!("{}", act(&line).await?);
    }
    Ok(())
}

/// The first argument of a process with a role.
pub(crate) const ROLE: &str = "node-role";
