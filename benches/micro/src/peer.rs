//! The process at the other end: this same program, started once more as the primary.
//!
//! Both are nodes in development mode, in a cluster that is named after the parent, so nothing is
//! configured. The child lives as long as its standard input is open and therefore never outlives
//! its parent.

use std::{env, net::SocketAddr, process::Stdio};

use anyhow::{Context, bail, ensure};
use bench_figures::Runtime;
use fly_rpc::{Node, NodeBuilder};
use rustls::pki_types::CertificateDer;
use tokio::{
    io::{self, AsyncBufReadExt, BufReader},
    process::{Child, ChildStdin, Command},
};

use crate::{
    quic::{echo_stream, listen},
    udp::{bind, echo_datagrams},
};

/// The other process. Dropping it kills the process.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    stdin: ChildStdin,
    /// The cluster that its node belongs to.
    pub cluster: String,
    /// Where it echoes bare datagrams.
    pub datagrams: SocketAddr,
    /// Where it echoes a bare QUIC stream.
    pub stream: SocketAddr,
    /// What it proves itself with there.
    pub certificate: CertificateDer<'static>,
}

impl Peer {
    /// Starts it on a runtime of this shape; returns when its node is up.
    ///
    /// # Errors
    /// Whatever keeps it from starting; its own words are on standard error.
    pub async fn start(runtime: Runtime) -> anyhow::Result<Self> {
        let cluster = format!("bench-{}-{runtime}", std::process::id());
        let mut child = Command::new(env::current_exe()?)
            .args([SERVE, &runtime.to_string(), &cluster])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdin = child.stdin.take().context("it has a standard input")?;
        let stdout = child.stdout.take().context("it has a standard output")?;
        let line = BufReader::new(stdout).lines().next_line().await?;
        let line = line.context("the other process did not start")?;
        let [datagrams, stream, certificate] = line.split(' ').collect::<Vec<_>>()[..] else {
            bail!("the other process says {line:?}")
        };
        Ok(Self {
            child,
            stdin,
            cluster,
            datagrams: datagrams.parse()?,
            stream: stream.parse()?,
            certificate: from_hex(certificate)?.into(),
        })
    }

    /// Ends it, and waits until it has drained and is gone.
    ///
    /// # Errors
    /// If it did not end well.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        drop(self.stdin);
        let status = self.child.wait().await?;
        ensure!(status.success(), "the other process: {status}");
        Ok(())
    }
}

/// A node in development mode in `region`; the primary is the other process.
pub fn member(cluster: &str, region: &str) -> NodeBuilder {
    Node::builder()
        .cluster(cluster)
        .region(region)
        .primary_region(PRIMARY)
}

/// If this process was started by [`Peer::start`]: serves, to its end, and returns true.
///
/// # Errors
/// Whatever kept it from serving.
pub fn serve_if_asked() -> anyhow::Result<bool> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [role, runtime, cluster] = &arguments[..] else {
        return Ok(false);
    };
    if role != SERVE {
        return Ok(false);
    }
    let runtime = runtime.parse::<Runtime>()?.build()?;
    runtime.block_on(serve(cluster))?;
    Ok(true)
}

async fn serve(cluster: &str) -> anyhow::Result<()> {
    let node = member(cluster, PRIMARY).start().await?;
    let socket = bind().await?;
    let (endpoint, certificate) = listen()?;
    let (datagrams, stream) = (socket.local_addr()?, endpoint.local_addr()?);
    println!("{datagrams} {stream} {}", to_hex(&certificate));
    tokio::spawn(echo_datagrams(socket));
    tokio::spawn(echo_stream(endpoint));
    io::copy(&mut io::stdin(), &mut io::sink()).await?;
    node.shutdown().await;
    Ok(())
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> anyhow::Result<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| Ok(u8::from_str_radix(str::from_utf8(pair)?, 16)?))
        .collect()
}

const SERVE: &str = "serve";
const PRIMARY: &str = "syd";
