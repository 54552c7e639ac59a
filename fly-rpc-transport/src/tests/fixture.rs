//! What the tests of this folder share: endpoints with an echo service, and a member that speaks raw QUIC.

use std::{
    future::Future,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{BufMut, Bytes};
use quinn::{Connection, RecvStream, SendStream};
use tokio::{sync::Semaphore, time::Instant};

use crate::{
    CallLost, Catalogue, ClusterSecret, DialError, Endpoint, EndpointConfig, Hello, Identity,
    Limits, Link, NodeId, PROTOCOL_VERSIONS, PendingCall, Randomness, Request, RequestHead,
    Response, Served, Service, Status, View,
    control::{ControlReader, hello_frame},
    quic,
    tls::SERVER_NAME,
    wire::FrameKind,
};

/// Longer than anything here takes on a busy machine.
pub(super) const SOON: Duration = Duration::from_secs(30);

/// One cluster of endpoints.
pub(super) struct Fixture {
    pub(super) secret: ClusterSecret,
    pub(super) limits: Limits,
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self {
            secret: ClusterSecret::generate(),
            limits: Limits::default(),
        }
    }

    pub(super) fn identity(&self, node: &str) -> Identity {
        let node = NodeId::from(node);
        Identity::from_secret(self.secret.clone(), None, CLUSTER, &node).expect("sound")
    }

    /// An endpoint that echoes, and its service.
    pub(super) fn endpoint(&self, node: &str) -> (Endpoint, Arc<Echo>) {
        self.endpoint_with(hello(node), self.identity(node))
    }

    pub(super) fn endpoint_with(&self, hello: Hello, identity: Identity) -> (Endpoint, Arc<Echo>) {
        let echo = Arc::new(Echo::default());
        let endpoint = self.endpoint_serving(hello, identity, Arc::clone(&echo) as _);
        (endpoint, echo)
    }

    /// An endpoint with a service of the test's own.
    pub(super) fn endpoint_serving(
        &self,
        hello: Hello,
        identity: Identity,
        service: Arc<dyn Service>,
    ) -> Endpoint {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let config = EndpointConfig {
            socket: socket.into(),
            randomness: Randomness::unforeseeable(),
            identity,
            hello,
            limits: self.limits.clone(),
        };
        let endpoint = Endpoint::start(config, service).expect("started");
        endpoint.accept();
        endpoint
    }

    /// Where a member listens that speaks raw QUIC.
    pub(super) fn listener(&self, node: &str) -> (quinn::Endpoint, SocketAddr) {
        let config = quic::server(&self.identity(node), &self.limits);
        let listener = quinn::Endpoint::server(config, ([127, 0, 0, 1], 0).into());
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("bound");
        (listener, address)
    }

    /// A member that has shaken hands with `with` and done nothing else.
    pub(super) async fn raw(&self, node: &str, with: &Endpoint) -> Raw {
        let endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into()).expect("a free port");
        let (config, _) = quic::client(
            &self.identity(node),
            None,
            &self.limits,
            with.local_addr().ip(),
        );
        let connecting = endpoint
            .connect_with(config, with.local_addr(), SERVER_NAME)
            .expect("dialled");
        Raw {
            connection: connecting.await.expect("a member"),
            _endpoint: endpoint,
        }
    }
}

pub(super) const CLUSTER: &str = "test";

pub(super) fn hello(node: &str) -> Hello {
    static INCARNATIONS: AtomicU64 = AtomicU64::new(1);
    Hello {
        protocol: PROTOCOL_VERSIONS,
        cluster: CLUSTER.into(),
        node: node.into(),
        incarnation: INCARNATIONS.fetch_add(1, Ordering::Relaxed),
        region: "syd".into(),
        view: View::configured("syd"),
        build: String::new(),
        advertise: None,
        dial: 0,
        message_size: 1 << 20,
        draining: false,
        observer: false,
        catalogue: Arc::new(Catalogue::default()),
    }
}

/// A member that speaks raw QUIC.
pub(super) struct Raw {
    pub(super) connection: Connection,
    _endpoint: quinn::Endpoint,
}

