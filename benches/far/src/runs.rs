//! One figure's run: a fresh link, a fresh server, a client.

use std::time::Duration;

use bench_peers::Peer;

use crate::{
    fate::Conditions,
    link::{Kind, Served},
    load::Load,
    process::{cold_call, latencies},
    quantile::quantile,
};

/// Latencies of one run, in round trips of the link.
#[derive(Clone, Copy, Debug)]
pub struct Far {
    /// Half of the calls took at most this.
    pub p50: f64,
    /// Nine of ten.
    pub p90: f64,
    /// Ninety-nine of a hundred.
    pub p99: f64,
    /// The slowest.
    pub most: f64,
}

/// Runs an open loop over a link of its own.
///
/// # Errors
/// If the peer failed, or the link itself did.
pub fn open_loop(
    kind: Kind,
    peer: Peer,
    conditions: Conditions,
    load: &Load,
    seed: u64,
) -> anyhow::Result<Far> {
    let served = Served::start(kind, peer, conditions, seed)?;
    let mut taken = latencies(peer, served.line(), load, &|command| served.spawn(command))?;
    let tally = served.check()?;
    if std::env::var_os("FAR_TALLY").is_some() {
        eprintln!("{tally}");
    }
    taken.sort_unstable();
    let round_trips = |of| quantile(&taken, of).div_duration_f64(2 * conditions.delay);
    Ok(Far {
        p50: round_trips(0.5),
        p90: round_trips(0.9),
        p99: round_trips(0.99),
        most: round_trips(1.0),
    })
}

/// Makes `calls` cold calls, each by a fresh process, over a link that loses nothing; what each
/// took, in round trips.
///
/// # Errors
/// If the peer failed, or the link itself did.
pub fn cold(kind: Kind, peer: Peer, delay: Duration, calls: usize) -> anyhow::Result<Vec<f64>> {
    let served = Served::start(kind, peer, Conditions::of_delay(delay), 0)?;
    let taken: anyhow::Result<Vec<f64>> = (0..calls)
        .map(|_| {
            let taken = cold_call(peer, served.line(), 64, &|command| served.spawn(command))?;
            Ok(taken.div_duration_f64(2 * delay))
        })
        .collect();
    served.check()?;
    taken
}
