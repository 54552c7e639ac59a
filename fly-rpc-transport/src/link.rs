//! A link: one live connection to one node, from hello to close.
//!
//! The hello has been exchanged before a link exists, or enough is said of the other end to go by
//! (`link/introduction.rs`): so a link always knows who is at the other end, where, and what it serves.

mod calls;
mod gossip;
mod introduction;
mod life;
mod outlook;
mod view;

use std::{
    any::Any,
    sync::{
        Arc, Mutex, OnceLock, RwLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use quinn::{Connection, SendStream};
use tokio::time::Instant;

use self::outlook::Views;
use crate::{
    catalogues::Catalogues,
    close::CloseCode,
    control::{Control, ControlError, ControlReader, ControlSender, control_writer},
    counters::Counters,
    handshake::{DialError, Unheard},
    lane::{LaneSet, NotSent, Turns, serve_lane},
    limits::Limits,
    lock::write,
    pulse::Pulse,
    quic::{self, FIRST_LANES},
    reactor::{Reactor, attention},
    service::Service,
    tally::Tally,
    tie_break::Standing,
    watch,
    wire::{Catalogue, HalfRead, Hello},
};

/// A connection to a node that has introduced itself, or [is about to](Link::introduced).
#[derive(Debug)]
pub struct Link {
    connection: Connection,
    /// What the other end said first, or is taken to be about to say.
    hello: Hello,
    /// What it said, or why it did not, if calls did not wait for that.
    heard: OnceLock<Result<Hello, DialError>>,
    standing: Standing,
    /// True if this node dialled.
    dialled: bool,
    catalogue: RwLock<Arc<Catalogue>>,
    catalogues: Arc<Catalogues>,
    views: Views,
    limits: Arc<Limits>,
    counters: Arc<Counters>,
    lanes: LaneSet,
    control: ControlSender,
    serving: Arc<AtomicUsize>,
    half_read: Arc<HalfRead>,
    offences: Tally,
    gossip: Tally,
    accepted: AtomicU64,
    requests: AtomicU64,
    /// Microseconds; refreshed by [`observe`](Self::observe), because asking quinn takes the
    /// connection's lock.
    round_trip: AtomicU64,
    peer_is_draining: AtomicBool,
    suspect: AtomicBool,
    /// This node makes no more calls on it.
    retiring: AtomicBool,
    /// Signs of life are expected even if no call waits for one.
    watched: AtomicBool,
    pulse: Mutex<Pulse>,
    progress: watch::Sender<Progress>,
    attachment: OnceLock<Box<dyn Any + Send + Sync>>,
}

/// How far a link has come towards its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Progress {
    /// The other end has said hello, and was believed.
    introduced: bool,
    /// This node has told the peer that it has none left.
    done_sent: bool,
    /// The peer has none left.
    done_received: bool,
    last_pong: u64,
    closed: bool,
}

/// Why a request was not sent. Nothing of it left this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendRefused {
    /// The link is closing or closed.
    Closed,
    /// Too many calls await an answer on this link.
    Full,
    /// No time is left that a request could name: a microsecond.
    Late,
}

/// The streams and facts that the handshake leaves behind.
pub(crate) struct Introduction {
    pub(crate) connection: Connection,
    pub(crate) send: SendStream,
    pub(crate) control: ControlReader,
    pub(crate) hello: Hello,
    /// What the answer is judged by, if the hello is not the other end's own yet.
    pub(crate) unheard: Option<Unheard>,
    pub(crate) standing: Standing,
    pub(crate) dialled: bool,
    /// What this node said of itself.
    pub(crate) told: Hello,
    pub(crate) counters: Arc<Counters>,
    pub(crate) catalogues: Arc<Catalogues>,
}

