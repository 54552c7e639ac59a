//! The process at the other end: this same program, started once more to serve one peer.

use std::{env, net::Ipv4Addr, process::Stdio, time::Duration};

use anyhow::Context;
use bench_figures::Runtime;
use bench_peers::{Peer, serve};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdin, Command},
    time::timeout,
};

use crate::placement::TASKSET;

/// A process that serves. It ends when its input does, and is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    /// What it printed: all that a client needs.
    pub(crate) line: String,
    _input: ChildStdin,
    _child: Child,
}

impl Server {
    /// Returns when it serves, on these cores or on all.
    pub(crate) async fn start(
        peer: Peer,
        runtime: Runtime,
        cores: Option<&str>,
    ) -> anyhow::Result<Self> {
        let this = env::current_exe()?;
        let mut command = match cores {
            Some(cores) => {
                let mut command = Command::new(TASKSET);
                command.args(["--cpu-list", cores]).arg(this);
                command
            }
            None => Command::new(this),
        };
        let mut child = command
            .args([SERVE, &peer.to_string(), &runtime.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().context("it has a standard input")?;
        let stdout = child.stdout.take().context("it has a standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = timeout(SOON, lines.next_line()).await;
        let line = line.context("the server did not start in time")??;
        Ok(Self {
            line: line.context("the server did not start")?,
            _input: input,
            _child: child,
        })
    }
}

/// If this process was started to serve: serves, to its end, and returns true. The first thing that
/// `main` does.
///
/// # Errors
/// Whatever kept it from serving.
pub fn serve_if_asked() -> anyhow::Result<bool> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [role, peer, runtime] = &arguments[..] else {
        return Ok(false);
    };
    if role != SERVE {
        return Ok(false);
    }
    let (peer, runtime): (Peer, Runtime) = (peer.parse()?, runtime.parse()?);
    let runtime = runtime.build()?;
    // On a worker: the thread of `block_on` is none of the two.
    let serving = runtime.spawn(serve(peer, Ipv4Addr::LOCALHOST.into()));
    runtime.block_on(serving)??;
    Ok(true)
}

const SERVE: &str = "serve-near";
/// A server that can start has started long before.
const SOON: Duration = Duration::from_secs(15);
