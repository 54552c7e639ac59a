//! What all clones of a node share.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use fly_rpc_transport::{DialError, Endpoint, Limits, Link, Links, NodeId, Region};
use tokio::time::Instant;

use super::{dials::Dials, platform::Platform, reach::Reach, resources::Resources};
use crate::{
    balance::{Bond, Moment, Nearest, Nodes, Resort},
    budget::RetryBudget,
    error::RpcError,
    membership::{Membership, Roster},
    primary::Seat,
    registry::{Registry, States, registered},
    resolve::{Here, Scene},
    routes::Routes,
    striped::{Counted, Striped},
    target::Target,
    telemetry::Meters,
};

/// The state of a node.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) id: NodeId,
    pub(crate) region: Region,
    /// True if this node only looks and calls.
    pub(crate) observer: bool,
    pub(crate) primary: Arc<Seat>,
    /// Where the configuration has the primary, if it says so.
    pub(crate) configured_primary: Option<Region>,
    /// True if there is neither a secret nor a certificate.
    pub(crate) development: bool,
    /// True if a second secret is accepted.
    pub(crate) rotating: bool,
    pub(crate) limits: Limits,
    pub(crate) default_timeout: Duration,
    pub(crate) drain_timeout: Duration,
    /// A test switch: calls that stay here go through the codec all the same.
    pub(crate) encodes_local_calls: bool,
    pub(crate) registry: Registry,
    pub(crate) states: Arc<States>,
    /// Handlers that run now, for whomever.
    pub(crate) running: Arc<AtomicUsize>,
    /// Calls of this node's own that were made before it drained and have not ended.
    pub(crate) own_calls: Striped,
    pub(crate) endpoint: Endpoint,
    pub(crate) dials: Arc<Dials>,
    /// Who is in the cluster by gossip, if this node takes part in it.
    pub(crate) membership: Option<Membership>,
    pub(super) reach: Reach,
    pub(super) platform: Platform,
    pub(super) resources: Resources,
    pub(super) draining: AtomicBool,
    pub(super) stopped: AtomicBool,
    pub(super) budget: Mutex<RetryBudget>,
    /// What is remembered of the nodes that were called.
    pub(crate) nodes: Nodes,
    pub(crate) meters: Meters,
    pub(super) nearest: Mutex<Nearest>,
    pub(super) began: Instant,
}

/// One reading of the clock, for all that is done at one time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) at: Instant,
    pub(crate) moment: Moment,
}

