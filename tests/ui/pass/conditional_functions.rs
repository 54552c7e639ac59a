//! What is generated comes and goes with its function.

use fly_rpc::region_rpc;

#[region_rpc]
#[cfg(any())]
fn absent(unknown: Unknown) -> Unknown {
    unknown
}

#[region_rpc]
#[cfg_attr(all(), cfg(any()), doc = "Absent too.")]
fn absent(unknown: AlsoUnknown) -> AlsoUnknown {
    unknown
}

#[cfg(all())]
#[region_rpc(@primary)]
#[cfg_attr(all(), doc = "Present.")]
fn present() {}

fn main() {
    #[region_rpc]
    #[cfg(any())]
    fn absent(unknown: Unknown) {}

    drop(present_on_primary());
}
