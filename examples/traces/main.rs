//! One page view over three processes, exported by OTLP: in the collector it is one tree.
//!
//! `cargo run --example traces` is `lax`, where the page is viewed, and starts `syd` (the primary) and `hkg`
//! as processes of this same program. Each exports its own spans. At first the collector is down: calls go
//! on, and the log has one line about it. Then it is up, and gets the spans of all three.
//!
//! The collector is a small one in this process. With `FLY_RPC_COLLECTOR=path/to/rotel-agent` (from the
//! Python package `rotel`) it is Rotel, which hands on to the small one what it got. By hand, to a
//! collector of your own:
//!
//! ```text
//! OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 MY_REGION=syd cargo run --example traces member
//! ```

mod collector;
mod export;
mod pages;
mod patient;
mod tour;

use std::env;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    if env::args().any(|argument| argument == pages::MEMBER) {
        pages::member().await
    } else {
        tour::run().await
    }
}
