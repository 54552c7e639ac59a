//! Whom a node asks for the addresses of others.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use fly_rpc_transport::NodeId;

use super::{NodeBuilder, inner::Inner};
use crate::{
    discovery::{Announcement, Discovery, Fixed, FlyDns, LocalNodes, Name, Others},
    environment::OnFly,
    start_error::StartError,
};

impl NodeBuilder {
    /// Whom to ask for addresses.
    pub(super) fn sources(
        &mut self,
        id: &NodeId,
        bound: SocketAddr,
    ) -> Result<Vec<Box<dyn Discovery>>, StartError> {
        let mut sources = std::mem::take(&mut self.sources);
        // In development mode nobody outside this machine could be reached.
        if let Some(fly) = self.fly.take()
            && sources.is_empty()
            && !self.is_development()
        {
            sources.push(Box::new(self.fly_dns(fly, id, bound)));
        }
        let (addresses, names): (Vec<_>, Vec<_>) = self
            .peers
            .iter()
            .partition(|peer| peer.parse::<SocketAddr>().is_ok());
        if !addresses.is_empty() {
            let addresses = addresses.iter().flat_map(|address| address.parse());
            sources.push(Box::new(Fixed::new::<SocketAddr>(addresses)));
        }
        for name in names {
            sources.push(Box::new(Name::new(name)?));
        }
        Ok(sources)
    }

    /// The platform's own DNS. All machines are taken to be configured alike: the port at which this
    /// one is reached is that of the others.
    fn fly_dns(&self, fly: OnFly, id: &NodeId, bound: SocketAddr) -> FlyDns {
        let port = if self.observer {
            // Its own is any; what is set is meant for the nodes.
            let set = self.advertise.or(self.bind).map(|address| address.port());
            set.filter(|port| *port != 0).unwrap_or(PORT)
        } else {
            self.advertise.unwrap_or(bound).port()
        };
        let mut dns = FlyDns::of(fly.app).port(port);
        if let Some(name_server) = fly.name_server {
            dns = dns.name_server(name_server);
        }
        if self.observer {
            // A node on this very machine is one of those that it looks for.
            return dns.nodes_have_other_ids();
        }
        if let Some(ip) = fly.private_ip {
            dns = dns.own_address(ip);
        }
        if fly.machine.as_ref() != Some(id) {
            dns = dns.nodes_have_other_ids();
        }
        match fly.machine {
            Some(machine) => dns.own_machine(machine),
            None => dns,
        }
    }
}

/// Starts to follow every source of addresses: with the nodes of this machine, if this is one of them, or looks at
/// their folder.
pub(super) fn follow(
    inner: &Inner,
    mut sources: Vec<Box<dyn Discovery>>,
    announcement: Option<Announcement>,
    folder: Option<PathBuf>,
) {
    if let Some(folder) = folder {
        sources.push(Box::new(LocalNodes::of(folder)));
    }
    if let Some(announcement) = announcement {
        sources.push(Box::new(LocalNodes::new(announcement.clone())));
        inner.resources.hold_announcement(announcement);
    }
    let (endpoint, dials) = (inner.endpoint.clone(), Arc::clone(&inner.dials));
    let others = Arc::new(Others::new(inner.id.clone(), endpoint, dials));
    for source in sources {
        let follow = others.follow(source);
        inner.resources.hold_task(tokio::spawn(follow));
    }
}

/// Where nodes are bound if nothing is set.
const PORT: u16 = 7411;

#[cfg(test)]
mod tests {
    use fly_rpc_transport::ClusterSecret;

    use super::*;

    /// A builder as on a machine of Fly's, with these variables beside.
    fn on_fly(variables: &[(&str, &str)]) -> NodeBuilder {
        let platform = [
            ("FLY_APP_NAME", "guestbook"),
            ("FLY_MACHINE_ID", "148e306f77e389"),
            ("PRIMARY_REGION", "iad"),
        ];
        let variables = [&platform, variables].concat();
        let builder = NodeBuilder::from_env(|name| {
            let mut variables = variables.iter();
            let (_, value) = variables.find(|(variable, _)| *variable == name)?;
            Some((*value).to_owned())
        });
        builder.expect("sound")
    }

    fn sources(mut builder: NodeBuilder) -> Vec<Box<dyn Discovery>> {
        let id = builder.id.clone().expect("given");
        let bound = SocketAddr::from(([127, 0, 0, 1], 7411));
        builder.sources(&id, bound).expect("sound")
    }

    fn names(builder: NodeBuilder) -> Vec<String> {
        let sources = sources(builder);
        sources.iter().map(|source| source.name()).collect()
    }

    #[test]
    fn on_fly_the_secret_is_enough_and_peers_go_on_beside() {
        let secret = ClusterSecret::generate;
        let fly = "Fly's DNS, for guestbook";
        assert_eq!(names(on_fly(&[]).secret(secret())), [fly]);
        let peers = on_fly(&[("FLY_RPC_PEERS", "db.internal:7411,[fdaa::9]:7411")]);
        let all = [fly, "fixed addresses", "db.internal:7411"];
        assert_eq!(names(peers.secret(secret())), all);
        // Without a secret a node is in development mode, and reaches nobody outside this machine.
        assert_eq!(names(on_fly(&[])), [""; 0]);
    }

    #[test]
    fn a_source_that_is_given_takes_the_place_of_the_default() {
        let given = on_fly(&[]).discovery(Fixed::default());
        assert_eq!(
            names(given.secret(ClusterSecret::generate())),
            ["fixed addresses"]
        );
    }

    #[test]
    fn an_observer_looks_for_the_ports_of_nodes_and_for_one_on_its_own_machine() {
        let looked_for = |variables: &[(&str, &str)]| {
            let builder = on_fly(variables).observer(true);
            format!(
                "{:?}",
                sources(builder.secret(ClusterSecret::generate()))[0]
            )
        };
        // It is bound to another one.
        let source = looked_for(&[]);
        assert!(
            source.contains("port: 7411") && source.contains("own_machine: None"),
            "{source}"
        );
        assert!(source.contains("names_nodes: false"), "{source}");
        let set = [("FLY_RPC_BIND", "[::]:9000"), ("FLY_PRIVATE_IP", "fdaa::3")];
        let source = looked_for(&set);
        assert!(
            source.contains("port: 9000") && source.contains("own_address: None"),
            "{source}"
        );
    }

    #[test]
    fn machines_name_nodes_only_where_nodes_are_named_after_machines() {
        let named = |builder: NodeBuilder| {
            let sources = sources(builder.secret(ClusterSecret::generate()));
            format!("{:?}", sources[0]).contains("names_nodes: true")
        };
        assert!(named(on_fly(&[])));
        assert!(!named(on_fly(&[("FLY_RPC_NODE_ID", "web-1")])));
        assert!(!named(on_fly(&[]).id("web-1")));
    }
}
