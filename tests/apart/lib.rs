//! A library whose function nobody names: only its registration is of use, to programs that link it.

use fly_rpc::region_rpc;

/// There if the crate is linked.
#[region_rpc]
pub fn set_apart() -> String {
    "linked".to_owned()
}
