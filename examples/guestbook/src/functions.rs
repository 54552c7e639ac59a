//! What a process does for the others. Every other line of this application is an ordinary web server.
//!
//! Both functions are pinned to the primary region, where the database is; called there they run in place.

use fly_rpc::{CallContext, my_region, region_rpc};

use crate::{
    entries::{DatabaseError, Draft, Entry, News, SignError},
    store::Store,
};

/// Writes an entry.
///
/// It is `idempotent`, because the draft's key is unique in the database: when a connection breaks and nobody knows
/// whether the entry was written, the call may be made again, and is, within its deadline. The deadline is long enough
/// for the primary's process to be replaced meanwhile.
#[region_rpc(@primary, idempotent, blocking, timeout = "10s")]
pub(crate) fn sign(
    #[state] store: &Store,
    #[context] context: &CallContext,
    draft: &Draft,
) -> Result<Entry, SignError> {
    let signed_in = context.caller_region();
    store.write(draft, signed_in.as_str(), my_region().as_str())
}

/// What was written after the entry with this id, for a region that keeps a copy.
#[region_rpc(@primary, idempotent, blocking)]
pub(crate) fn entries_since(#[state] store: &Store, after: i64) -> Result<News, DatabaseError> {
    store.since(after, News::MOST)
}

#[cfg(test)]
mod tests {
    /// A deploy has old and new processes beside each other: what they call each other by must not change unnoticed.
    #[test]
    fn contracts_are_as_recorded() {
        fly_rpc::assert_contracts!("fly-rpc.contracts");
    }
}
