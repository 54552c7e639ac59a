//! The DNS of Fly's private network.
//!
//! It lists the machines that run, which is not to say that they serve, five seconds old or older,
//! and it is sometimes gone. So it is asked where to dial and never whom to drop, an answer that is
//! empty or broken changes nothing, and who a machine is follows from its id: addresses change when
//! a machine moves to another host, and other machines get them.

mod records;

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use fly_rpc_transport::NodeId;
use tokio::time::{Instant, sleep_until};

use self::records::Machine;
use super::{
    Discovery, DiscoveryError, Next,
    excerpt::Excerpt,
    places::Places,
    questions::{Family, Questions},
    schedule::jittered,
    seldom::Seldom,
    sighting::Sighting,
};

/// The machines of an application on [Fly](https://fly.io), as its private DNS lists them.
///
/// With [`Node::from_env`](crate::Node::from_env) on Fly this is the default, set up from what Fly
/// tells each machine. Asked every five seconds, in this order, until something is found:
///
/// 1. `_instances.internal`: id, address and region of every machine of the organisation, of which
///    those of the application are taken;
/// 2. `vms.<app>.internal`, the ids and regions, and for each `<id>.vm.<app>.internal`;
/// 3. `<app>.internal`: addresses alone.
///
/// Nodes are taken to be named after their machines, as they are by default.
#[derive(Debug)]
pub struct FlyDns {
    app: String,
    port: u16,
    name_server: SocketAddr,
    interval: Duration,
    names_nodes: bool,
    own_machine: Option<NodeId>,
    own_address: Option<IpAddr>,
    due: Instant,
    /// Where machines were found that had to be looked up one by one.
    places: Places,
    faults: Seldom,
}

impl FlyDns {
    /// The machines of this application, at port 7411, found through the name server `[fdaa::3]:53`
    /// that every machine has.
    pub fn of(app: impl Into<String>) -> Self {
        Self {
            app: app.into().trim().to_ascii_lowercase(),
            port: PORT,
            name_server: NAME_SERVER,
            interval: INTERVAL,
            names_nodes: true,
            own_machine: None,
            own_address: None,
            due: Instant::now(),
            places: Places::default(),
            faults: Seldom::default(),
        }
    }

    /// The UDP port that the nodes are bound to, all to the same one. Default 7411.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The name server to ask. Default `[fdaa::3]:53`; over WireGuard it is another one.
    #[must_use]
    pub fn name_server(mut self, address: SocketAddr) -> Self {
        self.name_server = address;
        self
    }

