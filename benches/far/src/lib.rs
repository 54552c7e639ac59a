//! What a call costs far away: over a link of 50 ms each way that loses packets.
//!
//! Real kernels, real TCP and UDP, and a link that is made for the purpose: see [`TunLink`]. Each
//! figure has a link of its own, so that nothing is learnt from the one before, and all peers meet
//! the same conditions one after the other.

#[cfg(target_os = "linux")]
mod baseline;
mod clock;
mod fate;
mod link;
mod load;
mod measure;
#[cfg(target_os = "linux")]
mod namespace;
mod process;
mod quantile;
mod relay;
mod runs;
#[cfg(target_os = "linux")]
mod tun;
mod way;

#[cfg(target_os = "linux")]
pub use baseline::Baseline;
pub use fate::Conditions;
pub use link::Kind;
pub use load::Load;
pub use measure::{Far, measure};
pub use process::take_part_if_asked;
pub use relay::Relay;
pub use runs::{Latencies, cold, open_loop};
#[cfg(target_os = "linux")]
pub use tun::{Side, TunLink};
pub use way::Tally;
