//! Counting the attempts of calls, which the library makes inside a call and tells only its log.
//!
//! A call that is polled logs in the thread that polls it, so a count for each thread is enough to tell calls apart.

use std::{cell::Cell, fmt, sync::Once};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::set_global_default,
};

/// Starts to count, in this process.
pub(super) fn count_failed_attempts() {
    static ONCE: Once = Once::new();
    // A process that logs otherwise counts none, and then no call may have run twice.
    ONCE.call_once(|| drop(set_global_default(Counter)));
}

/// The attempts that failed in this thread so far.
pub(super) fn failed_attempts() -> u32 {
    FAILED.get()
}

thread_local! {
    static FAILED: Cell<u32> = const { Cell::new(0) };
}

struct Counter;

impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "fly_rpc::remote" && *metadata.level() == Level::DEBUG
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Message);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Message;

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" && format!("{value:?}") == "an attempt failed" {
            FAILED.set(FAILED.get() + 1);
        }
    }
}
