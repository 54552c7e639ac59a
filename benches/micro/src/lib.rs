//! What the small benchmarks share: the functions that are called.

mod functions;

pub use functions::{echo, echo_on, echo_on_primary, echo_on_region, payload};
