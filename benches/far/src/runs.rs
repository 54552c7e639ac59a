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

/// Latencies of one run, in round trips of the link, ascending.
#[derive(Clone, Debug)]
pub struct Latencies {
    sorted: Vec<f64>,
    /// What the link did meanwhile.
    pub link: String,
}

impl Latencies {
    /// What a share of `of` of the calls did not exceed.
    pub fn quantile(&self, of: f64) -> f64 {
        quantile(&self.sorted, of)
    }
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
) -> anyhow::Result<Latencies> {
    let served = Served::start(kind, peer, conditions, seed)?;
    let taken = latencies(peer, served.line(), load, &|command| served.spawn(command))?;
    let link = served.check()?;
    let mut sorted = round_trips(&taken, conditions.delay);
    sorted.sort_by(f64::total_cmp);
    Ok(Latencies { sorted, link })
}

/// Makes `calls` cold calls, each by a fresh process, over a link that loses nothing; what each
/// took, in round trips.
///
/// # Errors
/// If the peer failed, or the link itself did.
pub fn cold(kind: Kind, peer: Peer, delay: Duration, calls: usize) -> anyhow::Result<Vec<f64>> {
    let served = Served::start(kind, peer, Conditions::of_delay(delay), 0)?;
    let taken: anyhow::Result<Vec<Duration>> = (0..calls)
        .map(|_| cold_call(peer, served.line(), 64, &|command| served.spawn(command)))
        .collect();
    served.check()?;
    Ok(round_trips(&taken?, delay))
}

fn round_trips(taken: &[Duration], delay: Duration) -> Vec<f64> {
    let round_trip = 2 * delay;
    taken
        .iter()
        .map(|time| time.div_duration_f64(round_trip))
        .collect()
}
