//! A member that is no node: it has the secret, serves nothing, and says of itself what it likes.

use std::{net::UdpSocket, sync::Arc};

use fly_rpc::{ClusterSecret, Identity, Limits, NodeId};
use fly_rpc_transport::{
    Catalogue, Endpoint, EndpointConfig, Hello, Link, PROTOCOL_VERSIONS, Randomness, Request,
    Served, Service, Status,
};

/// A member whose certificate names `certified`, and whose hello says `node`. Must be made on a runtime.
///
/// # Panics
/// If there is no free port.
pub fn member(secret: &ClusterSecret, cluster: &str, certified: &str, node: &str) -> Endpoint {
    let certified = NodeId::from(certified);
    let identity = Identity::from_secret(secret.clone(), None, cluster, &certified);
    let config = EndpointConfig {
        socket: UdpSocket::bind("127.0.0.1:0").expect("a free port").into(),
        randomness: Randomness::unforeseeable(),
        identity: identity.expect("sound"),
        hello: Hello {
            protocol: PROTOCOL_VERSIONS,
            cluster: cluster.to_owned(),
            node: node.into(),
            incarnation: 1,
            region: "cdg".into(),
            primary: "syd".into(),
            build: String::new(),
            advertise: None,
            dial: 0,
            message_size: 1 << 20,
            draining: false,
            catalogue: Arc::new(Catalogue::default()),
        },
        limits: Limits::default(),
    };
    Endpoint::start(config, Arc::new(Nothing)).expect("started")
}

/// Serves nothing.
struct Nothing;

impl Service for Nothing {
    fn serve(&self, _link: &Arc<Link>, request: Request) -> Served {
        Served::Answer(request.respond(Status::UnknownFunction))
    }
}
