use fly_rpc::region_rpc;

#[region_rpc]
fn stop() -> ! {
    std::process::exit(1)
}

fn main() {}
