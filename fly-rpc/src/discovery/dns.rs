//! Plain DNS: a name that stands for all nodes, as headless services have it.

use std::{collections::HashSet, net::SocketAddr, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{
    Discovery, DiscoveryError, Next,
    places::{Look, Places},
    questions::{Family, Questions, Service},
    schedule::{jittered, validity},
    sighting::Sighting,
};

/// A name whose DNS records say where nodes are.
///
/// Asked again when the answer's time to live is over, after a second at least and a minute at most.
/// Every member of the cluster that answers at one of the addresses is accepted, since the records do
/// not say who is there.
///
/// # Examples
/// ```
/// use fly_rpc::{Node, discovery::Dns};
///
/// // A headless service in Kubernetes: by its addresses, or by its service records.
/// let node = Node::builder().discovery(Dns::addresses("app.default.svc.cluster.local", 7411));
/// let node = Node::builder().discovery(Dns::services("_fly-rpc._udp.app.default.svc.cluster.local"));
/// ```
#[derive(Debug)]
pub struct Dns {
    name: String,
    kind: Kind,
    name_server: Option<SocketAddr>,
    due: Instant,
    places: Places,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A and AAAA; where the port comes from the caller.
    Addresses(u16),
    /// SRV, and A and AAAA of each host in them.
    Services,
}

impl Dns {
    /// Each address of `name`, IPv4 or IPv6, with this UDP port.
    pub fn addresses(name: impl Into<String>, port: u16) -> Self {
        Self::new(name.into(), Kind::Addresses(port))
    }

    /// Each service record of `name`, which has a host and a port. Priorities and weights are not
    /// looked at: all nodes are found.
    pub fn services(name: impl Into<String>) -> Self {
        Self::new(name.into(), Kind::Services)
    }

    /// The name server to ask. Default those of the system, with its search domains.
    #[must_use]
    pub fn name_server(mut self, address: SocketAddr) -> Self {
        self.name_server = Some(address);
        self
    }

    fn new(name: String, kind: Kind) -> Self {
        Self {
            name: name.trim().to_owned(),
            kind,
            name_server: None,
            due: Instant::now(),
            places: Places::default(),
        }
    }

    /// All addresses, and the seconds for which they hold.
    async fn look(&mut self) -> Result<(Vec<Sighting>, u32), DiscoveryError> {
        let questions = Questions::to(self.name_server)?;
        let (services, ttl) = match self.kind {
            Kind::Addresses(port) => {
                let host = self.name.clone();
                (vec![Service { host, port }], u32::MAX)
            }
            Kind::Services => {
                let found = questions.services(&self.name).await;
                let mut found = found.map_err(DiscoveryError::new)?;
                found.values.truncate(SERVICES);
                (found.values, found.ttl)
            }
        };
        let hosts = services.iter().map(|service| service.host.clone());
        let wanted: HashSet<_> = hosts
            .flat_map(|host| [Family::V4, Family::V6].map(|family| (host.clone(), family)))
            .collect();
        let Look {
            ttl: shortest,
            missing,
        } = self.places.look_up(&questions, wanted).await;
        let sightings: Vec<Sighting> = services
            .iter()
            .flat_map(|service| {
                let ips = self.places.of(&service.host);
                ips.into_iter()
                    .map(|ip| Sighting::new(SocketAddr::new(ip, service.port)))
            })
            .collect();
        match (sightings.is_empty(), missing) {
            (false, _) => Ok((sightings, ttl.min(shortest.unwrap_or(RETRY)))),
            (true, Some(missing)) => Err(DiscoveryError::new(missing)),
            (true, None) => Err(DiscoveryError::new("there is no address")),
        }
    }
}

impl Discovery for Dns {
    fn next(&mut self) -> Next<'_> {
        Box::pin(async {
            sleep_until(self.due).await;
            let answer = self.look().await;
            let interval = answer
                .as_ref()
                .map_or(Duration::ZERO, |(_, ttl)| validity(*ttl));
            self.due = Instant::now() + jittered(interval, rand::random());
            answer.map(|(sightings, _)| sightings)
        })
    }

    fn name(&self) -> String {
        format!("DNS of {}", self.name)
    }
}

/// Hosts of one name that are looked up.
const SERVICES: usize = 1024;
/// Seconds until hosts are looked up again that could not be.
const RETRY: u32 = 5;
