//! What a node does with its sources: each has a task that waits for its answers, and all of them
//! decide together what is dialled.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fly_rpc_transport::{Backoff, Endpoint, NodeId, Region};
use tokio::time::{Instant, sleep};

use super::{
    Discovery, DiscoveryError,
    excerpt::Excerpt,
    merge::{Change, Expected, Merge},
    seldom::Seldom,
    sighting::Sighting,
};
use crate::node::Dials;

/// Everyone else, as the sources of one node say.
#[derive(Debug)]
pub(crate) struct Others {
    endpoint: Endpoint,
    dials: Arc<Dials>,
    merge: Mutex<Merge>,
}

impl Others {
    /// Nobody yet. What sources say about the node `own` is left out.
    pub(crate) fn new(own: NodeId, endpoint: Endpoint, dials: Arc<Dials>) -> Self {
        Self {
            endpoint,
            dials,
            merge: Mutex::new(Merge::new(own)),
        }
    }

    /// Follows a source until the future is dropped. From the moment of the call, not only of its
    /// first poll, a start waits for the source's first answer.
    pub(crate) fn follow(
        self: &Arc<Self>,
        source: Box<dyn Discovery>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let place = self.lock().add_source();
        let follower = Follower {
            place,
            name: source.name(),
            first: Some(FirstAnswer::awaited(&self.dials, place)),
            trouble: Seldom::default(),
            excess: Seldom::default(),
            others: Arc::clone(self),
        };
        follower.run(source)
    }

    fn replace(&self, place: usize, answer: Vec<Sighting>) {
        let mut merge = self.lock();
        let is_connected = |node: &NodeId| self.endpoint.link(node).is_some();
        // Under the lock, so that what two sources say at once is done in one order.
        for change in merge.replace(place, answer, is_connected) {
            tracing::debug!(?change, "discovery");
            match change {
                Change::Dial(address, expected) => {
                    self.dials.add(&self.endpoint, address, known(expected));
                }
                Change::Redial(address, expected) => {
                    self.dials.remove(address);
                    self.dials.add(&self.endpoint, address, known(expected));
                }
                Change::Forget(address) => self.dials.remove(address),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Merge> {
        self.merge.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who is expected, with a region that no node can have where the source does not know it.
fn known(expected: Expected) -> Option<(NodeId, Region)> {
    let (node, region) = expected?;
    Some((node, region.unwrap_or_else(|| Region::from(UNKNOWN))))
}

/// The task of one source.
struct Follower {
    place: usize,
    name: String,
    /// Until the first answer, or the first failure.
    first: Option<FirstAnswer>,
    trouble: Seldom,
    excess: Seldom,
    others: Arc<Others>,
}

impl Follower {
    async fn run(mut self, mut source: Box<dyn Discovery>) {
        let mut backoff = Backoff::between(RETRY_FIRST, RETRY_MOST);
        loop {
            let pause = match source.next().await {
                Ok(answer) => {
                    backoff.reset();
                    self.take(answer);
                    PAUSE
                }
                Err(error) => {
                    self.complain(&error);
                    backoff.next_delay(self.others.endpoint.randomness().fraction())
                }
            };
            self.first = None;
            sleep(pause).await;
        }
    }

    fn take(&mut self, mut answer: Vec<Sighting>) {
        if answer.len() > SIGHTINGS
            && let Some(left_out) = self.excess.admit(Instant::now())
        {
            tracing::warn!(
                source = self.name,
                addresses = answer.len(),
                most = SIGHTINGS,
                left_out,
                "a source of addresses names more than are dialled; the first ones are taken"
            );
        }
        answer.truncate(SIGHTINGS);
        self.others.replace(self.place, answer);
    }

    fn complain(&mut self, error: &DiscoveryError) {
        match self.trouble.admit(Instant::now()) {
            Some(left_out) => tracing::warn!(
                source = self.name,
                error = %Excerpt(&error.to_string()),
                left_out,
                "a source of addresses has no answer; what it said last stays"
            ),
            None => tracing::debug!(source = self.name, %error, "a source has no answer"),
        }
    }
}

/// A start waits while this lives. Also a source that panics lets it go.
struct FirstAnswer {
    dials: Arc<Dials>,
    name: String,
}

impl FirstAnswer {
    fn awaited(dials: &Arc<Dials>, place: usize) -> Self {
        let name = format!("source {place}");
        dials.look_up(&name);
        Self {
            dials: Arc::clone(dials),
            name,
        }
    }
}

impl Drop for FirstAnswer {
    fn drop(&mut self) {
        self.dials.looked_up(&self.name);
    }
}

/// No region's name, and no node's either.
const UNKNOWN: &str = "?";
/// Addresses of one source that are dialled: four times the thousand nodes that a cluster is made
/// for, and what 64 KiB, the most that DNS carries, have room for.
const SIGHTINGS: usize = 4096;
/// Time between two answers of one source: one that has always something to say leaves the processor
/// to others.
const PAUSE: Duration = Duration::from_millis(100);
/// How long after its first failure a source is asked again.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// How long at most after the last of many: a name server that is back should not stay unnoticed.
const RETRY_MOST: Duration = Duration::from_secs(30);
