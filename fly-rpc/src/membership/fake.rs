//! Members that there are not, for tests.

use super::member::{DIGEST, Facts, Member};

/// One that was just born.
pub(super) fn member(node: &str, region: &str) -> Member {
    Facts {
        node: node.into(),
        life: 1_700_000_000_000_000,
        revision: 0,
        address: Some(([127, 0, 0, 1], 7411).into()),
        region: region.into(),
        primary: "r0".into(),
        catalogue: [0; DIGEST],
        draining: false,
        rest: Box::default(),
    }
    .into()
}
