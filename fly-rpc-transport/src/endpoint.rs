//! The endpoint: one UDP socket, the links over it, and the tasks that accept and watch them.

mod inner;

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Handle, time::timeout};

pub(crate) use self::inner::Inner;
use self::inner::watch_links;
use crate::{
    accept,
    catalogues::Catalogues,
    handshake::{self, DialError, EARLY, Manner, Presumed},
    identity::{Identity, Life},
    limits::Limits,
    link::Link,
    links::Links,
    lock::{read, write},
    name::NodeId,
    peers::Presumption,
    quic,
    randomness::Randomness,
    reactor::Reactor,
    refusals::Refusals,
    service::{Hearsay, Service},
    socket::{self, Socket},
    watch,
    wire::{Catalogue, Hello, View},
};

/// What an endpoint is made of. What it carries its datagrams over and where it draws its random
/// numbers come from outside, so that a simulation may bring its own.
#[derive(Debug)]
pub struct EndpointConfig {
    /// What carries its datagrams.
    pub socket: Socket,
    /// What decides where chance may.
    pub randomness: Randomness,
    /// Who this node is, provably.
    pub identity: Identity,
    /// Who this node says it is.
    pub hello: Hello,
    /// Its bounds.
    pub limits: Limits,
}

/// What an endpoint is busy with, and what it counted since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointStats {
    /// Links that are open, retiring ones included, and those that are not introduced yet left out.
    pub connections: usize,
    /// Calls of this node that await an answer on one of them.
    pub pending_calls: usize,
    /// Frames that were read from peers, broken ones included.
    pub frames_read: u64,
    /// Connections from outside that were asked to prove their address first (QUIC Retry).
    pub retries: u64,
    /// Connections from outside that were refused.
    pub refusals: Refusals,
}

/// A node's place in the network. Cheap to clone; [`close`](Self::close) ends it.
#[derive(Clone)]
pub struct Endpoint {
    inner: Arc<Inner>,
}

impl Endpoint {
    /// Starts to accept connections. Must be called on a tokio runtime, on which everything that
    /// the endpoint does will run.
    ///
    /// # Errors
    /// What the operating system says about the socket.
    pub fn start(config: EndpointConfig, service: Arc<dyn Service>) -> io::Result<Self> {
        let EndpointConfig {
            socket,
            randomness,
            identity,
            mut hello,
            limits,
        } = config;
        // Who dials it need not wait for its hello, then.
        let life = (!hello.observer && hello.message_size >= EARLY as u64).then(|| Life {
            incarnation: hello.incarnation,
            region: hello.region.clone(),
        });
        if let Err(error) = identity.live(life) {
            tracing::warn!(%error, "the certificate does not say where this node is");
        }
        let catalogues = Arc::<Catalogues>::default();
        hello.catalogue = catalogues.keep(hello.catalogue);
        let server = quic::server(&identity, &limits);
        #[cfg(feature = "sim")]
        let server = quic::predictable(server, &randomness);
        let (quinn, socket) = socket.serve(quic::endpoint(&randomness), server.clone())?;
        let inner = Arc::new(Inner {
            local_addr: quinn.local_addr()?,
            quinn: RwLock::new(Some(quinn.clone())),
            socket,
            identity,
            randomness,
            server,
            hello: RwLock::new(hello),
            limits: Arc::new(limits),
            service,
            peers: Arc::default(),
            counters: Arc::default(),
            catalogues,
            dials: AtomicU64::new(0),
            looks: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            runtime: Handle::current(),
        });
        tokio::spawn(watch_links(Arc::downgrade(&inner)));
        Ok(Self { inner })
    }

    /// Starts to accept connections. Until then, those who dial wait.
    pub fn accept(&self) {
        if let Some(quinn) = read(&self.inner.quinn).clone() {
            self.inner
                .runtime
                .spawn(accept::accept(quinn, Arc::downgrade(&self.inner)));
        }
    }

    /// The address that the socket is bound to.
    pub fn local_addr(&self) -> SocketAddr {
        self.inner.local_addr
    }

    /// Its bounds.
    pub fn limits(&self) -> &Limits {
        self.inner.limits()
    }

    /// What this node says of itself.
    pub fn hello(&self) -> Hello {
        self.inner.hello()
    }

