//! Whole nodes on a simulated network, for tests (feature `sim`).
//!
//! The nodes are real: the same code, QUIC, TLS and certificates as in production. What is simulated
//! is what carries their datagrams, and the time: a test of an hour takes as long as its computing,
//! and datagrams are lost, doubled, delayed, flipped, held back and cut off as the test says.
//! Everything that is decided by chance follows from one number, the *seed*, so a run that found a
//! fault is repeated by naming it.
//!
//! ```standalone_crate
//! use std::time::Duration;
//!
//! use fly_rpc::{ClusterSecret, Node, Target, region_rpc, testing::{self, Conditions}};
//!
//! #[region_rpc]
//! async fn double(number: u32) -> u32 {
//!     number * 2
//! }
//!
//! testing::simulate(7, async |network| {
//!     let secret = ClusterSecret::generate();
//!     let (sydney, dallas) = (network.host(), network.host());
//!     let node = |host, region| {
//!         Node::builder().secret(secret.clone()).region(region).primary_region("syd").simulated(host)
//!     };
//!     let _syd = node(&sydney, "syd").start().await.expect("started");
//!     let peers = [sydney.address().to_string()];
//!     let dfw = node(&dallas, "dfw").peers(peers).start().await.expect("started");
//!
//!     // Every fifth datagram is lost from now on, and each takes 90 ms.
//!     network.set_conditions(Conditions {
//!         delay: Duration::from_millis(90),
//!         loss: 0.2,
//!         ..Conditions::default()
//!     });
//!     assert_eq!(double_on_primary(21).via(&dfw).await.expect("no call is lost"), 42);
//! });
//! ```
//!
//! [`explore`] runs a scenario under many seeds, and says how to repeat the one that failed.
//!
//! # What is simulated, and what is not
//! - Time is tokio's, paused: it advances when every task waits for it, in steps of a millisecond.
//!   Code that reads the operating system's clock, or sleeps without tokio, steps out of it.
//! - A run is repeated to the datagram if nothing in it depends on threads, the order of a
//!   `HashMap`, tokio's unbiased `select!`, or other chance than [`Network::chance`]. `blocking`
//!   functions run on threads and are not repeatable.
//! - A [`crash`] tears the host from the network at once and then ends the node: `detached` and
//!   `blocking` functions that run go on, unheard.
//! - What a [paused](Host::pause) host sends and what is sent to it is held back until it is
//!   resumed; its timers go on.
//! - Certificates are real and dated by the real clock, whatever [`Host::set_clock`] says.

mod explore;

use std::{future::Future, time::Duration};

pub use explore::{Explored, explore};
pub use fly_rpc_transport::{
    Randomness,
    sim::{Conditions, Host, Network, Sent, Skew, Traffic},
};

use crate::node::Node;

/// Runs a scenario on a simulated network of which everything follows from `seed`, and returns what
/// it returns.
///
/// # Panics
/// If the scenario does, or takes more than an hour of simulated time; and inside another runtime.
pub fn simulate<F: Future>(seed: u64, scenario: impl FnOnce(Network) -> F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O takes nothing from the system");
    runtime.block_on(async {
        let network = Network::new(seed);
        match tokio::time::timeout(LONGEST, scenario(network)).await {
            Ok(output) => output,
            Err(_elapsed) => panic!("the scenario of seed {seed} did not end within {LONGEST:?}"),
        }
    })
}

/// Crashes a node: its host is torn from the network before anything else happens, so that not even
/// a farewell gets out; then it ends. Another node may be started on the host at once.
pub fn crash(host: &Host, node: Node) {
    host.cut_off();
    node.abandon();
}

/// Simulated time after which a scenario is stuck.
const LONGEST: Duration = Duration::from_secs(3600);
