//! One attempt, from the moment in which its node is asked to what is learned of the node from it.
//!
//! It ends once, however the call ends: with an outcome, or by being dropped when the caller gives up.

use std::{sync::Arc, time::Duration};

use fly_rpc_transport::Link;
use tokio::time::Instant;

use crate::{
    balance::{Effect, Moment, Ticket, Verdict, Vitals},
    error::RpcError,
    node::{Inner, Reading},
    remote::{Answer, bond},
};

/// A node that was asked.
pub(crate) struct Asked<'a> {
    inner: &'a Inner,
    link: &'a Arc<Link>,
    ticket: Ticket,
    begun: Instant,
    ended: bool,
}

impl<'a> Asked<'a> {
    /// `None` if another call, a moment earlier, was the one that may be made: choose again.
    pub(crate) fn of(inner: &'a Inner, link: &'a Arc<Link>, now: Reading) -> Option<Self> {
        // It may have been connected for this call, and be listed nowhere yet.
        let ticket = inner.bond(link).vitals().ask(now.moment)?;
        Some(Self {
            inner,
            link,
            ticket,
            begun: now.at,
            ended: false,
        })
    }

    /// The attempt had this outcome. How long an answer took does not depend on when its caller had a turn.
    pub(crate) fn end(mut self, outcome: &Result<Answer, RpcError>) {
        let read = outcome.as_ref().ok().and_then(|answer| answer.at);
        let now = self
            .inner
            .reading(read.map_or_else(Instant::now, Instant::from_std));
        let took = now.at.saturating_duration_since(self.begun);
        let usual = || {
            let latency = self.vitals().latency(now.moment);
            latency.unwrap_or_default().max(self.link.round_trip())
        };
        let verdict = Verdict::of(outcome, took, usual);
        let is_known =
            verdict == Verdict::Lost && self.link.is_closed() && !bond(self.link).is_first_loss();
        self.learn(
            if is_known { Verdict::Nothing } else { verdict },
            took,
            now.moment,
        );
    }

    fn learn(&mut self, verdict: Verdict, took: Duration, now: Moment) {
        self.ended = true;
        let (inner, node) = (self.inner, self.link.node());
        let round_trip = self.link.round_trip();
        match self
            .vitals()
            .end(self.ticket, verdict, took, round_trip, now)
        {
            Effect::None => {}
            Effect::Closed => {
                tracing::info!(peer = %node, "a node that was left out answers again: it gets calls, few at first");
            }
            Effect::WantsToOpen => {
                let random = inner.endpoint.randomness().fraction();
                if inner.nodes.open(self.vitals(), self.ticket, now, random) {
                    tracing::warn!(peer = %node, condition = ?self.vitals().condition(now), "a node failed too often: it is left out for a while");
                }
            }
        }
    }

    fn vitals(&self) -> &Vitals {
        bond(self.link).vitals()
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.ended {
            let now = self.inner.read_clock();
            let took = now.at.saturating_duration_since(self.begun);
            self.learn(Verdict::GivenUp, took, now.moment);
        }
    }
}
