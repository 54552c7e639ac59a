//! How far a call has come. Most calls ask one node once, so what the others need is apart: every call in
//! flight has room for this.

use std::sync::Arc;

use fly_rpc_transport::{Backoff, Link, NodeId};

use crate::{
    error::{Executed, RpcError},
    primary::{Pursuit, Turns},
};

/// How far a call has come; it may turn to this node in between, and go on.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// This node was tried.
    pub(super) here: bool,
    pub(super) attempts: u32,
    /// The error of the last attempt.
    pub(super) failure: Option<Box<RpcError>>,
    pub(super) pursuit: Pursuit,
    pub(super) turns: Turns,
    detours: Option<Box<Detours>>,
}

/// What a call remembers that was not answered by the first node that it asked.
#[derive(Debug, Default)]
pub(super) struct Detours {
    pub(super) tried: Vec<Arc<Link>>,
    /// Nodes that could not be connected, or were for nothing.
    pub(super) unreached: Vec<NodeId>,
    /// The error of an attempt which may have run, and was followed by another.
    pub(super) doubt: Option<RpcError>,
    pub(super) backoff: Option<Backoff>,
}

impl Course {
    /// The beginning, `here` if this node was tried already.
    pub(crate) fn new(here: bool) -> Self {
        Self {
            here,
            ..Self::default()
        }
    }

    pub(super) fn detours(&mut self) -> &mut Detours {
        self.detours.get_or_insert_default()
    }

    /// The nodes that were asked and are not asked again.
    pub(super) fn tried(&self) -> &[Arc<Link>] {
        self.detours
            .as_ref()
            .map_or(&[], |detours| &detours.tried[..])
    }

    /// Those that are not dialled again.
    pub(super) fn unreached(&self) -> &[NodeId] {
        self.detours
            .as_ref()
            .map_or(&[], |detours| &detours.unreached[..])
    }

    /// Notes that this node refused the call, which therefore did not run.
    pub(super) fn refused_here(&mut self, error: RpcError) {
        self.here = true;
        self.failure = Some(Box::new(error));
    }

    /// Nodes that refused may be asked again.
    pub(super) fn begin_anew(&mut self) {
        if let Some(detours) = &mut self.detours {
            detours.tried.clear();
            detours.unreached.clear();
        }
        self.here = false;
    }

    /// What the caller is told: that the last attempt did not run is not the whole truth if an earlier
    /// one may have.
    pub(crate) fn verdict(&mut self, error: RpcError) -> RpcError {
        let doubt = self.detours.as_mut().map(|detours| &mut detours.doubt);
        match doubt.and_then(Option::take) {
            Some(doubt) if error.executed() == Executed::No => doubt,
            _ => error,
        }
    }
}
