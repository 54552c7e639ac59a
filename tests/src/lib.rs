//! What the tests share: clusters of whole nodes in one process, over real QUIC on loopback.

pub mod fleet;
pub mod history;

mod cluster;
mod probe;

pub use cluster::{Cluster, SOON};
pub use probe::{Probe, Witness};
