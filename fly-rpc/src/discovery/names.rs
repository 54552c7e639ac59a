//! Peers that are configured by name: every address that the name has is dialled, and the name is
//! looked up again and again.
//!
//! A name such as `app.internal` stands for all machines of an application, so each of its addresses
//! is a peer of its own. An answer that fails or is empty changes nothing: what was found last stays.

use std::{collections::HashSet, net::SocketAddr, sync::Arc, time::Duration};

use fly_rpc_transport::Endpoint;
use tokio::{
    net::lookup_host,
    time::{MissedTickBehavior, interval},
};

use crate::node::Dials;

/// Dials what `name` (`host:port`) leads to, until the task is ended.
pub(crate) async fn follow_name(name: String, endpoint: Endpoint, dials: Arc<Dials>) {
    let mut known: HashSet<SocketAddr> = HashSet::new();
    let mut tick = interval(LOOK_UP);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        match lookup_host(&name)
            .await
            .map(|found| found.take(ADDRESSES).collect::<HashSet<_>>())
        {
            Ok(found) if !found.is_empty() => {
                for gone in known.difference(&found) {
                    dials.remove(*gone);
                }
                for address in &found {
                    dials.add(&endpoint, *address, None);
                }
                known = found;
            }
            Ok(_) => tracing::debug!(name, "the name of a peer has no address"),
            Err(error) => tracing::debug!(name, %error, "the name of a peer cannot be looked up"),
        }
        dials.looked_up(&name);
    }
}

/// How often a name is looked up: Fly's DNS gives its answers five seconds to live.
const LOOK_UP: Duration = Duration::from_secs(5);
/// Addresses of one name that are dialled. A larger cluster wants real discovery, not a connection to
/// everyone.
const ADDRESSES: usize = 256;
