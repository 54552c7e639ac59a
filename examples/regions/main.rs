//! Three regions, three processes: writes go to the primary, reads stay near, and what cannot be
//! done is refused before it is tried.
//!
//! `cargo run --example regions` is `lax` itself, starts `syd` (the primary) and `hkg` as processes
//! of this same program, goes through everything once and prints how long it took. It exits with 0
//! only if every step did what it should, and leaves no process behind.
//!
//! By hand, in two or three terminals, as many regions as you like; Ctrl-C drains:
//!
//! ```text
//! MY_REGION=syd cargo run --example regions
//! MY_REGION=lax cargo run --example regions
//! ```

mod by_hand;
mod child;
mod functions;
mod tour;

use std::env;

/// Where the database can be written.
const PRIMARY: &str = "syd";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    if env::args().any(|argument| argument == child::ARGUMENT) {
        child::run().await
    } else if env::var_os("MY_REGION").is_some() {
        by_hand::run().await
    } else {
        tour::run().await
    }
}