impl Link {
    /// Makes a link, introduces it with `join` once the other end's hello is there, and has `reactor`
    /// keep it. The peer hears nothing but calls from it before it has joined. `serving` counts the handlers that run
    /// for this peer, over all its links.
    pub(crate) fn start(
        introduction: Introduction,
        serving: Arc<AtomicUsize>,
        service: Arc<dyn Service>,
        limits: Arc<Limits>,
        reactor: Reactor,
        join: impl FnOnce(&Arc<Self>) + Send + 'static,
        on_news: impl Fn() + Send + Sync + 'static,
    ) -> Arc<Self> {
        let Introduction {
            connection,
            send,
            control,
            hello,
            unheard,
            standing,
            dialled,
            told: _,
            counters,
            catalogues,
        } = introduction;
        let (sender, write_control) = control_writer(send);
        let link = Arc::new(Self {
            catalogue: RwLock::new(Arc::clone(&hello.catalogue)),
            catalogues,
            views: Views::new(hello.view.clone()),
            peer_is_draining: AtomicBool::new(hello.draining),
            hello,
            heard: OnceLock::new(),
            standing,
            dialled,
            lanes: LaneSet::new(
                connection.clone(),
                reactor.clone(),
                Arc::clone(&limits),
                Arc::clone(&counters),
            ),
            half_read: HalfRead::new(limits.partial_frames),
            offences: Tally::new(Instant::now()),
            gossip: Tally::new(Instant::now()),
            limits,
            counters,
            control: sender,
            serving,
            accepted: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            round_trip: AtomicU64::new(micros(connection.rtt())),
            suspect: AtomicBool::new(false),
            retiring: AtomicBool::new(false),
            watched: AtomicBool::new(false),
            pulse: Mutex::new(Pulse::new(Instant::now())),
            progress: watch::Sender::new(Progress {
                introduced: unheard.is_none(),
                ..Progress::default()
            }),
            attachment: OnceLock::new(),
            connection,
        });
        let join = match unheard {
            None => {
                join(&link);
                None
            }
            Some(unheard) => Some((unheard, join)),
        };
        let (kept, watched) = (Arc::clone(&link), Arc::clone(&link));
        tokio::spawn(async move {
            let lanes = &watched.lanes;
            tokio::select! {
                biased;
                () = watched.closed() => {}
                () = lanes.awaited().watch(|now| lanes.expire(now)) => {}
            }
        });
        reactor.spawn(async move {
            let live = async {
                tokio::join!(
                    kept.read_control(control, join, &*service, &on_news),
                    kept.accept_lanes(&service),
                    kept.read_datagrams(&*service),
                    kept.watch_close(&on_news)
                )
            };
            // The writer would wait for as long as the link, which sends to it, is kept by this
            // very task.
            tokio::select! {
                biased;
                _ = live => {}
                () = async { write_control.await; std::future::pending().await } => {}
            }
        });
        link
    }

    /// The memory of requests that are half-read on this link.
    pub(crate) fn half_read(&self) -> &Arc<HalfRead> {
        &self.half_read
    }

