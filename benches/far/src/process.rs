//! The processes at the two ends of a link: this same program, started once more.
//!
//! A server lives as long as its standard input is open and a client gives up by itself, so neither
//! outlives the process that started it by much.

use std::{
    env,
    io::{self, BufRead, BufReader, Read},
    net::IpAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use bench_peers::{Payload, Peer};
use tokio::time::timeout;

use crate::load::{Load, OneCall, OpenLoop};

/// How a process is started at an end of a link.
pub(crate) type Spawn<'a> = &'a dyn Fn(&mut Command) -> io::Result<Child>;

/// A process that serves a peer.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// What a client needs to know.
    pub(crate) line: String,
}

impl Server {
    /// Starts it and waits until it serves.
    pub(crate) fn start(peer: Peer, listen: IpAddr, spawn: Spawn<'_>) -> anyhow::Result<Self> {
        let mut command = this_program([SERVE, &peer.to_string(), &listen.to_string()])?;
        let mut child = spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        let output = child.stdout.take().context("it has a standard output")?;
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        let server = Self {
            child,
            line: line.trim().to_owned(),
        };
        read?;
        ensure!(
            !server.line.is_empty(),
            "the server of {peer} did not start"
        );
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Closed, and it ends; killed, in case it does not.
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The latencies of an open loop, made by a process of its own.
pub(crate) fn latencies(
    peer: Peer,
    server: &str,
    load: &Load,
    spawn: Spawn<'_>,
) -> anyhow::Result<Vec<Duration>> {
    let numbers = [load.rate, load.size as u32, load.warm_up, load.calls].map(|n| n.to_string());
    let peer = peer.to_string();
    let mut arguments = vec![LOAD, &peer, server];
    arguments.extend(numbers.iter().map(String::as_str));
    client(this_program(arguments)?, spawn)
}

/// What a cold call takes, made by a process of its own: from the moment at which the client is
/// asked for, with the process already running, to its first answer.
pub(crate) fn cold_call(
    peer: Peer,
    server: &str,
    size: usize,
    spawn: Spawn<'_>,
) -> anyhow::Result<Duration> {
    let command = this_program([COLD, &peer.to_string(), server, &size.to_string()])?;
    let taken = client(command, spawn)?;
    taken
        .first()
        .copied()
        .context("a cold call says how long it took")
}

fn client(mut command: Command, spawn: Spawn<'_>) -> anyhow::Result<Vec<Duration>> {
    let mut child = spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
    let mut said = String::new();
    let output = child.stdout.take().context("it has a standard output")?;
    let read = BufReader::new(output).read_to_string(&mut said);
    let status = child.wait()?;
    read?;
    ensure!(status.success(), "the client: {status}");
    said.split_whitespace()
        .map(|nanos| Ok(Duration::from_nanos(nanos.parse()?)))
        .collect()
}

fn this_program<'a>(arguments: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args(arguments);
    Ok(command)
}

/// If this process was started at an end of a link: does its part and returns true. To be called
/// first thing in `main`.
///
/// # Errors
/// Whatever keeps it from doing it.
pub fn take_part_if_asked() -> anyhow::Result<bool> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
    };
    let taken = match arguments[..] {
        [SERVE, peer, listen] => {
            let serve = bench_peers::serve(peer.parse()?, listen.parse()?);
            runtime()?.block_on(serve)?;
            return Ok(true);
        }
        [LOAD, peer, server, rate, size, warm_up, calls] => {
            let load = Load {
                rate: rate.parse()?,
                size: size.parse()?,
                warm_up: warm_up.parse()?,
                calls: calls.parse()?,
            };
            let visit = OpenLoop(load);
            let run = bench_peers::connect(peer.parse()?, Payload::Bytes, server, visit);
            runtime()?.block_on(async { timeout(load.longest() + LONG, run).await })??
        }
        [COLD, peer, server, size] => {
            let visit = OneCall(size.parse()?);
            let peer: Peer = peer.parse()?;
            let runtime = runtime()?;
            let begun = Instant::now();
            let run = bench_peers::connect(peer, Payload::Bytes, server, visit);
            let answered = runtime.block_on(async { timeout(LONG, run).await })??;
            vec![answered - begun]
        }
        [SERVE | LOAD | COLD, ..] => bail!("arguments that no end of a link understands"),
        _ => return Ok(false),
    };
    let nanos: Vec<String> = taken.iter().map(|t| t.as_nanos().to_string()).collect();
    println!("{}", nanos.join(" "));
    Ok(true)
}

const SERVE: &str = "serve-far";
const LOAD: &str = "load-far";
const COLD: &str = "cold-far";
/// For what should take a second.
const LONG: Duration = Duration::from_secs(20);
