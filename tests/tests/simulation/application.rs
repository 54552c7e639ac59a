//! The functions that the simulated fleets call, in two versions of one build.

use std::time::Duration;

use fly_rpc::region_rpc;

use crate::ledger::Ledger;

/// Must never run twice.
#[region_rpc]
pub(crate) async fn transfer(#[state] ledger: &Ledger, id: u64, takes: u64) -> u64 {
    ledger.begin(id);
    pass(takes).await;
    ledger.end(id);
    answer(id)
}

/// The same, with an argument that only the new build knows.
#[region_rpc(version = 2, name = "transfer")]
pub(crate) async fn transfer_v2(
    #[state] ledger: &Ledger,
    id: u64,
    takes: u64,
    note: String,
) -> u64 {
    ledger.begin(id);
    pass(takes).await;
    ledger.end(id);
    answer(id).wrapping_add(note.len() as u64)
}

/// May be made again when nobody knows whether it ran.
#[region_rpc(idempotent)]
pub(crate) async fn read(#[state] ledger: &Ledger, id: u64, takes: u64) -> u64 {
    ledger.begin(id);
    pass(takes).await;
    ledger.end(id);
    answer(id)
}

/// Goes on when its caller gives up.
#[region_rpc(detached)]
pub(crate) async fn settle(#[state] ledger: std::sync::Arc<Ledger>, id: u64, takes: u64) -> u64 {
    ledger.begin(id);
    pass(takes).await;
    ledger.end(id);
    answer(id)
}

/// Runs in the primary region only, and answers with a payload of some packets.
#[region_rpc(@primary)]
pub(crate) async fn large(#[state] ledger: &Ledger, id: u64, body: &[u8]) -> Vec<u8> {
    ledger.begin(id);
    ledger.end(id);
    body.iter().rev().copied().collect()
}

/// Calls another function, in the primary region.
#[region_rpc]
pub(crate) async fn relayed(#[state] ledger: &Ledger, id: u64, inner: u64) -> Option<u64> {
    ledger.begin(id);
    let outcome = transfer_on_primary(inner, 0).await;
    ledger.settle(inner, &outcome, answer(inner));
    ledger.end(id);
    outcome.ok()
}

/// What a call of this id has to answer.
pub(crate) fn answer(id: u64) -> u64 {
    id.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(7)
}

async fn pass(millis: u64) {
    if millis > 0 {
        tokio::time::sleep(Duration::from_millis(millis)).await; // sleep: it is the work
    }
}
