//! A node that is told to stop finishes what it accepted, and nothing that it refuses has run.
//!
//! `cargo run --example graceful_shutdown`, and press Ctrl-C. Without a terminal, or with `CI` set,
//! the program sends itself a SIGTERM.

use std::{
    env,
    io::{self, IsTerminal},
    process::{self, Command},
    time::Duration,
};

use anyhow::ensure;
use fly_rpc::{Executed, Node, RpcError, StartError, region_rpc};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::{sleep, timeout},
};

/// Work that takes a while. The state counts how often it began.
#[region_rpc]
async fn ship(#[state] begun: &watch::Sender<u64>, order: u64) -> u64 {
    begun.send_modify(|count| *count += 1);
    sleep(Duration::from_millis(300)).await;
    order
}

/// Orders one thing after the other, until the shop takes no more; returns how many were shipped.
async fn buy() -> Result<u64, RpcError> {
    let mut shipped = 0;
    loop {
        match ship_on_region("syd", shipped + 1).await {
            Ok(order) => {
                println!("order {order} is shipped");
                shipped = order;
            }
            Err(error) if error.executed() == Executed::No => {
                println!("order {} was not begun: {error}", shipped + 1);
                return Ok(shipped);
            }
            Err(error) => return Err(error),
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Handlers come first: a signal that arrives earlier would end the process as it stands.
    let mut sigterm = signal(SignalKind::terminate())?;
    let mut sigint = signal(SignalKind::interrupt())?;

    let begun = watch::Sender::new(0);
    let shop = start("syd", &begun).await?;
    let customer = start("lax", &begun).await?;
    customer.wait_for("syd", Duration::from_secs(5)).await?;
    let buying = tokio::spawn(customer.scope(buy()));

    if io::stdin().is_terminal() && env::var_os("CI").is_none() {
        println!("press Ctrl-C to close the shop");
    } else {
        let mut orders = begun.subscribe();
        let second = orders.wait_for(|count| *count >= 2); // so that one is in flight
        timeout(Duration::from_secs(5), second).await??;
        Command::new("sh")
            .args(["-c", "kill -TERM $PPID"])
            .status()?;
    }
    let name = tokio::select! {
        _ = sigterm.recv() => "SIGTERM",
        _ = sigint.recv() => "SIGINT",
    };

    println!("{name}: draining");
    let report = shop.shutdown().await;
    println!("{report}");
    let shipped = buying.await??;
    customer.shutdown().await;

    // Nothing was cut off, and nothing was lost: what was begun was shipped.
    ensure!(report.is_clean());
    ensure!(shipped == *begun.borrow());
    Ok(())
}

async fn start(region: &str, begun: &watch::Sender<u64>) -> Result<Node, StartError> {
    // A cluster of its own, so that two runs at once do not meet.
    let cluster = format!("graceful-shutdown-{}", process::id());
    let settings = Node::builder().cluster(cluster).region(region);
    settings.state(begun.clone()).start().await
}
