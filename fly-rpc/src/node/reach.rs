//! Dialling a node because somebody needs it now: one dial at a time for each, however many need it.
//!
//! Calls follow this node's own hello, if what is said of the other one is enough for that. If it was
//! wrong, none of them ran, and the node is dialled once more, without haste.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use fly_rpc_transport::{DialError, Endpoint, Link, NodeId, watch};
use tokio::time::Instant;

/// The dials that are under way, and those that failed a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    dials: Arc<Mutex<BTreeMap<NodeId, Dial>>>,
}

#[derive(Debug)]
struct Dial {
    outcome: Arc<watch::Sender<Option<Outcome>>>,
    /// When it failed, if it did.
    failed: Option<Instant>,
}

type Outcome = Result<Arc<Link>, DialError>;

impl Reach {
    /// A link to `node`, which should be at `address`; the one that there is, if it takes calls.
    ///
    /// # Cancel safety
    /// The dial goes on for whoever asks next.
    pub(crate) fn reach(
        &self,
        endpoint: &Endpoint,
        node: &NodeId,
        address: SocketAddr,
    ) -> impl Future<Output = Outcome> + Send + 'static {
        let usable = endpoint
            .link(node)
            .filter(|link| !link.is_retiring() && !link.is_closed());
        let mut outcome = match usable {
            Some(link) => watch::Sender::new(Some(Ok(link))).subscribe(),
            None => self.dial(endpoint, node, address),
        };
        async move {
            let is_there = |outcome: &Option<Outcome>| match outcome {
                // Another dial follows, or nobody can say more.
                Some(Ok(link)) => !link.was_turned_away(),
                Some(Err(_)) => true,
                None => false,
            };
            let _ = outcome.wait_for(is_there).await;
            // The task that dials ends only with the runtime.
            outcome.now().unwrap_or(Err(DialError::Stopped))
        }
    }

    fn dial(
        &self,
        endpoint: &Endpoint,
        node: &NodeId,
        address: SocketAddr,
    ) -> watch::Receiver<Option<Outcome>> {
        let mut dials = self.dials.lock().unwrap_or_else(PoisonError::into_inner);
        dials.retain(|_, dial| dial.failed.is_none_or(|failed| failed.elapsed() < AGAIN));
        if let Some(dial) = dials.get(node) {
            return dial.outcome.subscribe();
        }
        let outcome = Arc::new(watch::Sender::new(None));
        let receiver = outcome.subscribe();
        let dial = Dial {
            outcome: Arc::clone(&outcome),
            failed: None,
        };
        dials.insert(node.clone(), dial);
        let (shared, endpoint, node) = (Arc::clone(&self.dials), endpoint.clone(), node.clone());
        endpoint.runtime().clone().spawn(async move {
            let tell = |dialled: &Outcome| {
                let dialled = Some(dialled.clone());
                outcome.send_modify(|outcome| *outcome = dialled);
            };
            let mut dialled = endpoint.dial_early(address, node.clone()).await;
            if let Ok(link) = &dialled {
                tell(&dialled);
                // Nobody else finds it before that.
                link.introduced().await;
                if link.was_turned_away() {
                    dialled = endpoint.dial(address, Some(node.clone())).await;
                }
            }
            {
                let mut dials = shared.lock().unwrap_or_else(PoisonError::into_inner);
                match (&dialled, dials.get_mut(&node)) {
                    (Err(_), Some(dial)) => dial.failed = Some(Instant::now()),
                    _ => drop(dials.remove(&node)),
                }
            }
            tell(&dialled);
        });
        receiver
    }
}

/// How long after a failure a node is not dialled anew for the next who needs it.
const AGAIN: Duration = Duration::from_millis(500);
