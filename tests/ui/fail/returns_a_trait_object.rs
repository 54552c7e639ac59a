use fly_rpc::region_rpc;

use std::error::Error;

#[region_rpc]
fn parse(text: &str) -> Result<u64, Box<dyn Error>> {
    Ok(text.parse()?)
}

fn main() {}
