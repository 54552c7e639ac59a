//! `fly-rpc keygen`: a cluster secret that nobody made up.

use super::{failure::Failure, json::Json, screen::Screen};
use crate::ClusterSecret;

/// Prints one.
pub(super) fn run(screen: &Screen) -> Result<u8, Failure> {
    let secret = ClusterSecret::generate().reveal();
    if screen.json() {
        screen.print_json(&Json::object([("secret", Json::text(secret.as_str()))]))?;
        return Ok(0);
    }
    screen.print(&format!("{}\n", secret.as_str()))?;
    if screen.is_terminal() {
        screen.complain(HINT);
    }
    Ok(0)
}

/// Only where a person reads it: `fly secrets set FLY_RPC_SECRET="$(fly-rpc keygen)"` shows nothing.
const HINT: &str = "\n\
Give it to every node as FLY_RPC_SECRET, and to nobody else. On Fly:\n\
  fly secrets set FLY_RPC_SECRET=\"$(fly-rpc keygen)\"\n";
