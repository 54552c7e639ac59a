//! A member in a process of its own: how it is started and stopped, and what it does there.
//!
//! It lives as long as its standard input is open, so it never outlives its parent, however that
//! ends.

use std::{env, path::Path, process::Stdio};

use anyhow::{Context, ensure};
use fly_rpc::Node;
use tokio::{
    io,
    process::{self, Command},
};

use crate::functions::{Db, member};

/// Tells a child apart from a member that is run by hand.
pub(crate) const ARGUMENT: &str = "child";

/// The parent's handle. Dropping it kills the process.
pub(crate) struct Child {
    pub(crate) id: u32,
    process: process::Child,
}

impl Child {
    /// Starts a member.
    pub(crate) fn start(region: &str, cluster: &str, database: &Path) -> anyhow::Result<Self> {
        let process = Command::new(env::current_exe()?)
            .arg(ARGUMENT)
            .env("MY_REGION", region)
            .env("FLY_RPC_CLUSTER", cluster)
            .env(DATABASE, database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("the process of {region}"))?;
        let id = process.id().context("it has already ended")?;
        Ok(Self { id, process })
    }

    /// Stops it by closing its standard input; returns its last words, when it is gone.
    pub(crate) async fn stop(mut self) -> anyhow::Result<String> {
        drop(self.process.stdin.take());
        let output = self.process.wait_with_output().await?;
        ensure!(output.status.success(), "a child: {}", output.status);
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}

/// Runs this process as a child, until its standard input is closed.
pub(crate) async fn run() -> anyhow::Result<()> {
    let database = env::var_os(DATABASE).context(DATABASE)?;
    let settings = member(Node::from_env()?, Db::open(database)?);
    let node = settings.start().await?;
    io::copy(&mut io::stdin(), &mut io::sink()).await?;
    let report = node.shutdown().await;
    println!("{report}");
    ensure!(report.is_clean());
    Ok(())
}

/// The variable that names the database's file.
const DATABASE: &str = "REGIONS_DATABASE";
