//! The tour: starts the other members, makes each kind of call from `lax`, and reports.

use std::{
    fmt::Display,
    process,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use fly_rpc::{Executed, Node, PeerState, RpcError};
use tokio::time::timeout;

use crate::{
    PRIMARY,
    child::Child,
    functions::{
        Db, Post, create_post_on_primary, export_begun_on_region, export_on_region, member,
        read_post_on_region, read_posts_on_region,
    },
};

/// Goes through every step. An error is a step that did not do what it should.
pub(crate) async fn run() -> anyhow::Result<()> {
    let cluster = format!("regions-{}", process::id()); // so that two runs at once do not meet
    let directory = tempfile::tempdir()?;
    let database = directory.path().join("posts.sqlite3");
    let settings = || Node::builder().cluster(&cluster).region("lax");

    let lax = member(settings(), Db::open(&database)?).start().await?;
    let syd = Child::start("syd", &cluster, &database)?;
    let hkg = Child::start("hkg", &cluster, &database)?;
    let this = process::id();
    println!(
        "processes: syd {} (the primary), hkg {}, lax {this}\n",
        syd.id, hkg.id
    );

    step("they find one another", meet(&lax)).await?;
    let post = step("a write in the primary", write(&syd)).await?;
    step("a read in hkg", read(&post, &hkg)).await?;
    // A second node in lax, which believes that the primary is in hkg.
    let misled = member(settings(), Db::open(&database)?).primary_region("hkg");
    let misled = misled.start().await?;
    step("a write sent to hkg", misdirect(&misled)).await?;
    misled.shutdown().await;
    step("a version that nobody has", call_the_next_version()).await?;
    step("hkg stops amid a call", stop_amid_a_call(hkg)).await?;
    step("a read in hkg, now gone", read_nowhere(&post)).await?;
    step("syd stops", syd.stop()).await?;
    lax.shutdown().await;

    println!("\nevery step did what it should, and both children are gone");
    Ok(())
}

/// Runs a step and prints what came of it, with the time that it took.
async fn step<T: Display>(
    title: &'static str,
    action: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let begin = Instant::now();
    let in_time = timeout(PATIENCE, action).await.context(title)?;
    let outcome = in_time.context(title)?;
    println!("{title:<26}{:>9.1?}   {outcome}", begin.elapsed());
    Ok(outcome)
}

async fn meet(lax: &Node) -> anyhow::Result<String> {
    lax.wait_for(PRIMARY, PATIENCE).await?;
    lax.wait_for("hkg", PATIENCE).await?;
    let peers = lax.peers();
    ensure!(peers.len() == 2 && peers.iter().all(|peer| peer.state == PeerState::Connected));
    let seen = peers.iter().filter_map(|peer| {
        let round_trip = peer.round_trip?;
        Some(format!("{} is {round_trip:.1?} away", peer.region))
    });
    Ok(seen.collect::<Vec<_>>().join(", "))
}

async fn write(syd: &Child) -> anyhow::Result<Post> {
    let post = create_post_on_primary("hello from lax").await??;
    ensure!(post.writer == syd.id);
    Ok(post)
}

/// What one process wrote, another reads.
async fn read(written: &Post, hkg: &Child) -> anyhow::Result<Post> {
    let found = read_post_on_region("hkg", written.id).await??;
    let post = found.context("it is not there")?;
    ensure!(post.body == written.body && post.writer == written.writer && post.reader == hkg.id);
    Ok(post)
}

/// A pinned function is refused where it is not pinned to, whatever the caller believes.
async fn misdirect(misled: &Node) -> anyhow::Result<RpcError> {
    misled.wait_for("@primary", PATIENCE).await?;
    let error = refusal(create_post_on_primary("lost").via(misled).await)?;
    ensure!(matches!(error, RpcError::WrongRegion { .. }), error);
    Ok(error)
}

async fn call_the_next_version() -> anyhow::Result<RpcError> {
    let error = refusal(read_posts_on_region("hkg", vec![1]).await)?;
    ensure!(matches!(error, RpcError::FunctionUnavailable { .. }), error);
    Ok(error)
}

/// The call that is in flight when hkg is told to stop still gets its answer.
async fn stop_amid_a_call(hkg: Child) -> anyhow::Result<String> {
    let export = tokio::spawn(export_on_region("hkg"));
    export_begun_on_region("hkg").await?;
    let drained = hkg.stop().await?;
    Ok(format!("{}; {drained}", export.await??))
}

async fn read_nowhere(post: &Post) -> anyhow::Result<RpcError> {
    refusal(read_post_on_region("hkg", post.id).await)
}

/// The error of a call that must not have run.
fn refusal<T>(outcome: Result<T, RpcError>) -> anyhow::Result<RpcError> {
    let error = outcome.err().context("it was served")?;
    ensure!(error.executed() == Executed::No, error);
    Ok(error)
}

/// The longest that a step may take.
const PATIENCE: Duration = Duration::from_secs(10);