    /// How often to ask; up to a tenth is added by chance. Default 5 s, which is how long answers
    /// hold: to ask more often is of use in tests only. At least 10 ms, at most an hour.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.clamp(Duration::from_millis(10), Duration::from_secs(3600));
        self
    }

    /// The machine that this node runs on, which is left out.
    #[must_use]
    pub fn own_machine(mut self, id: impl Into<NodeId>) -> Self {
        self.own_machine = Some(id.into());
        self
    }

    /// This machine's own address, which is left out where only addresses are known.
    #[must_use]
    pub fn own_address(mut self, address: IpAddr) -> Self {
        self.own_address = Some(address);
        self
    }

    /// Nodes have ids of their own: whoever answers at a machine's address is accepted, if it is a
    /// member of the cluster.
    #[must_use]
    pub fn nodes_have_other_ids(mut self) -> Self {
        self.names_nodes = false;
        self
    }

    /// Asks for as much as there is. An answer that lists nobody, not even this machine, is none.
    async fn look(&mut self) -> Result<Vec<Sighting>, DiscoveryError> {
        if !is_label(&self.app) {
            return Err(DiscoveryError::new(
                "the application's name is no DNS label",
            ));
        }
        let questions = Questions::to(Some(self.name_server))?;
        let first = match self.instances(&questions).await {
            Ok(sightings) => return Ok(sightings),
            Err(first) => first,
        };
        tracing::debug!(reason = %first, "_instances.internal does not help");
        match self.one_by_one(&questions).await {
            Ok(sightings) => return Ok(sightings),
            Err(second) => tracing::debug!(reason = %second, "vms does not help either"),
        }
        let name = format!("{}.internal.", self.app);
        match questions.addresses(&name, Family::V6).await {
            Ok(found) => Ok(self.addresses(found.values)),
            // What the best source says is the most telling.
            Err(_third) => Err(first),
        }
    }

    async fn instances(&mut self, questions: &Questions) -> Result<Vec<Sighting>, DiscoveryError> {
        let found = questions.texts("_instances.internal.").await;
        let found = found.map_err(DiscoveryError::new)?;
        let mut machines = Vec::new();
        for record in &found.values {
            let fault = |entry: &str, reason| note(&mut self.faults, entry, reason);
            machines.extend(records::instances(record, &self.app, fault));
        }
        if machines.is_empty() {
            let reason = format!("_instances.internal has no machine of {}", self.app);
            return Err(DiscoveryError::new(reason));
        }
        let others = machines.iter().filter(|(machine, _)| !self.is_own(machine));
        Ok(others
            .map(|(machine, ip)| self.sighting(machine, *ip))
            .collect())
    }

    async fn one_by_one(&mut self, questions: &Questions) -> Result<Vec<Sighting>, DiscoveryError> {
        let name = format!("vms.{}.internal.", self.app);
        let found = questions.texts(&name).await;
        let found = found.map_err(DiscoveryError::new)?;
        let mut machines = Vec::new();
        for record in &found.values {
            let fault = |entry: &str, reason| note(&mut self.faults, entry, reason);
            machines.extend(records::machines(record, fault));
        }
        if machines.is_empty() {
            return Err(DiscoveryError::new(format!("{name} lists no machine")));
        }
        machines.retain(|machine| !self.is_own(machine));
        machines.truncate(MACHINES);
        let host = |machine: &Machine| format!("{}.vm.{}.internal.", machine.id, self.app);
        let wanted: HashSet<_> = machines
            .iter()
            .map(|machine| (host(machine), Family::V6))
            .collect();
        let is_alone = wanted.is_empty();
        let look = self.places.look_up(questions, wanted).await;
        let sightings: Vec<Sighting> = machines
            .iter()
            .flat_map(|machine| {
                let ips = self.places.of(&host(machine));
                ips.into_iter().map(|ip| self.sighting(machine, ip))
            })
            .collect();
        match look.missing {
            Some(missing) if sightings.is_empty() && !is_alone => Err(DiscoveryError::new(missing)),
            _ => Ok(sightings),
        }
    }

    fn is_own(&self, machine: &Machine) -> bool {
        self.own_machine.as_ref() == Some(&machine.id)
    }

    fn sighting(&self, machine: &Machine, ip: IpAddr) -> Sighting {
        let sighting = Sighting::new(SocketAddr::new(ip, self.port));
        if !self.names_nodes {
            return sighting;
        }
        let sighting = sighting.node(&machine.id);
        match &machine.region {
            Some(region) => sighting.region(region),
            None => sighting,
        }
    }

    /// What can be said of bare addresses.
    fn addresses(&self, found: Vec<IpAddr>) -> Vec<Sighting> {
        let others = found.into_iter().filter(|ip| Some(*ip) != self.own_address);
        others
            .map(|ip| Sighting::new(SocketAddr::new(ip, self.port)))
            .collect()
    }
}

impl Discovery for FlyDns {
    fn next(&mut self) -> Next<'_> {
        Box::pin(async {
            sleep_until(self.due).await;
            let answer = self.look().await;
            self.due = Instant::now() + jittered(self.interval, rand::random());
            answer
        })
    }

    fn name(&self) -> String {
        format!("Fly's DNS, for {}", self.app)
    }
}

fn note(faults: &mut Seldom, entry: &str, reason: records::Fault) {
    if let Some(left_out) = faults.admit(Instant::now()) {
        let entry = Excerpt(entry);
        tracing::warn!(%entry, reason, left_out, "an entry of Fly's DNS is skipped");
    }
}

/// Whether a text can be one part of a domain name, as names of applications are.
fn is_label(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=63).contains(&text.len()) && text.bytes().all(is_plain)
}

const PORT: u16 = 7411;
/// What `/etc/resolv.conf` of every machine says.
const NAME_SERVER: SocketAddr =
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0xfdaa, 0, 0, 0, 0, 0, 0, 3)), 53);
const INTERVAL: Duration = Duration::from_secs(5);
/// Machines that are looked up one by one.
const MACHINES: usize = 1024;
