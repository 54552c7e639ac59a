//! Types that changed while the name and the version of their function did not.

use fly_rpc_tests::{Peer, SOON, contract_of};
use fly_rpc_transport::Status;
use serde::{Deserialize, Serialize};

use crate::pair::{Pair, pair};

/// A function of its own for each form of the same type, as another build may have it.
macro_rules! forms {
    ($($name:ident { $($field:ident: $type:ty),* })*) => {$(
        #[expect(dead_code, reason = "a peer asks for it, nobody calls it")]
        mod $name {
            use fly_rpc::region_rpc;
            use fly_rpc_tests::Probe;
            use serde::{Deserialize, Serialize};

            #[expect(unused_imports, reason = "one of the two")]
            use super::{Inserted, State};

            #[derive(Serialize, Deserialize)]
            pub(super) struct Order { $(pub(super) $field: $type),* }

            #[region_rpc]
            pub(super) fn $name(order: Order, #[state] probe: &Probe) {
                probe.run();
                $(let _ = order.$field;)*
            }
        }
    )*};
}

forms! {
    base { id: u32, text: String, state: State }
    added { id: u32, text: String, state: State, note: String }
    removed { id: u32, state: State }
    reordered { text: String, id: u32, state: State }
    widened { id: u64, text: String, state: State }
    inserted { id: u32, text: String, state: Inserted }
}

#[derive(Serialize, Deserialize)]
enum State {
    New,
    Paid,
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "State")]
enum Inserted {
    New,
    Held,
    Paid,
}

#[tokio::test]
async fn a_type_that_changed_is_refused_before_it_is_read() {
    let pair = pair().await;
    let Pair {
        syd,
        cluster,
        probe,
        ..
    } = &pair;
    let peer = Peer::join(cluster, "peer", syd, Status::Ok).await;
    // An order, and what is none.
    for arguments in [&b"\x07\x01x\x01"[..], &[0xff; 40][..]] {
        for form in ["added", "removed", "reordered", "widened", "inserted"] {
            let theirs = contract_of(syd, form);
            let answer = peer.ask("base", theirs, SOON, arguments).await;
            assert_eq!(answer.status, Status::ContractMismatch, "{form}");
        }
    }
    assert_eq!(probe.runs(), 0);
    let ours = contract_of(syd, "base");
    let answer = peer.ask("base", ours, SOON, &b"\x07\x01x\x01"[..]).await;
    assert_eq!((answer.status, probe.runs()), (Status::Ok, 1));
}
