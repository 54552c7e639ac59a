//! The application: a page, what it writes in the primary, and what that asks of another region.

use std::env;

use anyhow::Context;
use fly_rpc::{Node, region_rpc};
use tokio::io;
use tracing::Instrument;

use crate::export;

/// The argument that makes this process a member and nothing else.
pub(crate) const MEMBER: &str = "member";

/// A visitor signs, where the book can be written.
#[region_rpc(@primary)]
pub(crate) async fn sign(name: &str) -> String {
    match count_on_region("hkg", name).wait_ready().await {
        Ok(letters) => format!("{name}, {letters} letters"),
        Err(error) => format!("{name}, and hkg does not answer: {error}"),
    }
}

/// Stands for something that only `hkg` knows, and that takes a thread. Its own span is below that of the
/// call all the same.
#[region_rpc(blocking)]
pub(crate) fn count(name: &str) -> usize {
    tracing::info_span!("counting").in_scope(|| name.chars().count())
}

/// A page is viewed, in this region.
pub(crate) async fn view(name: &str) -> anyhow::Result<String> {
    let page = tracing::info_span!("page view");
    Ok(sign_on_primary(name).instrument(page).await?)
}

/// Serves until standard input is closed, so that no process outlives its parent.
pub(crate) async fn member() -> anyhow::Result<()> {
    let region = env::var("MY_REGION").context("MY_REGION")?;
    let export = export::start(&region, None)?;
    let node = Node::from_env()?.start().await?;
    io::copy(&mut io::stdin(), &mut io::sink()).await?;
    node.shutdown().await;
    export.finish().await
}
