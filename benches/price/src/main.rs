//! `cargo run --release -p bench-price`: the price of the attribute, by itself.

use bench_figures::Effort;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    println!("{}", bench_price::measure(Effort::long()).await?);
    Ok(())
}