    /// The runtime that the endpoint runs on.
    pub fn runtime(&self) -> &Handle {
        &self.inner.runtime
    }

    /// What decides where chance may.
    pub fn randomness(&self) -> &Randomness {
        &self.inner.randomness
    }

    /// Connects to `address` and exchanges hellos. If `expected` is given, whoever answers must be
    /// that node.
    ///
    /// The new link replaces or gives way to an older one to the same node; the one returned may
    /// therefore soon retire.
    ///
    /// # Errors
    /// [`DialError`] says why there is no link. No call was sent.
    pub async fn dial(
        &self,
        address: SocketAddr,
        expected: Option<NodeId>,
    ) -> Result<Arc<Link>, DialError> {
        let said = self.said_of(expected.as_ref());
        self.dial_in(Manner::Patient(said), address, expected).await
    }

    /// The same for whoever keeps the link: if the node is far, and its certificate says which life of it
    /// and which region it is of, the link is there a round trip earlier, before the other end's hello.
    /// Until it [is introduced](Link::introduced) nobody else finds it.
    pub(crate) async fn dial_on_sight(
        &self,
        address: SocketAddr,
        expected: Option<NodeId>,
    ) -> Result<Arc<Link>, DialError> {
        let said = self.said_of(expected.as_ref());
        self.dial_in(Manner::OnSight(said), address, expected).await
    }

    /// The same for a node that is needed now: if enough is said of it, the link is there a round trip
    /// earlier, before the other end's hello. Until it [is introduced](Link::introduced) nobody else
    /// finds it.
    ///
    /// # Errors
    /// As [`dial`](Self::dial).
    pub async fn dial_early(
        &self,
        address: SocketAddr,
        expected: NodeId,
    ) -> Result<Arc<Link>, DialError> {
        let said = self.inner.service.said_of(&expected);
        let known = |said: Hearsay| {
            let catalogue = self.inner.catalogues.find(&said.catalogue)?;
            Presumed::of(expected.clone(), said, catalogue).map(Manner::Early)
        };
        let manner = match said.clone().and_then(known) {
            Some(early) => early,
            None => Manner::Patient(said),
        };
        self.dial_in(manner, address, Some(expected)).await
    }

    fn said_of(&self, node: Option<&NodeId>) -> Option<Hearsay> {
        self.inner.service.said_of(node?)
    }

    async fn dial_in(
        &self,
        manner: Manner,
        address: SocketAddr,
        expected: Option<NodeId>,
    ) -> Result<Arc<Link>, DialError> {
        let inner = &self.inner;
        let quinn = read(&inner.quinn)
            .clone()
            .filter(|_| !inner.is_draining())
            .ok_or(DialError::Stopped)?;
        let number = inner.dials.fetch_add(1, Ordering::Relaxed) + 1;
        let config = quic::client(&inner.identity, expected, &inner.limits, address.ip());
        let mut hello = self.hello();
        hello.dial = number;
        let reactor = Reactor::start(&inner.runtime);
        let dialled = handshake::dial(
            &quinn,
            &reactor,
            config,
            address,
            inner.ours(&hello),
            manner,
        )
        .await;
        Ok(inner.join(dialled?, reactor))
    }

    /// The link to each connected node that is no observer, ordered by node id.
    pub fn links(&self) -> Arc<Links> {
        self.inner.peers.current()
    }

    /// What `look` makes of them. It costs less than to take them: nothing is written that threads share.
    pub fn look_at_links<T>(&self, look: impl FnOnce(&Links) -> T) -> T {
        self.inner.peers.look(look)
    }

    /// The link to one node.
    pub fn link(&self, node: &NodeId) -> Option<Arc<Link>> {
        self.links().get(node).cloned()
    }

    /// Tells those who wait for [`changes`](Self::changes) to look again: the layer above knows
    /// something new.
    pub fn refresh(&self) {
        self.inner.peers.refresh();
    }

    /// Links to far nodes whose certificates said which life they are of and where, and whose hellos are
    /// under way. [`links`](Self::links) has none of them.
    pub fn presumed(&self) -> Vec<Arc<Link>> {
        self.inner.peers.presumed()
    }