    /// The order of the large payloads that this end sends.
    pub(crate) fn turns(&self) -> &Turns {
        self.lanes.turns()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    pub(crate) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Counts a request that the service accepted, for the drain message.
    pub fn count_accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells the peer that this node takes no new calls.
    pub(crate) fn announce_draining(&self) {
        self.control.send(&Control::Draining {
            accepted: self.accepted.load(Ordering::Relaxed),
        });
    }

    /// Tells the peer what this node serves from now on.
    pub(crate) fn announce_catalogue(&self, catalogue: &Arc<Catalogue>) {
        self.control
            .send(&Control::Catalogue(Arc::clone(catalogue)));
    }

    /// Waits until the peer has no calls left here, or the connection is gone.
    pub(crate) async fn peer_is_done(&self) {
        self.until(|progress| progress.done_received || progress.closed)
            .await;
    }

    /// Asks both ends to move their calls to another connection between them, if they have any; this
    /// one closes when none is left.
    pub fn retire(self: &Arc<Self>) {
        self.control.send(&Control::Retire);
        self.finish_calls();
    }

    pub(crate) fn close(&self, code: CloseCode) {
        // The reason stays here: the number is all that the peer needs, and all that it is told.
        self.connection.close(code.varint(), b"");
    }

    async fn until(&self, condition: impl FnMut(&Progress) -> bool) {
        let mut progress = self.progress.subscribe();
        // The sender lives as long as the link that is borrowed here.
        let _ = progress.wait_for(condition).await;
    }

    /// Lets the calls in flight end and then tells the peer that none is left.
    fn finish_calls(self: &Arc<Self>) {
        if self.retiring.swap(true, Ordering::AcqRel) {
            return;
        }
        self.lanes.finish();
        let link = Arc::clone(self);
        tokio::spawn(async move {
            let end = async {
                link.lanes.finished().await;
                link.control.send(&Control::Done);
                link.progress
                    .send_modify(|progress| progress.done_sent = true);
                link.close_if_done();
                link.closed().await;
            };
            // No call, of either end, outlives its deadline.
            let longest = link.limits.deadline.saturating_add(FAREWELL);
            if tokio::time::timeout(longest, end).await.is_err() {
                tracing::warn!(peer = %link.node(), "a retired connection never became idle; it is closed");
                link.close(CloseCode::Retired);
            }
        });
    }

    async fn read_control(
        self: &Arc<Self>,
        mut control: ControlReader,
        join: Option<(Unheard, impl FnOnce(&Arc<Self>))>,
        service: &dyn Service,
        on_news: &impl Fn(),
    ) {
        if let Some((unheard, join)) = join
            && !self.meet(unheard, &mut control, join).await
        {
            return;
        }
        loop {
            match control.next().await {
                Ok(Control::Catalogue(_) | Control::Draining { .. } | Control::Retire)
                    if !self
                        .admits("tells too often what it serves, that it drains or retires") => {}
                Ok(Control::Catalogue(catalogue)) => {
                    *write(&self.catalogue) = self.catalogues.keep(catalogue);
                    on_news();
                }
                Ok(Control::Draining { accepted }) => {
                    if !self.peer_is_draining.swap(true, Ordering::Relaxed) {
                        tracing::info!(peer = %self.node(), accepted, "the peer drains: it takes no new calls");
                    }
                    self.finish_calls();
                    on_news();
                }
                Ok(Control::Retire) => {
                    self.finish_calls();
                    on_news();
                }
                Ok(Control::Done) => self
                    .progress
                    .send_modify(|progress| progress.done_received = true),
                Ok(Control::Ping(number)) => self.control.send(&Control::Pong(number)),
                Ok(Control::Pong(number)) => self.note_pong(number),
                Ok(Control::View(view)) => {
                    if self.hear_view(view) {
                        on_news();
                    }
                }
                Ok(Control::Gossip(message)) => self.hear(service, message),
                Err(ControlError::Ended) => return,
                Err(error) => {
                    tracing::warn!(peer = %self.node(), %error, "the control stream breaks the protocol; the connection is closed");
                    self.close(CloseCode::Malformed);
                    return;
                }
            }
            self.close_if_done();
        }
    }

    /// A retired link is closed by its dialler when neither end has calls left on it. A draining
    /// one is closed by the node that drains.
    fn close_if_done(&self) {
        let progress = self.progress.now();
        if self.dialled && progress.done_sent && progress.done_received && !self.is_draining() {
            self.close(CloseCode::Retired);
        }
    }

    async fn accept_lanes(self: &Arc<Self>, service: &Arc<dyn Service>) {
        let mut allows_all = self.limits.lanes <= FIRST_LANES;
        while let Ok((send, recv)) = self.connection.accept_bi().await {
            // It calls: whoever does may call much.
            if !std::mem::replace(&mut allows_all, true) {
                let most = quic::streams(self.limits.lanes);
                self.connection.set_max_concurrent_bi_streams(most);
            }
            let serving = serve_lane(Arc::clone(self), Arc::clone(service), send, recv);
            tokio::spawn(attention::attentive(serving));
        }
    }

    async fn watch_close(&self, on_news: &impl Fn()) {
        let reason = self.connection.closed().await;
        tracing::debug!(peer = %self.node(), %reason, "a connection ended");
        self.lanes.finish();
        self.retiring.store(true, Ordering::Release);
        self.progress.send_modify(|progress| progress.closed = true);
        on_news();
    }
}

impl From<NotSent> for SendRefused {
    fn from(refused: NotSent) -> Self {
        match refused {
            NotSent::Closed => Self::Closed,
            NotSent::Full => Self::Full,
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Time beyond the longest deadline after which a retired connection is closed: the last answer and
/// both *done* are on their way.
const FAREWELL: Duration = Duration::from_secs(5);