impl Raw {
    /// Opens the control stream with these bytes.
    pub(super) async fn say(&self, bytes: &[u8]) -> (SendStream, RecvStream) {
        let (mut send, recv) = self.connection.open_bi().await.expect("open");
        send.write_all(bytes).await.expect("open");
        (send, recv)
    }

    /// Introduces itself and returns the control stream.
    pub(super) async fn introduce(&self, node: &str) -> (SendStream, ControlReader) {
        self.introduce_as(&hello(node)).await
    }

    /// Introduces itself with this hello and returns the control stream.
    pub(super) async fn introduce_as(&self, hello: &Hello) -> (SendStream, ControlReader) {
        let (send, recv) = self.say(&hello_frame(&hello.clone().into())).await;
        let mut control = ControlReader::new(recv, &Limits::default());
        control.hello().await.expect("answered");
        (send, control)
    }

    /// The code that the other end closes the connection with.
    pub(super) async fn closed(&self) -> u64 {
        let reason = tokio::time::timeout(SOON, self.connection.closed())
            .await
            .expect("closed soon");
        match reason {
            quinn::ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
            other => panic!("closed without a code: {other}"),
        }
    }
}

/// Answers with the arguments. `wait` waits for a permit first.
#[derive(Debug)]
pub(super) struct Echo {
    pub(super) seen: AtomicUsize,
    /// Handlers that were dropped before they ended.
    pub(super) dropped: Arc<AtomicUsize>,
    pub(super) gate: Arc<Semaphore>,
}

struct Witness {
    dropped: Arc<AtomicUsize>,
    ended: bool,
}

impl Witness {
    fn end(mut self) {
        self.ended = true;
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if !self.ended {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Default for Echo {
    fn default() -> Self {
        Self {
            seen: AtomicUsize::new(0),
            dropped: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
        }
    }
}

impl Service for Echo {
    fn serve(&self, _link: &Arc<Link>, request: Request) -> Served {
        self.seen.fetch_add(1, Ordering::Relaxed);
        let mut answer = request.respond(Status::Ok);
        answer.body().put_slice(&request.arguments);
        if request.function() != "wait" {
            return Served::Answer(answer);
        }
        let gate = Arc::clone(&self.gate);
        let witness = Witness {
            dropped: Arc::clone(&self.dropped),
            ended: false,
        };
        let future = Box::pin(async move {
            gate.acquire().await.expect("never closed").forget();
            witness.end();
            answer
        });
        Served::Handler {
            future,
            cancellable: true,
        }
    }
}

pub(super) async fn send(link: &Link, function: &str, arguments: &'static [u8]) -> PendingCall {
    let head = RequestHead {
        function,
        version: 1,
        contract: [0; 16],
        trace: None,
        for_primary: false,
    };
    link.call(&head, &Bytes::from_static(arguments), Instant::now() + SOON)
        .await
        .expect("sent")
}

pub(super) async fn call(link: &Link, arguments: &'static [u8]) -> Result<Response, CallLost> {
    soon(send(link, "echo", arguments).await).await
}

pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.expect("soon")
}

/// Waits until a counter has reached `count`.
pub(super) async fn reached(counter: &AtomicUsize, count: usize) {
    soon(async {
        while counter.load(Ordering::Relaxed) < count {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Waits until `condition` holds for what `endpoint` is connected to.
pub(super) async fn until(endpoint: &Endpoint, condition: impl Fn(&Endpoint) -> bool) {
    let mut changes = endpoint.changes();
    let wait = async {
        while !condition(endpoint) {
            changes.changed().await.expect("the endpoint lives");
        }
    };
    soon(wait).await;
}

pub(super) fn refused(outcome: Result<Arc<Link>, DialError>) -> DialError {
    outcome.expect_err("refused")
}

/// A frame of any kind.
pub(super) fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 1).expect("small");
    [&length.to_le_bytes()[..], &[kind], body].concat()
}

pub(super) const REQUEST: u8 = FrameKind::Request as u8;
