//! Asks more of a node than its part, for the test that measures what another peer of the node notices of it.

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    fly_rpc_tests::greedy::run(&arguments)
}
