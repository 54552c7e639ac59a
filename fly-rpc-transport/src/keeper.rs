//! Keeping a connection to an address: dial, wait until it ends, back off, dial again.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::Notify, task::AbortHandle, time::sleep};

use crate::{
    backoff::Backoff,
    close::CloseCode,
    endpoint::Endpoint,
    handshake::DialError,
    link::Link,
    lock::lock,
    name::{NodeId, Region},
    watch,
};

/// Keeps a link to whoever answers at one address, until it is dropped.
#[derive(Debug)]
pub struct Keeper {
    shared: Arc<Shared>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    expected: Option<NodeId>,
    attempts: watch::Sender<Attempts>,
    hurry: Notify,
    last_error: Mutex<Option<DialError>>,
    last_peer: Mutex<Option<(NodeId, Region)>>,
}

/// How the dials went so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Dials that ended, one way or the other.
    pub ended: u64,
    /// True while there is a link.
    pub connected: bool,
    /// True if there was one, and the other end needed it no longer: it is there, and can be called.
    pub let_go: bool,
    /// True while there is one that calls may take, and over which the other end has not said hello yet.
    pub presumes: bool,
    /// True if the address turned out to be this node's own, and is no longer dialled.
    pub itself: bool,
}

impl Keeper {
    /// Starts to keep a link to `address`. If `expected` is given, whoever answers must be that
    /// node.
    pub fn start(endpoint: Endpoint, address: SocketAddr, expected: Option<NodeId>) -> Self {
        let shared = Arc::new(Shared {
            address,
            expected,
            attempts: watch::Sender::default(),
            hurry: Notify::new(),
            last_error: Mutex::default(),
            last_peer: Mutex::default(),
        });
        let task = endpoint
            .runtime()
            .clone()
            .spawn(keep(endpoint, Arc::clone(&shared)))
            .abort_handle();
        Self { shared, task }
    }

    /// The address that is dialled.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// How the dials went so far, and go on.
    pub fn attempts(&self) -> watch::Receiver<Attempts> {
        self.shared.attempts.subscribe()
    }

    /// Why the last dial failed.
    pub fn last_error(&self) -> Option<DialError> {
        lock(&self.shared.last_error).clone()
    }

    /// Who answered last.
    pub fn last_peer(&self) -> Option<(NodeId, Region)> {
        lock(&self.shared.last_peer).clone()
    }

    /// Dials now instead of after the current delay: somebody needs the node.
    pub fn hurry(&self) {
        self.shared.hurry.notify_one();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep(endpoint: Endpoint, shared: Arc<Shared>) {
    let mut backoff = Backoff::new(endpoint.limits());
    loop {
        let outcome = connect(&endpoint, &shared).await;
        match outcome {
            Ok(link) => {
                shared.meets(&link);
                shared.attempts.send_modify(|attempts| {
                    attempts.ended += 1;
                    attempts.connected = true;
                    attempts.let_go = false;
                });
                let since = tokio::time::Instant::now();
                gone(&endpoint, &link).await;
                shared.attempts.send_modify(|attempts| {
                    attempts.connected = false;
                    attempts.let_go = was_let_go(&link);
                });
                if since.elapsed() >= STABLE {
                    backoff.reset();
                }
            }
            Err(error) => {
                let itself = error.is_itself();
                note(&shared, &error);
                *lock(&shared.last_error) = Some(error);
                shared.attempts.send_modify(|attempts| {
                    attempts.ended += 1;
                    attempts.itself = itself;
                    attempts.let_go = false;
                });
                if itself {
                    return;
                }
            }
        }
        let delay = backoff.next_delay(endpoint.randomness().fraction());
        let distance = delay.min(DISTANCE);
        sleep(distance).await;
        tokio::select! {
            biased;
            () = sleep(delay - distance) => {}
            () = shared.hurry.notified() => {}
        }
    }
}

/// A refusal is a mistake in somebody's configuration and worth a warning, once; silence is common.
fn note(shared: &Shared, error: &DialError) {
    let again =
        lock(&shared.last_error).as_ref().map(ToString::to_string) == Some(error.to_string());
    if error.is_refusal() && !error.is_itself() && !again {
        tracing::warn!(address = %shared.address, %error, "a peer and this node do not accept each other");
    } else {
        tracing::debug!(address = %shared.address, %error, "a dial failed");
    }
}

async fn connect(endpoint: &Endpoint, shared: &Shared) -> Result<Arc<Link>, DialError> {
    let last_peer = || lock(&shared.last_peer).as_ref().map(|peer| peer.0.clone());
    let node = shared.expected.clone().or_else(last_peer);
    if let Some(link) = node.and_then(|node| sound_link(endpoint, &node)) {
        return Ok(link);
    }
    let expected = || shared.expected.clone();
    let link = endpoint.dial_on_sight(shared.address, expected()).await?;
    if link.is_introduced() || shared.presume(endpoint, &link).await {
        Ok(link)
    } else if link.was_turned_away() {
        // As whoever it is.
        endpoint.dial(shared.address, expected()).await
    } else {
        Err(link.failure())
    }
}

impl Shared {
    /// Lets calls take a link until the other end has said hello; false if it never does.
    async fn presume(&self, endpoint: &Endpoint, link: &Arc<Link>) -> bool {
        self.meets(link);
        let _presumed = endpoint.presume(link);
        self.attempts
            .send_modify(|attempts| attempts.presumes = true);
        let is_introduced = link.introduced().await;
        self.attempts
            .send_modify(|attempts| attempts.presumes = false);
        is_introduced
    }

    fn meets(&self, link: &Link) {
        *lock(&self.last_peer) = Some((link.node().clone(), link.region().clone()));
    }
}

/// Waits until no sound link to the node is left: the one that was dialled may have given way to
/// another. One that was silent for too long is not waited for to the end: if the node is there,
/// which a fresh dial shows within a round trip, the new link takes its place.
async fn gone(endpoint: &Endpoint, link: &Link) {
    let mut changes = endpoint.changes();
    while sound_link(endpoint, link.node()).is_some() {
        // The endpoint is borrowed here, so it lives.
        let _ = changes.changed().await;
    }
}

/// True if a link that no longer serves was retired, and not lost.
fn was_let_go(link: &Link) -> bool {
    let is_there = !link.is_draining() && !link.is_suspect();
    is_there && (!link.is_closed() || link.close_code() == Some(CloseCode::Retired))
}

/// The link to a node, if calls may go there and it is not suspected to be dead.
fn sound_link(endpoint: &Endpoint, node: &NodeId) -> Option<Arc<Link>> {
    endpoint
        .link(node)
        .filter(|link| !link.is_retiring() && !link.is_draining() && !link.is_suspect())
}

/// Time between two dials, however many calls ask to hurry: each is a handshake to both ends.
const DISTANCE: Duration = Duration::from_millis(80);
/// A link that lived this long was a success; a shorter one counts as one more failure, so that two
/// nodes which accept and drop each other do not spin.
const STABLE: Duration = Duration::from_secs(1);
