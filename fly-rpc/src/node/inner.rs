//! What all clones of a node share.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use fly_rpc_transport::{Endpoint, Limits, NodeId, Region};
use tokio::time::Instant;

use super::{dials::Dials, resources::Resources};
use crate::{
    budget::RetryBudget,
    error::RpcError,
    permits::Permit,
    registry::{Registry, States},
    resolve::Here,
    target::Target,
};

/// The state of a node.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) id: NodeId,
    pub(crate) region: Region,
    pub(crate) primary: Region,
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
    pub(crate) own_calls: Arc<AtomicUsize>,
    pub(crate) endpoint: Endpoint,
    pub(crate) dials: Arc<Dials>,
    pub(super) resources: Resources,
    pub(super) draining: AtomicBool,
    pub(super) stopped: AtomicBool,
    pub(super) budget: Mutex<RetryBudget>,
}

impl Inner {
    pub(crate) fn here(&self) -> Here<'_> {
        Here {
            node: &self.id,
            region: &self.region,
            primary: &self.primary,
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Counts a call of this node's own, if a drain is to wait for it: what begins after the drain
    /// does not hold it up.
    pub(crate) fn count_own_call(&self) -> Option<Permit> {
        (!self.is_draining()).then(|| Permit::count(&self.own_calls))
    }

    /// True if a node of `target` is connected and not draining, or this is one.
    pub(crate) fn knows(&self, target: &Target) -> bool {
        let here = self.here();
        let links = self.endpoint.links();
        (here.is_target(target) && !self.is_draining())
            || links.iter().any(|link| {
                !link.is_draining() && here.includes(target, link.node(), link.region())
            })
    }

    /// Every region that is known of, sorted.
    pub(crate) fn known_regions(&self) -> Vec<Region> {
        let links = self.endpoint.links();
        let regions: BTreeSet<Region> = links
            .iter()
            .map(|link| link.region().clone())
            .chain([self.region.clone()])
            .collect();
        regions.into_iter().collect()
    }

    pub(crate) fn is_dialling_first(&self) -> bool {
        self.dials.has_first()
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
        self.dials.stop();
        self.resources.release();
    }
}
