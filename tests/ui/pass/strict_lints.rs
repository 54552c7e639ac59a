//! What is generated is silent under every lint that its user can satisfy.

#![deny(
    warnings,
    clippy::all,
    clippy::pedantic,
    elided_lifetimes_in_paths,
    missing_copy_implementations,
    missing_debug_implementations,
    missing_docs,
    single_use_lifetimes,
    trivial_casts,
    unnameable_types,
    unreachable_pub,
    unused_lifetimes,
    unused_qualifications,
    unused_results,
    variant_size_differences
)]
#![forbid(unsafe_code)]

use std::sync::Arc;

use fly_rpc::{CallContext, region_rpc};

struct Db;

#[region_rpc]
fn never_called(left: u64, right: u64) -> u64 {
    left + right
}

#[deprecated]
#[derive(serde::Deserialize, serde::Serialize)]
struct Old;

#[region_rpc]
#[expect(deprecated, reason = "still called by the previous build")]
fn of_a_deprecated_type(old: &Old) {
    let Old = old;
}

mod inner {
    use super::{Arc, CallContext, Db, region_rpc};

    #[region_rpc(blocking, timeout = "1500ms", idempotent)]
    pub(super) fn every_kind(
        number: u8,
        text: &str,
        bytes: &[u8],
        slice: &[u16],
        reference: &u128,
        option: Option<&str>,
        #[state] _db: &Db,
        #[state] _shared: Arc<Db>,
        #[context] _context: &CallContext,
    ) -> usize {
        let numbers = usize::from(number) + usize::try_from(*reference).unwrap_or(0);
        numbers + text.len() + bytes.len() + slice.len() + option.map_or(0, str::len)
    }

    #[deprecated(note = "for this test")]
    #[region_rpc(@region("local-1"))]
    pub(crate) async fn deprecated(_text: String) {}

    #[region_rpc]
    pub(super) fn seven(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8) -> u8 {
        a + b + c + d + e + f + g
    }
}

/// What other crates see.
pub mod exported {
    use fly_rpc::region_rpc;

    /// Nothing.
    #[region_rpc(@primary)]
    pub async fn nothing() {}

    /// A raw name, and another wire identity.
    #[region_rpc(detached, name = "kind", version = 7)]
    pub async fn r#type(mut r#fn: Vec<u8>) -> Option<u8> {
        r#fn.pop()
    }
}

fn main() {
    let text = String::from("text");
    drop(inner::every_kind_on("hkg", 1, &text, &[2], &[3], &4, None));
    drop(inner::seven_on_region("hkg", 1, 2, 3, 4, 5, 6, 7));
    drop(exported::nothing_on_primary());
    drop(exported::type_on_primary(vec![1]));
}
