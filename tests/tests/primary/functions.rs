//! The functions that are called where the primary is, and what ran where.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use fly_rpc::{Executed, Node, RpcError, region_rpc};
use fly_rpc_tests::{Probe, SOON};
use tokio::time::timeout;

/// The regions that each write ran in. One for all nodes of a test.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Arc<Mutex<BTreeMap<u64, Vec<String>>>>);

impl Ledger {
    fn note(&self, id: u64) -> String {
        let region = fly_rpc::my_region().to_string();
        let mut runs = self.0.lock().expect("no panic");
        runs.entry(id).or_default().push(region.clone());
        region
    }

    /// Checks that a write ran once and where its caller was told, or not at all.
    pub(crate) fn check(&self, id: u64, outcome: &Result<String, RpcError>) {
        let runs = self.0.lock().expect("no panic");
        let ran = runs.get(&id).cloned().unwrap_or_default();
        match outcome {
            Ok(region) => assert_eq!(ran, std::slice::from_ref(region), "write {id}"),
            Err(error) => match error.executed() {
                Executed::No => assert!(ran.is_empty(), "write {id} ran, and was told {error}"),
                Executed::Yes | Executed::Unknown => assert!(ran.len() <= 1, "write {id}: {ran:?}"),
            },
        }
    }
}

#[region_rpc(@primary)]
pub(crate) async fn write(#[state] ledger: &Ledger, id: u64) -> String {
    let region = ledger.note(id);
    tokio::task::yield_now().await;
    region
}

#[region_rpc]
pub(crate) fn where_am_i() -> String {
    fly_rpc::my_region().to_string()
}

#[region_rpc(@primary)]
pub(crate) async fn write_at_the_gate(#[state] probe: &Probe) -> String {
    probe.tell("started");
    probe.pass().await;
    fly_rpc::my_region().to_string()
}

/// Waits until these nodes see the primary there.
pub(crate) async fn all_see(nodes: &[&Node], region: &str) {
    for node in nodes {
        let mut changes = node.primary_changes();
        let sees = async {
            while *node.primary_region() != region.into() {
                changes.next().await.expect("the node runs");
            }
        };
        let seen = timeout(SOON, sees).await;
        seen.unwrap_or_else(|_| panic!("{} sees {}", node.id(), node.primary()));
    }
}