impl Inner {
    pub(crate) fn here(&self) -> Here<'_> {
        Here {
            node: &self.id,
            observer: self.observer,
            region: &self.region,
            primary: self.primary.region(),
        }
    }

    /// True if a call to `target` goes to that node because it is where the primary is.
    pub(crate) fn means_primary(&self, target: &Target, node: &NodeId, region: &Region) -> bool {
        let here = self.here();
        let targets = target.in_order();
        let meant = targets
            .iter()
            .find(|target| here.includes(target, node, region));
        // If none means it any more, the primary left in this very moment.
        meant.map_or(targets.contains(&Target::Primary), |meant| {
            *meant == Target::Primary
        })
    }

    /// The present moment, for whatever is remembered of nodes.
    pub(crate) fn now(&self) -> Moment {
        self.read_clock().moment
    }

    /// The same, with the clock's reading.
    pub(crate) fn read_clock(&self) -> Reading {
        self.reading(Instant::now())
    }

    /// A reading of the clock that was made then.
    pub(crate) fn reading(&self, at: Instant) -> Reading {
        let elapsed = at.saturating_duration_since(self.began);
        Reading {
            at,
            moment: Moment::from_millis(elapsed.as_millis() as u64),
        }
    }

    /// What holds for a choice that is made then.
    pub(crate) fn scene(&self, now: Moment, resort: Resort) -> Scene<'_> {
        Scene {
            now,
            resort,
            looks: self.endpoint.looks(),
            nearest: &self.nearest,
            hold: self.nodes.settings().hold,
        }
    }

    /// What is remembered of the node that `link` leads to.
    pub(crate) fn bond<'a>(&self, link: &'a Link) -> &'a Bond {
        let incarnation = link.hello().incarnation;
        link.attachment(|| self.nodes.bond(link.node(), incarnation, self.now()))
    }

    /// The links that calls take. What is remembered of the nodes at their other ends hangs on each,
    /// and beside them stands where calls may go.
    pub(crate) fn links(&self) -> Arc<Links> {
        let links = self.endpoint.links();
        self.routes(&links);
        links
    }

    /// What `look` makes of them and of where calls may go, which costs less than to take them.
    pub(crate) fn look_at_links<T>(&self, look: impl FnOnce(&Links, &Routes) -> T) -> T {
        let look = |links: &Links| look(links, self.routes(links));
        self.endpoint.look_at_links(look)
    }

    fn routes<'a>(&self, links: &'a Links) -> &'a Routes {
        links.conclusion(|| {
            for link in links.iter() {
                self.bond(link);
            }
            Routes::new(registered().len())
        })
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Who is known by gossip.
    pub(crate) fn roster(&self) -> Arc<Roster> {
        self.membership
            .as_ref()
            .map_or_else(Arc::default, Membership::roster)
    }

    /// A link to `node`, dialled at `address` if there is none.
    ///
    /// # Cancel safety
    /// The dial goes on for whoever asks next.
    pub(crate) fn reach(
        &self,
        node: &NodeId,
        address: SocketAddr,
    ) -> impl Future<Output = Result<Arc<Link>, DialError>> + Send + 'static {
        self.reach.reach(&self.endpoint, node, address)
    }

    /// What the clock on the wall says, in microseconds since 1970.
    pub(crate) fn time_of_day(&self) -> u64 {
        self.platform.time_of_day()
    }

    /// Counts a call of this node's own, if a drain is to wait for it: what begins after the drain
    /// does not hold it up.
    pub(crate) fn count_own_call(&self) -> Option<Counted<'_>> {
        (!self.is_draining()).then(|| self.own_calls.count())
    }

    /// True if a node of `target` is connected and not draining, or known by gossip and dialled when a call
    /// needs it, or this is one.
    pub(crate) fn knows(&self, target: &Target) -> bool {
        let here = self.here();
        let links = self.endpoint.links();
        (here.is_target(target) && !self.is_draining())
            || links.iter().any(|link| {
                !link.is_draining() && here.includes(target, link.node(), link.region())
            })
            || self.roster().iter().any(|(node, known)| {
                let facts = known.facts();
                !facts.draining
                    && facts.address.is_some()
                    && here.includes(target, node, &facts.region)
            })
    }

    /// Every region that is known of, sorted. That of an observer has no node because of it.
    pub(crate) fn known_regions(&self) -> Vec<Region> {
        let (links, roster) = (self.endpoint.links(), self.roster());
        let regions: BTreeSet<Region> = links
            .iter()
            .map(|link| link.region().clone())
            .chain((!self.observer).then(|| self.region.clone()))
            .chain(roster.iter().map(|(_, known)| known.facts().region.clone()))
            .collect();
        regions.into_iter().collect()
    }

    pub(crate) fn is_dialling_first(&self) -> bool {
        self.dials.has_first()
    }

    /// Waits until every address has been dialled once, or calls can go there already. Who would serve as the
    /// primary, or `follows` a source that says where it is, first hears what the others say of that.
    pub(super) async fn can_call(&self, follows: bool) {
        match follows || self.region == *self.primary.region() {
            true => self.dials.first().await,
            false => self.dials.first_or_presumed().await,
        }
    }

    /// Waits until every address has been dialled once.
    pub(crate) async fn first_dials(&self) {
        self.dials.first().await;
    }

    /// Dials what may lead to `target` now instead of later.
    pub(crate) fn hurry(&self, target: &Target) {
        self.dials
            .hurry(|node, region| self.here().includes(target, node, region));
    }

    /// Why a node of `target` that is known cannot be reached.
    pub(crate) fn unreachable(&self, target: &Target) -> Option<RpcError> {
        let (node, source) = self
            .dials
            .failure(|node, region| self.here().includes(target, node, region))?;
        Some(RpcError::Unreachable { node, source })
    }

    /// Notes a call that may be retried.
    pub(crate) fn deposit_retry(&self) {
        self.budget
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .deposit(Instant::now());
    }

    /// True if one more retry may be made.
    pub(crate) fn withdraw_retry(&self) -> bool {
        self.budget
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .withdraw(Instant::now())
    }

    /// From now on nothing is called or served.
    pub(super) fn stop(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.stopped.store(true, Ordering::Relaxed);
        self.primary.end();
        self.dials.stop();
        self.resources.release();
    }
}
