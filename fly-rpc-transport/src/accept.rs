//! The accept loop: who may try to connect, and how often.
//!
//! Nothing that one stranger does may end the loop: every outcome of a handshake stays in its own
//! task. What is refused here costs one packet, or none.

use std::sync::{Arc, Weak};

use quinn::Incoming;
use tokio::{runtime::Handle, sync::Semaphore, time::Instant};

use crate::{endpoint::Inner, handshake, limits::Limits, reactor::Reactor, visitors::Visitors};

/// Accepts until the endpoint is closed.
pub(crate) async fn accept(quinn: quinn::Endpoint, inner: Weak<Inner>) {
    let Some(most) = inner.upgrade().map(|inner| inner.limits().handshakes) else {
        return;
    };
    let most = most.min(Semaphore::MAX_PERMITS);
    let handshakes = Arc::new(Semaphore::new(most));
    let visitors = Visitors::default();
    while let Some(incoming) = quinn.accept().await {
        let Some(inner) = inner.upgrade() else { return };
        let limits = inner.limits();
        let address = incoming.remote_address();
        let busy = most - handshakes.available_permits();
        let Ok(permit) = Arc::clone(&handshakes).try_acquire_owned() else {
            inner.counters().refusals.crowded(address);
            incoming.ignore();
            continue;
        };
        if inner.is_draining() {
            inner.counters().refusals.draining(address);
            incoming.refuse();
            continue;
        }
        if inner.is_observer() {
            // It has no address that anybody was told of: whoever dials it means somebody else.
            incoming.refuse();
            continue;
        }
        if must_prove_address(&incoming, busy, &visitors, limits) {
            // Fails only if the address was validated meanwhile; the peer then simply tries again.
            let _ = incoming.retry();
            inner.counters().retry();
            continue;
        }
        let visit = match visitors.enter(address.ip(), Instant::now(), limits) {
            Ok(visit) => visit,
            Err(reason) => {
                inner.counters().refusals.visitor(address, reason);
                incoming.refuse();
                continue;
            }
        };
        tokio::spawn(async move {
            let reactor = Reactor::start(&Handle::current());
            let (hello, config) = (inner.hello(), inner.server_of_one(address.ip()));
            let counters = inner.counters();
            let shaken = handshake::accept(incoming, &reactor, config, inner.ours(&hello));
            let link = match shaken.await {
                Ok(introduction) => inner.join(introduction, reactor),
                Err(error) => return counters.refusals.failed(address, &error),
            };
            drop((permit, inner));
            link.closed().await;
            drop(visit);
        });
    }
}

/// An address that is not proved may be forged. When many handshakes are in progress, or when it
/// would use up what is left of that address's allowance, it must be proved first (QUIC Retry).
fn must_prove_address(
    incoming: &Incoming,
    busy: usize,
    visitors: &Visitors,
    limits: &Limits,
) -> bool {
    let ip = incoming.remote_address().ip();
    !incoming.remote_address_validated()
        && incoming.may_retry()
        && (busy >= limits.handshakes_without_retry
            || visitors.enter_half(ip, Instant::now(), limits).is_err())
}
