//! Two nodes that see each other.

use fly_rpc::Node;
use fly_rpc_tests::{Cluster, Probe, SOON};

use crate::functions::upcase_on;

pub(crate) struct Pair {
    pub(crate) syd: Node,
    pub(crate) hkg: Node,
    pub(crate) probe: Probe,
    pub(crate) cluster: Cluster,
}

/// The primary and one other node. The probe is the primary's; that of `hkg` is nobody's.
pub(crate) async fn pair() -> Pair {
    let cluster = Cluster::new();
    let probe = Probe::new();
    let syd = cluster
        .start(cluster.builder("syd-1", "syd").state(probe.clone()))
        .await;
    let hkg = cluster
        .start(cluster.builder("hkg-1", "hkg").state(Probe::new()))
        .await;
    Pair {
        syd,
        hkg,
        probe,
        cluster,
    }
}

pub(crate) trait WaitForDraining {
    async fn wait_for_draining(&self, other: &Node);
}

impl WaitForDraining for Node {
    /// Waits until a call to `other` would be refused here, by asking for it.
    async fn wait_for_draining(&self, other: &Node) {
        let refused = async {
            while upcase_on(other.id(), "?").via(self).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, refused)
            .await
            .expect("the news arrives");
    }
}
