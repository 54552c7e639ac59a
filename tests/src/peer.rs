//! A member of a cluster that is no node: it speaks through the transport alone, offers what a node offers, and
//! answers everything with one status.

use std::{
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use fly_rpc::{Identity, Limits, Node, NodeId};
use fly_rpc_transport::{
    Catalogue, Endpoint, EndpointConfig, Hello, Link, Offer, PROTOCOL_VERSIONS, Randomness,
    Request, RequestHead, Response, Served, Service, Status,
};

use crate::{Cluster, SOON};

/// A peer in `cdg`. It leaves when it is dropped.
#[derive(Debug)]
pub struct Peer {
    endpoint: Endpoint,
    asked: Arc<AtomicUsize>,
}

impl Peer {
    /// Joins the cluster with the catalogue of `like`, which it dials, and answers everything with this status.
    pub async fn join(cluster: &Cluster, id: &str, like: &Node, status: Status) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let service = Fixed {
            status,
            asked: Arc::clone(&asked),
        };
        let node = NodeId::from(id);
        let hello = Hello {
            protocol: PROTOCOL_VERSIONS,
            cluster: cluster.name().to_owned(),
            node: node.clone(),
            incarnation: 1,
            region: "cdg".into(),
            primary: "syd".into(),
            build: "none".into(),
            advertise: None,
            dial: 0,
            message_size: 4 << 20,
            draining: false,
            catalogue: Arc::new(Catalogue::new(offers(like))),
        };
        let identity = Identity::from_secret(cluster.secret(), None, cluster.name(), &node);
        let mut limits = Limits::default();
        // It may say what an honest one may not.
        limits.message_size = 64 << 20;
        let config = EndpointConfig {
            socket: UdpSocket::bind("127.0.0.1:0").expect("a free port").into(),
            randomness: Randomness::unforeseeable(),
            identity: identity.expect("a sound secret"),
            hello,
            limits,
        };
        let endpoint = Endpoint::start(config, Arc::new(service)).expect("a sound configuration");
        endpoint.accept();
        endpoint
            .dial(like.local_addr(), None)
            .await
            .expect("a member");
        like.wait_for(node, SOON).await.expect("connected");
        Self { endpoint, asked }
    }

    /// How many requests reached it.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// Its connection to the node that it joined.
    pub fn link(&self) -> Arc<Link> {
        Arc::clone(&self.endpoint.links()[0])
    }

    /// Asks that node for a function as `like` offers it, with a contract and arguments that need not be its own.
    pub async fn ask(
        &self,
        function: &str,
        contract: [u8; 16],
        remaining: std::time::Duration,
        arguments: impl Into<Bytes>,
    ) -> Response {
        let head = RequestHead {
            function,
            version: 1,
            contract,
            trace: None,
        };
        let pending = self
            .link()
            .call(&head, &arguments.into(), || remaining)
            .await;
        pending.expect("sent").await.expect("answered")
    }
}

/// The fingerprint of version 1 of a function of this node.
pub fn contract_of(node: &Node, function: &str) -> [u8; 16] {
    let offers = offers(node);
    let offer = offers
        .iter()
        .find(|offer| (offer.name.as_str(), offer.version) == (function, 1));
    offer.expect("a function of the node").fingerprint
}

/// Answers everything alike, and counts.
struct Fixed {
    status: Status,
    asked: Arc<AtomicUsize>,
}

impl Service for Fixed {
    fn serve(&self, _link: &Arc<Link>, request: Request) -> Served {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Served::Answer(request.respond(self.status))
    }
}

fn offers(node: &Node) -> Vec<Offer> {
    let functions = node.catalogue().into_iter();
    functions
        .map(|function| Offer {
            name: function.name,
            version: function.version,
            fingerprint: function.fingerprint.to_bytes(),
            contract: function.contract,
        })
        .collect()
}
