//! The whole story, once: a collector that is down, then one that is up, and what it got.

use std::{
    env,
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::{self, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use fly_rpc::Node;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::{collector::Collector, export, pages};

pub(crate) async fn run() -> anyhow::Result<()> {
    // Where a collector will be, and none is yet.
    let port = free_port()?;
    let endpoint = format!("http://127.0.0.1:{port}");
    let cluster = format!("traces-{}", process::id());
    let [mut syd, mut hkg] = [
        member("syd", &cluster, &endpoint)?,
        member("hkg", &cluster, &endpoint)?,
    ];
    let export = export::start("lax", Some(&endpoint))?;
    let lax = Node::builder()
        .cluster(cluster)
        .region("lax")
        .primary_region("syd");
    let lax = lax.start().await?;
    lax.wait_for("syd", PATIENCE).await?;

    println!("the collector is down");
    let mut lost = 0;
    for round in 1..=3 {
        for _ in 0..5 {
            lax.scope(pages::view("Ada")).await?;
        }
        export.flush().await?;
        let lines = export.logged("cannot be exported");
        ensure!(lines.len() == 1, "after batch {round}: {lines:?}");
        lost += 5;
    }
    println!("  {lost} pages were viewed, and the log says once:");
    println!("  {}", export.logged("cannot be exported")[0]);

    let (collector, real) = collect(port).await?;
    let name = if real.is_some() {
        "Rotel"
    } else {
        "a small one"
    };
    println!("\na collector is up ({name}), and gets one tree:");
    let view = timeout(PATIENCE, lax.scope(pages::view("Grace"))).await??;
    ensure!(view == "Grace, 5 letters", "{view}");
    export.flush().await?;
    for child in [&mut syd, &mut hkg] {
        // They send what they have, and end.
        drop(child.stdin.take());
        let status = timeout(PATIENCE, child.wait()).await??;
        ensure!(status.success(), "a member: {status}");
    }
    // What the members did while it was down they may have sent as well: trees whose beginnings were lost.
    let whole = collector.wait_for(TREE);
    let is_whole = timeout(PATIENCE, whole).await.is_ok();
    ensure!(
        is_whole,
        "this came:\n{}\nand this was expected:\n{TREE}",
        collector.tree()
    );
    println!("{TREE}");
    lax.shutdown().await;
    export.finish().await
}

/// One page view.
const TREE: &str = "\
lax page view
lax   call sign
lax     sign
syd       sign
syd         call count
syd           count
hkg             count
hkg               counting
";

/// A process of this program in another region.
fn member(region: &str, cluster: &str, endpoint: &str) -> anyhow::Result<Child> {
    Command::new(env::current_exe()?)
        .arg(pages::MEMBER)
        .env("MY_REGION", region)
        .env("PRIMARY_REGION", "syd")
        .env("FLY_RPC_CLUSTER", cluster)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("the process of {region}"))
}

/// Starts a collector on this port: a real one in front, if there is one. That one is killed when it is
/// dropped.
async fn collect(port: u16) -> anyhow::Result<(Collector, Option<Child>)> {
    let Some(program) = env::var_os("FLY_RPC_COLLECTOR").map(PathBuf::from) else {
        return Ok((Collector::start(port).await?.0, None));
    };
    let (collector, behind) = Collector::start(0).await?;
    let directory = env::temp_dir().join(format!("fly-rpc-traces-{}", process::id()));
    let rotel = Command::new(&program)
        .arg("start")
        .args(["--otlp-http-endpoint", &format!("127.0.0.1:{port}")])
        .args([
            "--otlp-grpc-endpoint",
            &format!("127.0.0.1:{}", free_port()?),
        ])
        .args(["--exporter", "otlp", "--otlp-exporter-protocol", "http"])
        .args(["--otlp-exporter-endpoint", &format!("http://{behind}")])
        .args(["--otlp-exporter-compression", "none"])
        .arg("--pid-file")
        .arg(directory.with_extension("pid"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{}", program.display()))?;
    let up = async {
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .is_err()
        {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, up)
        .await
        .context("the collector does not listen")?;
    Ok((collector, Some(rotel)))
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

const PATIENCE: Duration = Duration::from_secs(20);
