//! Erlang's `erpc` between two nodes of its own distribution, in the clear. Its caller is an Erlang
//! program too: through a pipe to one, no call would be measured, only the pipe.

use std::{
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv4Addr, TcpListener},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::serve::Served;

/// The calling node. Killed when it is dropped.
#[derive(Debug)]
pub struct Erlang(Node);

/// What a closed loop of `erpc` calls reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErlangTurn {
    /// Calls that were answered.
    pub calls: u64,
    /// Time in which they all were.
    pub took: Duration,
    /// The median call, if there was one caller.
    pub median: Option<Duration>,
}

impl Erlang {
    /// A calling node beside the one that [`serve`](crate::serve()) started with this line.
    ///
    /// # Errors
    /// If `erl` does not start, or does not reach the server.
    pub async fn connect(server: &str) -> anyhow::Result<Self> {
        let [host, port, cookie] = server.split(' ').collect::<Vec<_>>()[..] else {
            bail!("{server:?} is not an address, a port and a cookie")
        };
        let options = ["-dist_listen", "false"];
        let name = format!("caller@{host}");
        let run = format!("echo:call('echo@{host}')");
        let node = Node::start(&name, port.parse()?, cookie, &options, &run).await?;
        Ok(Self(node))
    }

    /// `callers` call one after the other with `size` bytes, for as long as `window`.
    ///
    /// # Errors
    /// If the node ends or a call fails. What Erlang says of it is on standard error.
    pub async fn turn(
        &mut self,
        size: usize,
        callers: usize,
        window: Duration,
    ) -> anyhow::Result<ErlangTurn> {
        let command = format!("{size} {callers} {}\n", window.as_millis());
        self.0.input.write_all(command.as_bytes()).await?;
        let line = self.0.line().await?;
        let numbers: Vec<u64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let [calls, took, median] = numbers[..] else {
            bail!("erl says {line:?}")
        };
        Ok(ErlangTurn {
            calls,
            took: Duration::from_micros(took),
            median: (callers == 1).then_some(Duration::from_nanos(median)),
        })
    }
}

pub(crate) async fn serve(listen: IpAddr) -> anyhow::Result<Served> {
    let IpAddr::V4(host) = listen else {
        bail!("Erlang's distribution is set up for IPv4 here")
    };
    // It wants to be told a port: one that was free a moment ago.
    let port = TcpListener::bind((host, 0))?.local_addr()?.port();
    let cookie = format!("{:016x}", RandomState::new().hash_one(port));
    let interface = erlang_address(host);
    let options = ["-kernel", "inet_dist_use_interface", &interface];
    let name = format!("echo@{host}");
    let node = Node::start(&name, port, &cookie, &options, "echo:serve()").await?;
    Ok(Served::new(format!("{host} {port} {cookie}"), node))
}

/// A running `erl`. Killed when it is dropped, and ends by itself when its input does.
#[derive(Debug)]
struct Node {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Node {
    /// Returns when it says that it is ready. No `epmd` is started: both nodes know the port.
    async fn start(
        name: &str,
        port: u16,
        cookie: &str,
        options: &[&str],
        run: &str,
    ) -> anyhow::Result<Self> {
        let mut child = Command::new("erl")
            .args(["-noshell", "-name", name, "-setcookie", cookie])
            .args(["-start_epmd", "false", "-erl_epmd_port"])
            .arg(port.to_string())
            .args(options)
            // As many schedulers as the other peers have workers.
            .args(["+S", "2:2", "-eval", &format!("{LOAD} {run}.")])
            .env(SOURCE, include_str!("erpc.erl"))
            .env("ERL_CRASH_DUMP_BYTES", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().context("it has a standard output")?;
        let mut node = Self {
            input: child.stdin.take().context("it has a standard input")?,
            output: BufReader::new(stdout).lines(),
            _child: child,
        };
        let line = timeout(SOON, node.line()).await??;
        ensure!(line == "ready", "erl says {line:?}");
        Ok(node)
    }

    async fn line(&mut self) -> anyhow::Result<String> {
        self.output.next_line().await?.context("erl has ended")
    }
}

fn erlang_address(host: Ipv4Addr) -> String {
    let [a, b, c, d] = host.octets();
    format!("{{{a},{b},{c},{d}}}")
}

/// Compiles the module that this variable of the environment holds: no file is written.
const LOAD: &str = r#"
    Forms = fun(Next, At, Text) ->
        case erl_scan:tokens([], Text, At) of
            {done, {ok, Tokens, Line}, Rest} ->
                {ok, Form} = erl_parse:parse_form(Tokens),
                [Form | Next(Next, Line, Rest)];
            _ -> []
        end
    end,
    {ok, Module, Code} = compile:forms(Forms(Forms, 1, os:getenv("BENCH_SOURCE") ++ "\n")),
    {module, Module} = code:load_binary(Module, "echo", Code),
"#;
const SOURCE: &str = "BENCH_SOURCE";
/// Erlang starts in half a second.
const SOON: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{peer::Peer, serve::start};

    #[tokio::test]
    async fn two_erlang_nodes_call_each_other_if_there_is_erlang() -> anyhow::Result<()> {
        if let Some(reason) = Peer::Erpc.missing() {
            eprintln!("not run: {reason}");
            return Ok(());
        }
        let served = start(Peer::Erpc, Ipv4Addr::LOCALHOST.into()).await?;
        let mut caller = Erlang::connect(served.line()).await?;
        let window = Duration::from_millis(50);
        let alone = caller.turn(64, 1, window).await?;
        assert!(alone.calls > 0 && alone.median.is_some(), "{alone:?}");
        let many = caller.turn(64, 8, window).await?;
        assert!(many.calls > 0 && many.took >= window, "{many:?}");
        Ok(())
    }
}
