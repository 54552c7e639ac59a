//! A peer that is configured by name: looked up again and again by the system's own resolver.
//!
//! A name such as `app.internal` stands for all machines of an application, so each of its addresses
//! is one that may be dialled. What the system knows beside DNS, such as `/etc/hosts`, counts too;
//! what it does not tell is how long an answer holds, so that the pace is fixed.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    net::lookup_host,
    time::{Instant, sleep_until},
};

use super::{Discovery, DiscoveryError, Next, schedule::jittered, sighting::Sighting};
use crate::{environment, start_error::StartError};

/// A name that is looked up every five seconds, each of whose addresses is taken for a node.
///
/// What the names in [`NodeBuilder::peers`](crate::NodeBuilder::peers) and `FLY_RPC_PEERS` are made
/// into. [`Dns`](super::Dns) asks name servers itself, and as often as their answers say.
#[derive(Debug)]
pub struct Name {
    host_and_port: String,
    due: Instant,
}

impl Name {
    /// Takes `host:port`.
    ///
    /// # Errors
    /// [`StartError::Peer`] if it is not of that form. Whether the host exists is seen when it is
    /// looked up.
    pub fn new(host_and_port: impl Into<String>) -> Result<Self, StartError> {
        let host_and_port = host_and_port.into();
        environment::check_peer(&host_and_port)?;
        Ok(Self {
            host_and_port,
            due: Instant::now(),
        })
    }

    async fn look_up(&self) -> Result<Vec<Sighting>, DiscoveryError> {
        let found = lookup_host(&self.host_and_port).await;
        let found: Vec<SocketAddr> = found.map_err(DiscoveryError::new)?.collect();
        if found.is_empty() {
            return Err(DiscoveryError::new("the name has no address"));
        }
        Ok(found.into_iter().map(Sighting::new).collect())
    }
}

impl Discovery for Name {
    fn next(&mut self) -> Next<'_> {
        Box::pin(async {
            sleep_until(self.due).await;
            let answer = self.look_up().await;
            self.due = Instant::now() + jittered(LOOK_UP, rand::random());
            answer
        })
    }

    fn name(&self) -> String {
        self.host_and_port.clone()
    }
}

/// How often a name is looked up: Fly's DNS gives its answers five seconds to live.
const LOOK_UP: Duration = Duration::from_secs(5);
