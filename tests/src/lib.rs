//! What the tests share: clusters of whole nodes in one process, over real QUIC on loopback.

pub mod fleet;
pub mod greedy;
pub mod history;
pub mod machine;
pub mod name_server;
pub mod relay;
pub mod secrets;
pub mod stranger;

mod child;
mod cluster;
mod log;
mod peer;
mod probe;

pub use child::{Child, commands, variable};
pub use cluster::{Cluster, SOON, gossips};
pub use log::Log;
pub use peer::{Peer, contract_of};
pub use probe::{Probe, Witness};
