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
use fly_rpc::{ClusterSecret, Identity, Limits, Node, NodeId, Target};
use fly_rpc_transport::{
    Catalogue, Endpoint, EndpointConfig, Hello, Link, Offer, PROTOCOL_VERSIONS, Randomness,
    Request, RequestHead, Response, Served, Service, Status, View,
};
use tokio::time::Instant;

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
        Self::join_changed(cluster, id, like, |_| (), status, b"").await
    }

    /// The same with the catalogue changed, and with a body behind the status.
    pub async fn join_changed(
        cluster: &Cluster,
        id: &str,
        like: &Node,
        change: impl Fn(&mut Offer),
        status: Status,
        body: &[u8],
    ) -> Self {
        let mut offers = offers(like);
        offers.iter_mut().for_each(change);
        let view = View::configured("syd");
        Self::join_as(cluster, id, like, (view, offers), status, body).await
    }

    /// As [`join`](Self::join), seeing the primary where `view` says, and with a body behind the status.
    pub async fn join_with_view(
        cluster: &Cluster,
        id: &str,
        like: &Node,
        view: View,
        status: Status,
        body: &[u8],
    ) -> Self {
        Self::join_as(cluster, id, like, (view, offers(like)), status, body).await
    }

    async fn join_as(
        cluster: &Cluster,
        id: &str,
        like: &Node,
        (view, offers): (View, Vec<Offer>),
        status: Status,
        body: &[u8],
    ) -> Self {
        let service = Fixed::new(status, body);
        let asked = Arc::clone(&service.asked);
        let mut limits = Limits::default();
        // It may say what an honest one may not.
        limits.message_size = 64 << 20;
        let endpoint = lone(
            &cluster.secret(),
            cluster.name(),
            [id, id],
            offers,
            limits,
            service,
        );
        endpoint.set_view(view);
        endpoint.accept();
        endpoint
            .dial(like.local_addr(), None)
            .await
            .expect("a member");
        like.wait_for(Target::from(&NodeId::from(id)), SOON)
            .await
            .expect("connected");
        Self { endpoint, asked }
    }

    /// Tells everybody that it serves nothing any more.
    pub fn serve_nothing(&self) {
        self.endpoint.set_catalogue(Catalogue::default());
    }

    /// Tells everybody that it sees the primary elsewhere now.
    pub fn see(&self, view: View) {
        self.endpoint.set_view(view);
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
        self.request(function, contract, false, None, remaining, arguments.into())
            .await
    }

    /// As [`ask`](Self::ask), with these bytes as the trace that the request belongs to.
    pub async fn ask_in_trace(
        &self,
        function: &str,
        contract: [u8; 16],
        trace: [u8; 26],
        arguments: impl Into<Bytes>,
    ) -> Response {
        let trace = Some(trace);
        self.request(function, contract, false, trace, SOON, arguments.into())
            .await
    }

    /// As [`ask`](Self::ask), for the primary wherever that is.
    pub async fn ask_for_primary(
        &self,
        function: &str,
        contract: [u8; 16],
        arguments: impl Into<Bytes>,
    ) -> Response {
        self.request(function, contract, true, None, SOON, arguments.into())
            .await
    }

    async fn request(
        &self,
        function: &str,
        contract: [u8; 16],
        for_primary: bool,
        trace: Option<[u8; 26]>,
        remaining: std::time::Duration,
        arguments: Bytes,
    ) -> Response {
        let head = RequestHead {
            function,
            version: 1,
            contract,
            trace,
            for_primary,
        };
        let pending = self
            .link()
            .call_that_claims(&head, &arguments, Instant::now() + SOON, remaining)
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

/// An endpoint in `cdg` whose certificate names the first of two nodes, and whose hello the second. It accepts nobody yet.
pub(crate) fn lone(
    secret: &ClusterSecret,
    cluster: &str,
    [certified, node]: [&str; 2],
    offers: Vec<Offer>,
    limits: Limits,
    service: Fixed,
) -> Endpoint {
    let certified = NodeId::from(certified);
    let identity = Identity::from_secret(secret.clone(), None, cluster, &certified);
    let config = EndpointConfig {
        socket: UdpSocket::bind("127.0.0.1:0").expect("a free port").into(),
        randomness: Randomness::unforeseeable(),
        identity: identity.expect("a sound secret"),
        hello: Hello {
            protocol: PROTOCOL_VERSIONS,
            cluster: cluster.to_owned(),
            node: node.into(),
            incarnation: 1,
            region: "cdg".into(),
            view: View::configured("syd"),
            build: "none".into(),
            advertise: None,
            dial: 0,
            message_size: 4 << 20,
            draining: false,
            observer: false,
            catalogue: Arc::new(Catalogue::new(offers)),
        },
        limits,
    };
    Endpoint::start(config, Arc::new(service)).expect("a sound configuration")
}

/// Answers everything alike, and counts.
pub(crate) struct Fixed {
    status: Status,
    body: Vec<u8>,
    asked: Arc<AtomicUsize>,
}

impl Fixed {
    pub(crate) fn new(status: Status, body: &[u8]) -> Self {
        Self {
            status,
            body: body.to_vec(),
            asked: Arc::default(),
        }
    }
}

impl Service for Fixed {
    fn serve(&self, _link: &Arc<Link>, request: Request) -> Served {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Served::Answer(request.respond(self.status).with_detail(&self.body))
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
