//! Whole endpoints over real QUIC on loopback, against honest and dishonest peers.

mod crowd;
mod digests;
mod early;
mod faults;
mod fixture;
mod gossip;
mod greedy;
mod hello;
mod lanes;
#[cfg(target_os = "linux")]
mod memory;
mod pairs;
mod port;
mod threads;
