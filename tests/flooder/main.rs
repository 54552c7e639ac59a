//! Floods a node with datagrams, for the test that measures what the node's peers notice of it.

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    fly_rpc_tests::stranger::run(&arguments)
}