    /// Has it among those until what is returned is dropped.
    pub(crate) fn presume(&self, link: &Arc<Link>) -> Presumption {
        self.inner.peers.presume(link)
    }

    /// Counts changes of [`links`](Self::links) and of what is known of them.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.peers.changes()
    }

    /// How often all links were looked at, which is about once a second: round-trip times change
    /// then, and otherwise only when a peer has answered how far it is.
    pub fn looks(&self) -> u64 {
        self.inner.looks.load(Ordering::Acquire)
    }

    /// What this endpoint is busy with, and what it counted so far.
    pub fn stats(&self) -> EndpointStats {
        let links = self.inner.peers.all();
        let open = links.iter().filter(|link| !link.is_closed());
        EndpointStats {
            connections: open.count(),
            pending_calls: links.iter().map(|link| link.in_flight()).sum(),
            frames_read: self.inner.counters.frames_read(),
            retries: self.inner.counters.retries(),
            refusals: self.inner.counters.refusals.counts(),
        }
    }

    /// How many connections with peers were made since the start, by whichever end.
    pub fn connections_made(&self) -> u64 {
        self.inner.counters.connections_made()
    }

    /// Tells every peer, present and future, what this node serves from now on.
    pub fn set_catalogue(&self, catalogue: Catalogue) {
        let catalogue = self.inner.catalogues.keep(Arc::new(catalogue));
        write(&self.inner.hello).catalogue = Arc::clone(&catalogue);
        for link in self.inner.peers.all() {
            link.announce_catalogue(&catalogue);
        }
    }

    /// The catalogue with this digest, if this node or a peer of it serves that one.
    pub fn catalogue(&self, digest: &[u8; 16]) -> Option<Arc<Catalogue>> {
        self.inner.catalogues.find(digest)
    }

    /// Tells every peer, present and future, this node's view, and whoever waits for
    /// [`changes`](Self::changes) that there is one.
    pub fn set_view(&self, view: View) {
        {
            // Of two views the later one is told later: to every link, however young.
            let mut hello = write(&self.inner.hello);
            hello.view = view;
            for link in self.inner.peers.all() {
                link.announce_view(&hello.view);
            }
        }
        self.inner.peers.notify();
    }

    /// Tells every peer that this node takes no new calls, and waits until each has the answers to
    /// all it sent.
    ///
    /// # Cancel safety
    /// The announcement is made at the first poll and stands; only the waiting ends.
    pub async fn drain(&self) {
        self.inner.draining.store(true, Ordering::Relaxed);
        write(&self.inner.hello).draining = true;
        let links = self.inner.peers.all();
        for link in &links {
            link.announce_draining();
        }
        for link in &links {
            tokio::select! {
                biased;
                () = link.peer_is_done() => {}
                // Nobody is left who could say so.
                () = link.falls_silent(SILENCE) => {}
            }
        }
    }

    /// Closes every connection at once and waits for nothing.
    #[cfg(feature = "sim")]
    pub fn abandon(&self) {
        self.inner.shut();
    }

    /// Closes every connection and waits, for a moment, until the peers were told. Its port is free
    /// then, unless somebody keeps a [`Link`].
    ///
    /// # Cancel safety
    /// All is closing from the first poll on; only the waiting ends.
    pub async fn close(&self) {
        if let Some(quinn) = self.inner.shut() {
            // Bounded: a peer that is gone does not acknowledge that we go.
            let _ = timeout(FAREWELL, quinn.wait_idle()).await;
            // What still closes then does so unheard, and does not hold the port.
            socket::let_go(&quinn);
        }
        let mut socket = self.inner.socket.clone();
        let freed = async { while socket.changed().await.is_ok() {} };
        // Bounded as well: whoever keeps a thread may keep a connection from letting go.
        let _ = timeout(RELEASE, freed).await;
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("local_addr", &self.local_addr())
            .finish_non_exhaustive()
    }
}

/// How long a peer may leave pings unanswered before a drain no longer waits for it.
const SILENCE: Duration = Duration::from_secs(2);
/// How long a closing endpoint waits for its farewell to be sent.
const FAREWELL: Duration = Duration::from_millis(500);
/// How long it waits after that until its connections have let go of the socket.
const RELEASE: Duration = Duration::from_secs(2);
