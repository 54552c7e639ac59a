//! What the small benchmarks share: the functions that are called, and a local call's price.

mod functions;
mod local;

pub use functions::{echo, echo_on, echo_on_primary, echo_on_region, payload};
pub use local::{SIZE, beyond_the_function};
