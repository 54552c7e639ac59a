//! A call for the primary that finds it gone: where to go next.
//!
//! The node that refused says where it sees the primary. If that is news, the call is resolved anew.
//! If the node is behind, it hears the news at this moment from whoever told this one, or from this
//! node itself, and is asked again once it has. Either way something was learned, and the number of
//! steps is bounded besides, so that two nodes that point at each other end a call and keep it no
//! longer.

use std::time::Duration;

use fly_rpc_transport::Link;
use tokio::time::{Instant, timeout_at};

use super::Seat;
use crate::error::RpcError;

/// How far one call followed the primary.
#[derive(Debug, Default)]
pub(crate) struct Pursuit {
    steps: u32,
}

impl Pursuit {
    /// True if a call that was refused on `link` with this error should be resolved anew.
    ///
    /// # Cancel safety
    /// Nothing is lost by dropping it.
    pub(crate) async fn follows(
        &mut self,
        seat: &Seat,
        link: &Link,
        error: &RpcError,
        deadline: Instant,
    ) -> bool {
        let RpcError::WrongRegion { primary, epoch, .. } = error else {
            return false;
        };
        if self.steps == STEPS {
            return false;
        }
        self.steps += 1;
        seat.hear(link.node(), *epoch, primary);
        let mut changes = seat.endpoint.changes();
        let ours = seat.view();
        if ours.region != *link.region() {
            return true;
        }
        // What it says of its view stands in its hello, and this refusal may have overtaken that.
        let _ = timeout_at(deadline, link.introduced()).await;
        let knows_epochs = link.hello().view.epoch.is_some();
        // A view of epoch 0 is nobody's but one's own.
        if !knows_epochs || ours.epoch == 0 || (*epoch, primary) == (ours.epoch, &ours.region) {
            return false;
        }
        let until = deadline.min(Instant::now() + CATCHES_UP);
        loop {
            let present = seat.region();
            if *present != *link.region() || link.look_at_view(|view| view.region == *present) {
                return true;
            }
            if link.is_closed() || !matches!(timeout_at(until, changes.changed()).await, Ok(Ok(())))
            {
                return false;
            }
        }
    }
}

/// How often a call is begun anew because the primary moved between two looks of it: it came here, or
/// left, while the call was about to say that nobody is there.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    count: u32,
    moves: u64,
}

impl Turns {
    pub(crate) fn begin(&mut self, seat: &Seat) {
        self.moves = seat.moves();
    }

    /// True if the primary moved since the turn began, and not too often.
    pub(crate) fn another(&mut self, seat: &Seat) -> bool {
        self.count += 1;
        self.count < STEPS && seat.moves() != self.moves
    }
}

/// Moves that one call follows.
const STEPS: u32 = 8;
/// How long a node may take to hear what this one has heard: a round trip, and a busy machine.
const CATCHES_UP: Duration = Duration::from_secs(1);
