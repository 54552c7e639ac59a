//! A first tour: a write in the primary, an older version of it kept for a roll-out, and the ways
//! to spell a call.
//!
//! `cargo run --example hello`
//!
//! Three nodes of one process stand in for three machines, so that one command shows it all. A
//! service starts one, with `Node::from_env()?`.

use std::{
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::ensure;
use fly_rpc::{Node, StartError, call, region_rpc};
use serde::{Deserialize, Serialize};

/// Stands for a database: it counts posts.
#[derive(Default)]
struct Db(AtomicU64);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Post {
    id: u64,
    author: u64,
    body: String,
}

#[derive(Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
enum PostError {
    #[error("a post needs a body")]
    Empty,
}

/// Writes belong where the primary database is.
#[region_rpc(@primary, version = 2)]
async fn create_post(#[state] db: &Db, author: u64, body: &str) -> Result<Post, PostError> {
    if body.is_empty() {
        return Err(PostError::Empty);
    }
    let (id, body) = (db.0.fetch_add(1, Ordering::Relaxed) + 1, body.to_owned());
    Ok(Post { id, author, body })
}

/// What nodes of the previous build still call, kept until the roll-out is over.
#[region_rpc(@primary, name = "create_post", version = 1)]
async fn create_post_v1(#[state] db: &Db, body: &str) -> Result<Post, PostError> {
    create_post(db, ANONYMOUS, body).await
}

#[region_rpc]
fn upcase(text: &str) -> String {
    text.to_uppercase()
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // The first node of a process is the one that its calls go through.
    let node = start("lax").await?;
    let _elsewhere = (start("syd").await?, start("hkg").await?);
    node.wait_for("syd", Duration::from_secs(5)).await?;
    node.wait_for("hkg", Duration::from_secs(5)).await?;

    let post = create_post_on_primary(7, "hello").await??; // outer ?: the call, inner ?: PostError
    println!("the primary has {post:?}");
    ensure!(post.id == 1 && post.author == 7 && post.body == "hello");
    let post = create_post_v1_on_primary("hello from the previous build").await??;
    ensure!(post.id == 2 && post.author == ANONYMOUS);
    ensure!(create_post_on_primary(7, "").await? == Err(PostError::Empty));

    let loud = upcase_on_region("hkg", "fly").await?;
    let same = call!(upcase("fly") @region("hkg")).await?; // the same, spelled with a selector
    let soon = upcase_on_primary("fly")
        .timeout(Duration::from_secs(2))
        .await?;
    let here = upcase("fly"); // an annotated function stays a function
    println!("{loud} {same} {soon} {here}");
    ensure!([loud, same, soon, here].iter().all(|text| text == "FLY"));

    println!("{}", node.shutdown().await); // drains, then closes
    Ok(())
}

async fn start(region: &str) -> Result<Node, StartError> {
    let cluster = format!("hello-{}", process::id()); // so that two runs at once do not meet
    let settings = Node::builder()
        .cluster(cluster)
        .region(region)
        .primary_region("syd");
    settings.state(Db::default()).start().await
}

const ANONYMOUS: u64 = 0;
