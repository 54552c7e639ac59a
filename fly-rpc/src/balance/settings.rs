//! The bounds that choosing a node goes by, in the form in which every call uses them.

use std::time::Duration;

use fly_rpc_transport::Limits;

/// Copied from [`Limits`], which say what each is and why.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) decay: Duration,
    pub(crate) failures: u32,
    pub(crate) success_percent: u64,
    pub(crate) window: Duration,
    pub(crate) samples: u64,
    pub(crate) first: Duration,
    pub(crate) most: Duration,
    pub(crate) ejected_percent: usize,
    pub(crate) slow_start: Duration,
    pub(crate) hold: Duration,
}

impl From<&Limits> for Settings {
    fn from(limits: &Limits) -> Self {
        Self {
            decay: limits.latency_decay,
            failures: limits.breaker_failures,
            success_percent: u64::from(limits.breaker_success_percent),
            window: limits.breaker_window,
            samples: u64::from(limits.breaker_samples),
            first: limits.breaker_first,
            most: limits.breaker_most,
            ejected_percent: limits.ejected_percent as usize,
            slow_start: limits.slow_start,
            hold: limits.nearest_hold,
        }
    }
}
