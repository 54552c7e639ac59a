//! Sending requests on a link.

use std::{
    sync::{Arc, atomic::Ordering},
    task::Waker,
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::{Link, SendRefused};
use crate::{
    lane::{CallerLane, PendingCall},
    wire::{RequestBody, RequestHead},
};

impl Link {
    /// Sends a request whose answer will be small, waiting for a lane if it has to.
    ///
    /// # Cancel safety
    /// Nothing is sent before this returns.
    ///
    /// # Errors
    /// [`SendRefused`]; nothing of the request left this process.
    pub async fn call(
        &self,
        head: &RequestHead<'_>,
        arguments: &Bytes,
        due: Instant,
    ) -> Result<PendingCall, SendRefused> {
        let arguments = arguments.into();
        match self.call_now(head, arguments, 0, due, Instant::now(), None) {
            Some(sent) => sent,
            None => self.call_with_room(head, arguments, 0, due).await,
        }
    }

    /// Sends a request on a lane that suits its size, that of the answer which is expected (bytes),
    /// and the distance; `None` if there is none with room. The peer is told what is left, `now`, until it
    /// is `due`. If a `waker` is given, the first poll of the call must be one with this very waker: it
    /// notes no other, and is pending.
    pub fn call_now(
        &self,
        head: &RequestHead<'_>,
        arguments: RequestBody<'_>,
        answer: usize,
        due: Instant,
        now: Instant,
        waker: Option<&Waker>,
    ) -> Option<Result<PendingCall, SendRefused>> {
        if self.in_flight() >= self.limits.pending_calls {
            return Some(Err(SendRefused::Full));
        }
        let size = arguments.size().max(answer);
        match self.lanes.lane_now(size, self.round_trip()) {
            Ok(lane) => Some(self.call_on(&lane?, head, arguments, due, now, waker)),
            Err(refused) => Some(Err(refused.into())),
        }
    }

    /// The same, once there is one.
    ///
    /// # Cancel safety
    /// Nothing is sent before this returns.
    ///
    /// # Errors
    /// [`SendRefused`]; nothing of the request left this process.
    pub async fn call_with_room(
        &self,
        head: &RequestHead<'_>,
        arguments: RequestBody<'_>,
        answer: usize,
        due: Instant,
    ) -> Result<PendingCall, SendRefused> {
        let size = arguments.size().max(answer);
        let lane = self.lanes.lane(size, self.round_trip()).await?;
        self.call_on(&lane, head, arguments, due, Instant::now(), None)
    }

    /// As [`call`](Self::call), but the peer is told that `remaining` is left, whatever is: for
    /// tests of the other end.
    ///
    /// # Errors
    /// [`SendRefused`].
    #[doc(hidden)]
    pub async fn call_that_claims(
        &self,
        head: &RequestHead<'_>,
        arguments: &Bytes,
        due: Instant,
        remaining: Duration,
    ) -> Result<PendingCall, SendRefused> {
        let lane = self.lanes.lane(arguments.len(), self.round_trip()).await?;
        Ok(lane.call(head, arguments.into(), due, remaining, None)?)
    }

    fn call_on(
        &self,
        lane: &Arc<CallerLane>,
        head: &RequestHead<'_>,
        arguments: RequestBody<'_>,
        due: Instant,
        now: Instant,
        waker: Option<&Waker>,
    ) -> Result<PendingCall, SendRefused> {
        let remaining = due.saturating_duration_since(now);
        if remaining < LEAST {
            return Err(SendRefused::Late);
        }
        let pending = lane.call(head, arguments, due, remaining, waker)?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        Ok(pending)
    }
}

/// The least time that a request can name (PROTOCOL.md, *Request*): with less it would be refused,
/// and the refusal might come too late to say that nothing ran.
const LEAST: Duration = Duration::from_micros(1);
