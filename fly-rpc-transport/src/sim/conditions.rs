//! How the way from one host to another treats datagrams.

use std::time::Duration;

/// The state of a way in one direction. Start from `Conditions::default()`, a quiet local network,
/// and set fields; probabilities are from 0 to 1 and drawn for each datagram.
///
/// ```
/// use std::time::Duration;
///
/// use fly_rpc_transport::sim::Conditions;
///
/// let across_the_pacific = Conditions {
///     delay: Duration::from_millis(75),
///     loss: 0.001,
///     ..Conditions::default()
/// };
/// # assert_eq!(across_the_pacific.duplication, 0.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// What every datagram takes. Default 500 µs. Time passes in steps of one millisecond, tokio's
    /// resolution.
    pub delay: Duration,
    /// What it may take in addition, uniform from zero to this. More than the distance between two
    /// datagrams reorders them. Default 0.
    pub jitter: Duration,
    /// The probability of getting lost.
    pub loss: f64,
    /// The probability of arriving twice.
    pub duplication: f64,
    /// The probability of being overtaken by what is sent within the next [`delay`](Self::delay).
    pub reordering: f64,
    /// The probability of arriving with one bit flipped, behind the headers.
    pub corruption: f64,
    /// Bytes per second. What comes faster waits in a queue of 256 KiB, and what does not fit into
    /// that is lost. Default unlimited.
    pub rate: Option<u64>,
    /// Bytes of the largest UDP payload that passes. Default 1 452, that of IPv6 over Ethernet.
    pub mtu: usize,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            delay: Duration::from_micros(500),
            jitter: Duration::ZERO,
            loss: 0.0,
            duplication: 0.0,
            reordering: 0.0,
            corruption: 0.0,
            rate: None,
            mtu: 1452,
        }
    }
}
