//! A guestbook that is deployed to several regions: pages everywhere, one SQLite file in the primary region.
//!
//! This is what an application on fly-rpc looks like from its first line to its last. `functions.rs` has what
//! processes do for each other, `web.rs` calls it; the rest is what any web application has. README.md says how it is
//! run, deployed and replaced.

mod copy;
mod entries;
mod functions;
mod metrics;
mod page;
mod settings;
mod stop;
mod store;
mod web;

use std::{env, process::ExitCode};

use fly_rpc::Node;

use crate::{
    copy::LocalCopy,
    settings::{HTTP_ADDRESS, METRICS_ADDRESS, Settings, Unusable, listen},
    stop::{DRAIN, Stop},
    store::Store,
    web::Site,
};

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let Err(error) = run().await else {
        return ExitCode::SUCCESS;
    };
    eprintln!("guestbook: {error:#}");
    ExitCode::from(if error.is::<Unusable>() {
        UNUSABLE_SETTING
    } else {
        1
    })
}

async fn run() -> anyhow::Result<()> {
    // First of all: a signal that comes before would end the process as it stands.
    let stop = Stop::listen()?;

    let settings = Settings::read(|name| env::var(name).ok())?;
    let visitors = listen(HTTP_ADDRESS, settings.http).await?;
    let prometheus = listen(METRICS_ADDRESS, settings.metrics).await?;
    let counted = metrics::install()?;

    let store = Store::new(settings.database);
    let settings = Node::from_env()?.state(store.clone());
    if fly_rpc::is_primary() {
        // Before others call it.
        store.open()?;
    }
    let node = settings.drain_timeout(DRAIN).start().await?;

    println!(
        "guestbook in {}: http://{}/, counted on http://{}/metrics",
        node.region(),
        visitors.local_addr()?,
        prometheus.local_addr()?
    );
    tokio::spawn(metrics::keep_up(counted.clone()));
    tokio::spawn(axum::serve(prometheus, metrics::router(counted)).into_future());
    let site = Site {
        node: node.clone(),
        copy: LocalCopy::default(),
    };
    stop.serve(visitors, web::router(site), &node).await
}

/// The exit code for a setting that has to be changed before a restart can help.
const UNUSABLE_SETTING: u8 = 2;
