//! A primary that moves while the application writes: its region stands in a file, one node watches it,
//! and all follow.
//!
//! `cargo run --example moving_primary`
//!
//! The file stands for whatever knows: LiteFS's `.primary`, a lease, a metadata record.

use std::{
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    process,
    time::Duration,
};

use anyhow::ensure;
use fly_rpc::{Node, NodeBuilder, PrimarySource, PrimaryWord, region_rpc};
use tokio::time::{sleep, timeout};

/// Watches a file that holds the name of the primary's region.
struct RegionFile {
    path: PathBuf,
    said: Option<String>,
}

impl PrimarySource for RegionFile {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<PrimaryWord>> + Send + '_>> {
        Box::pin(async {
            loop {
                // A file that is missing, or just being written, says nothing: what was said stands.
                let read = std::fs::read_to_string(&self.path).unwrap_or_default();
                let region = read.trim().to_owned();
                if !region.is_empty() && self.said.as_ref() != Some(&region) {
                    self.said = Some(region.clone());
                    return Some(PrimaryWord::new(region));
                }
                sleep(Duration::from_millis(20)).await;
            }
        })
    }
}

/// Where this ran.
#[region_rpc(@primary)]
fn write(number: u32) -> String {
    format!("{number} in {}", fly_rpc::my_region())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("primary");
    say(&file, "syd")?;
    let source = RegionFile {
        path: file.clone(),
        said: None,
    };
    let syd = node("syd").primary_source(source).start().await?;
    let hkg = node("hkg").start().await?;
    let lax = node("lax").start().await?;
    for (one, other) in [(&lax, "syd"), (&lax, "hkg"), (&syd, "hkg")] {
        one.wait_for(other, PATIENCE).await?;
    }
    let mut changes = lax.primary_changes();
    ensure!(write_on_primary(1).via(&lax).await? == "1 in syd");

    // The primary moves amid the writes. None is lost: who is refused by syd is told where to go.
    say(&file, "hkg")?;
    let amid = async {
        for number in 2.. {
            if write_on_primary(number).via(&lax).await? == format!("{number} in hkg") {
                println!("{} writes in syd, then the first in hkg", number - 1);
                break;
            }
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, amid).await??;
    let moved = timeout(PATIENCE, async {
        while *lax.primary_region() != "hkg".into() {
            changes.next().await;
        }
        lax.primary()
    });
    println!("lax sees the primary in {}", moved.await?);
    ensure!(write_on_primary(0).via(&lax).await? == "0 in hkg");
    ensure!(hkg.is_primary() && !syd.is_primary());

    // By hand, wherever one is.
    println!("by hand: {}", lax.set_primary_region("lax")?);
    ensure!(write_on_primary(0).via(&lax).await? == "0 in lax");
    for node in [syd, hkg, lax] {
        node.shutdown().await;
    }
    Ok(())
}

fn node(region: &str) -> NodeBuilder {
    let cluster = format!("moving-primary-{}", process::id()); // so that two runs at once do not meet
    let node = Node::builder().cluster(cluster).id(region);
    node.region(region).primary_region("syd")
}

/// Writes beside the file and renames, so that nobody reads the half of it.
fn say(file: &Path, region: &str) -> anyhow::Result<()> {
    let next = file.with_extension("next");
    std::fs::write(&next, region)?;
    Ok(std::fs::rename(next, file)?)
}

const PATIENCE: Duration = Duration::from_secs(10);
