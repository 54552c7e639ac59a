//! What Prometheus scrapes, and with it Fly: the counters, gauges and histograms of a process on
//! `:9091/metrics`, as its `fly.toml` says:
//!
//! ```toml
//! [metrics]
//! port = 9091
//! path = "/metrics"
//! ```
//!
//! `cargo run --example metrics`; `METRICS_PORT` names another port, 0 any that is free. It makes a few
//! calls, fetches its own page and looks whether they are on it.

use std::{
    env,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{self, ExitCode, Stdio},
    time::Duration,
};

use anyhow::{Context, anyhow, ensure};
use fly_rpc::{Node, NodeBuilder, region_rpc};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    time::timeout,
};

#[region_rpc(@primary)]
fn write(number: u32) -> String {
    format!("{number} in {}", fly_rpc::my_region())
}

/// Whatever goes wrong is one sentence, and an exit code.
#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    let port = port()?;
    // Before the node starts: it asks for its handles once.
    serve(port)?;

    let syd = node("syd").start().await?;
    let lax = node("lax").start().await?;
    lax.wait_for("syd", PATIENCE).await?;
    for number in 0..3 {
        write_on_primary(number).via(&lax).await?;
    }
    write_on_primary(3).via(&syd).await?;

    let page = timeout(PATIENCE, fetch(port)).await??;
    let ours: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("fly_rpc_"))
        .collect();
    let shown = ours.iter().filter(|line| !line.contains("_bucket{"));
    shown.for_each(|line| println!("{line}"));
    for line in [
        r#"fly_rpc_calls_finished_total{function="write",version="1",outcome="ok",executed="yes"} 4"#,
        r#"fly_rpc_requests_started_total{function="write",version="1"} 3"#,
        r#"fly_rpc_call_duration_seconds_count{function="write",version="1",place="elsewhere"} 3"#,
        "fly_rpc_draining 0",
    ] {
        ensure!(ours.contains(&line), "the page lacks {line}");
    }
    for label in ["app", "region", "host", "instance"] {
        let label = [format!("{{{label}="), format!(",{label}=")];
        ensure!(
            !label.iter().any(|label| page.contains(label)),
            "Fly overwrites {label:?}"
        );
    }
    let said = second_on(port).await?;
    println!("\na second process on the same port: {said}");
    for node in [lax, syd] {
        node.shutdown().await;
    }
    Ok(())
}

/// Installs the recorder, and serves its page in the background. Fly scrapes over the private network, so
/// the address is that of every interface.
fn serve(port: u16) -> anyhow::Result<()> {
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let buckets = Matcher::Suffix("_duration_seconds".to_owned());
    let recorder = PrometheusBuilder::new()
        .with_http_listener(address)
        .set_buckets_for_metric(buckets, &BUCKETS)?
        .install();
    recorder.map_err(|error| match error {
        BuildError::FailedToCreateHTTPListener(reason) => anyhow!(
            "metrics cannot be served on port {port} ({reason}): stop what listens there, or set METRICS_PORT and the port of [metrics] in fly.toml to a free one"
        ),
        error => error.into(),
    })
}

/// The port that is asked for.
fn port() -> anyhow::Result<u16> {
    let port = env::var("METRICS_PORT").unwrap_or_else(|_| "9091".to_owned());
    let port = port.trim().parse();
    match port.context("METRICS_PORT is a number up to 65535, and 0 for any free port")? {
        0 => Ok(TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?
            .local_addr()?
            .port()),
        port => Ok(port),
    }
}

/// What a scraper gets.
async fn fetch(port: u16) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Ok(answer)
}

/// What another process says that is to serve the same port.
async fn second_on(port: u16) -> anyhow::Result<String> {
    let second = Command::new(env::current_exe()?)
        .env("METRICS_PORT", port.to_string())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(PATIENCE, second).await??;
    ensure!(!output.status.success() && output.stdout.is_empty());
    let said = String::from_utf8(output.stderr)?.trim().to_owned();
    ensure!(
        said.lines().count() == 1 && said.contains("METRICS_PORT"),
        "{said}"
    );
    Ok(said)
}

fn node(region: &str) -> NodeBuilder {
    let cluster = format!("metrics-{}", process::id()); // so that two runs at once do not meet
    let node = Node::builder().cluster(cluster).id(region);
    node.region(region).primary_region("syd")
}

/// From a call that stays here to one around the world that is made again.
const BUCKETS: [f64; 12] = [
    0.000_01, 0.000_1, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];
const PATIENCE: Duration = Duration::from_secs(10);
