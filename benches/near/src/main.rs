//! `near` alone: what one tries a change with. `bench` runs it with the others.

fn main() -> anyhow::Result<()> {
    bench_near::program()
}
