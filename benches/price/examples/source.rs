//! Prints one of the programs that are built, to be read or profiled by hand: `cargo run -p
//! bench-price --example source -- called 100`.

use std::env;

use anyhow::{Context, bail};
use bench_price::{Variant, program};

fn main() -> anyhow::Result<()> {
    let mut arguments = env::args().skip(1);
    let variant = arguments.next().context("plain, served or called")?;
    let functions = arguments.next().context("how many functions")?.parse()?;
    let source = match variant.as_str() {
        "plain" => program(Variant::Plain, functions),
        "served" => program(Variant::Served, functions),
        "called" => program(Variant::Called, functions),
        other => bail!("{other:?} is none of plain, served and called"),
    };
    print!("{source}");
    Ok(())
}
