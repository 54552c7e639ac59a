//! What all handles of an endpoint share, and what its connections ask of it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, RwLock, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Handle, time::MissedTickBehavior};

use crate::{
    catalogues::Catalogues,
    close::CloseCode,
    counters::Counters,
    handshake::Ours,
    identity::{Identity, KeptReason},
    limits::Limits,
    link::{Introduction, Link},
    lock::{read, write},
    peers::Peers,
    quic,
    randomness::Randomness,
    reactor::Reactor,
    service::Service,
    watch,
    wire::Hello,
};

pub(crate) struct Inner {
    /// `None` once closed: the socket is freed with the last handle of quinn's.
    pub(super) quinn: RwLock<Option<quinn::Endpoint>>,
    /// Gone once the socket is closed.
    pub(super) socket: watch::Receiver<()>,
    pub(super) local_addr: SocketAddr,
    pub(super) identity: Identity,
    pub(super) randomness: Randomness,
    pub(super) server: quinn::ServerConfig,
    pub(super) hello: RwLock<Hello>,
    pub(super) limits: Arc<Limits>,
    pub(super) service: Arc<dyn Service>,
    pub(super) peers: Arc<Peers>,
    pub(super) counters: Arc<Counters>,
    pub(super) catalogues: Arc<Catalogues>,
    pub(super) dials: AtomicU64,
    pub(super) looks: AtomicU64,
    pub(super) draining: AtomicBool,
    pub(super) runtime: Handle,
}

impl Inner {
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn hello(&self) -> Hello {
        read(&self.hello).clone()
    }

    pub(crate) fn is_observer(&self) -> bool {
        read(&self.hello).observer
    }

    /// Takes nothing new and closes every connection; returns what is closing, the first time.
    pub(super) fn shut(&self) -> Option<quinn::Endpoint> {
        self.draining.store(true, Ordering::Relaxed);
        let quinn = write(&self.quinn).take()?;
        quinn.close(CloseCode::Shutdown.varint(), b"");
        Some(quinn)
    }

    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// What this node brings to a handshake in which it says this hello.
    pub(crate) fn ours<'a>(&'a self, hello: &'a Hello) -> Ours<'a> {
        Ours {
            identity: &self.identity,
            hello,
            limits: &self.limits,
            counters: &self.counters,
            catalogues: &self.catalogues,
        }
    }

    /// What one connection is accepted with.
    pub(crate) fn server_of_one(&self, peer: IpAddr) -> (Arc<quinn::ServerConfig>, KeptReason) {
        quic::server_of_one(&self.server, &self.identity, &self.limits, peer)
    }

    pub(crate) fn join(
        self: &Arc<Self>,
        introduction: Introduction,
        reactor: Reactor,
    ) -> Arc<Link> {
        let serving = self.peers.serving(&introduction.hello.node);
        let told = introduction.told.clone();
        let peers = Arc::downgrade(&self.peers);
        let is_observer = introduction.hello.observer;
        let on_news = move || match peers.upgrade() {
            // Nothing that an observer does is news to anybody.
            Some(peers) if is_observer => peers.forget_observers(),
            Some(peers) => peers.refresh(),
            None => {}
        };
        let inner = Arc::downgrade(self);
        let join = move |link: &Arc<Link>| {
            if let Some(inner) = inner.upgrade() {
                inner.list(link, &told);
            }
        };
        let service = Arc::clone(&self.service);
        let limits = Arc::clone(&self.limits);
        Link::start(
            introduction,
            serving,
            service,
            limits,
            reactor,
            join,
            on_news,
        )
    }

    /// From now on it is one of the links.
    fn list(&self, link: &Arc<Link>, told: &Hello) {
        tracing::debug!(peer = %link.node(), region = %link.region(), address = %link.address(), "connected");
        self.peers.join(Arc::clone(link));
        {
            // It may have changed since the hello was written and before the link could be told.
            let hello = read(&self.hello);
            if hello.view != told.view {
                link.announce_view(&hello.view);
            }
            if !Arc::ptr_eq(&hello.catalogue, &told.catalogue) {
                link.announce_catalogue(&hello.catalogue);
            }
        }
        if self.is_draining() {
            link.announce_draining();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shut();
    }
}

/// Looks after every link about once a second, until the endpoint is closed.
pub(super) async fn watch_links(inner: Weak<Inner>) {
    let mut tick = tokio::time::interval(WATCH);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let Some(inner) = inner.upgrade().filter(|inner| read(&inner.quinn).is_some()) else {
            return;
        };
        let mut changed = false;
        for link in inner.peers.all() {
            changed |= link.observe() && !link.hello().observer;
        }
        // After the round-trip times, so that who sees this number sees them too. Who compares them
        // meanwhile, some old and some new, does so under the former number, and once more then.
        inner.looks.fetch_add(1, Ordering::Release);
        if changed {
            inner.peers.refresh();
        }
    }
}

/// How often links are looked at.
const WATCH: Duration = Duration::from_secs(1);
