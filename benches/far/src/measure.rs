//! The far rows of the tables: every peer under the same conditions, one after the other.
//!
//! Rounds go over all peers, and a round's seed is the same for all: each meets a link that loses
//! packets with the same chance, and what the machine does meanwhile hits none of them alone.

use std::{collections::BTreeMap, time::Duration};

use bench_figures::{Axis, Effort, Figure, Lines, Promise, Table, Verdict};
use bench_peers::Peer;

use crate::{
    fate::Conditions,
    link::Kind,
    load::Load,
    runs::{Latencies, cold, open_loop},
};

/// What was measured far away.
#[derive(Debug)]
pub struct Far {
    /// What the link was, what it added by itself, and what is missing and why.
    pub notes: Vec<String>,
    /// A row for each peer, in round trips.
    pub table: Table,
    /// What was promised of fly-rpc.
    pub verdicts: Vec<Verdict>,
    /// The latencies at the highest loss by percentile: the text of an SVG file.
    pub plot: String,
}

/// Measures on the best link that this machine can have.
///
/// A run takes the time that it takes, so of the effort only the extent counts: everybody, three times if
/// there is time, or fly-rpc alone and once.
///
/// # Errors
/// If there is no link at all. A peer that fails is noted instead, and has no figure.
pub async fn measure(effort: Effort) -> anyhow::Result<Far> {
    let measured = tokio::task::spawn_blocking(move || measure_now(effort)).await?;
    Ok(measured)
}

fn measure_now(effort: Effort) -> Far {
    let extent = Extent::of(effort);
    let mut notes = Vec::new();
    let kind = best_link(&mut notes);
    let mut taken = Taken::default();
    let peers: Vec<Peer> = extent
        .peers
        .iter()
        .copied()
        .filter(|peer| runs_here(*peer, kind, &mut notes))
        .collect();
    for round in 0..extent.rounds {
        for &peer in &peers {
            taken.round(kind, peer, &extent, round as u64 + 1);
        }
    }
    notes.extend(taken.failed.values().cloned());
    Far {
        notes,
        table: taken.table(&peers),
        verdicts: taken.verdicts(),
        plot: taken.plot(&peers),
    }
}

/// How much is measured here.
struct Extent {
    peers: Vec<Peer>,
    rounds: usize,
    load: Load,
    cold: usize,
}

impl Extent {
    fn of(effort: Effort) -> Self {
        let smoke = effort.calls < 100;
        let (warm_up, calls) = if smoke { (100, 300) } else { (2_000, 8_000) };
        Self {
            // The bare datagram takes one call at a time, and is never sent again.
            peers: match effort.whole {
                true => Peer::ALL.into_iter().filter(|p| *p != Peer::Udp).collect(),
                false => vec![Peer::FlyRpc],
            },
            rounds: if effort.slow { 3 } else { 1 },
            load: Load {
                rate: RATE,
                size: SIZE,
                warm_up,
                calls,
            },
            cold: if smoke { 2 } else { 20 },
        }
    }
}

/// Real packets if this machine lets us, else datagrams; says which, and what it adds by itself.
fn best_link(notes: &mut Vec<String>) -> Kind {
    #[cfg(target_os = "linux")]
    match crate::Baseline::measure(DELAY, 5_000, Duration::from_secs(2)) {
        Ok(baseline) => {
            notes.push(format!("the link: {}; by itself: {baseline}", Kind::Tun));
            return Kind::Tun;
        }
        Err(reason) => notes.push(format!("no TCP: {reason:#}")),
    }
    #[cfg(not(target_os = "linux"))]
    notes.push("no TCP: a long link for real packets needs Linux".to_owned());
    notes.push(format!("the link: {}", Kind::Relay));
    Kind::Relay
}

fn runs_here(peer: Peer, kind: Kind, notes: &mut Vec<String>) -> bool {
    let over_udp = matches!(
        peer,
        Peer::FlyRpc | Peer::Irpc | Peer::QuicMux | Peer::QuicStreams
    );
    let reason = match peer.missing() {
        Some(reason) => reason,
        None if peer == Peer::Erpc => "its client is no process of ours".to_owned(),
        None if kind == Kind::Relay && !over_udp => "a relay of datagrams has no TCP".to_owned(),
        None => return true,
    };
    notes.push(format!("no {peer}: {reason}"));
    false
}

/// What the rounds gave so far.
#[derive(Default)]
struct Taken {
    cold: BTreeMap<Peer, Vec<f64>>,
    loops: BTreeMap<(Peer, u32), Vec<Latencies>>,
    failed: BTreeMap<Peer, String>,
}

impl Taken {
    fn round(&mut self, kind: Kind, peer: Peer, extent: &Extent, seed: u64) {
        if self.failed.contains_key(&peer) {
            return;
        }
        if let Err(reason) = self.try_round(kind, peer, extent, seed) {
            // A figure of the rounds before would look as if nothing had happened.
            self.cold.remove(&peer);
            self.loops.retain(|(of, _), _| *of != peer);
            self.failed.insert(peer, format!("no {peer}: {reason:#}"));
        }
    }

    fn try_round(
        &mut self,
        kind: Kind,
        peer: Peer,
        extent: &Extent,
        seed: u64,
    ) -> anyhow::Result<()> {
        let taken = cold(kind, peer, DELAY, extent.cold)?;
        self.cold.entry(peer).or_default().extend(taken);
        for loss in LOSSES {
            let conditions = Conditions::of_delay(DELAY).losing(loss);
            let taken = open_loop(kind, peer, conditions, &extent.load, seed)?;
            self.loops.entry((peer, loss)).or_default().push(taken);
        }
        Ok(())
    }

    fn cold(&self, peer: Peer) -> Figure {
        Figure::of(self.cold.get(&peer).into_iter().flatten().copied())
    }

    fn figure(&self, peer: Peer, loss: u32, of: f64) -> Figure {
        let runs = self.loops.get(&(peer, loss)).into_iter().flatten();
        Figure::of(runs.map(|run| run.quantile(of)))
    }

    fn table(&self, peers: &[Peer]) -> Table {
        let losses = LOSSES.map(|loss| format!("{} % lost: p50 / p90 / p99", percent(loss)));
        let head = ["round trips of 100 ms".to_owned(), "cold call".to_owned()];
        let mut table = Table::new(head.into_iter().chain(losses));
        for &peer in peers.iter().filter(|peer| self.cold.contains_key(peer)) {
            let loops = LOSSES.map(|loss| {
                QUANTILES
                    .map(|of| format!("{:.2}", self.figure(peer, loss, of).median))
                    .join(" / ")
            });
            let first = [peer.to_string(), format!("{:.2}", self.cold(peer).median)];
            table.row(first.into_iter().chain(loops));
        }
        table
    }

    fn verdicts(&self) -> Vec<Verdict> {
        let peer = Peer::FlyRpc;
        let judged = [
            (COLD, self.cold(peer)),
            (P99_AT_A_THOUSANDTH, self.figure(peer, 1_000, 0.99)),
            (P90_AT_A_HUNDREDTH, self.figure(peer, 10_000, 0.9)),
            (P99_AT_A_HUNDREDTH, self.figure(peer, 10_000, 0.99)),
        ];
        let judge = |(promise, figure): (Promise, Figure)| match self.failed.get(&peer) {
            Some(reason) => promise.missing(reason),
            None => promise.verdict(&figure),
        };
        judged.into_iter().map(judge).collect()
    }

    fn plot(&self, peers: &[Peer]) -> String {
        let title = "1 000 calls/s of 64 bytes over 100 ms, 1 % lost each way";
        let across = Axis::percentile("hundredths of the calls");
        let mut plot = Lines::new(title, across, Axis::linear("round trips"));
        for &peer in peers.iter().filter(|peer| self.cold.contains_key(peer)) {
            let points = [0.0, 50.0, 75.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.9];
            plot = plot.line(
                peer.to_string(),
                points.map(|at| (at, self.figure(peer, 10_000, at / 100.0).median)),
            );
        }
        plot.draw()
    }
}

fn percent(per_million: u32) -> f64 {
    f64::from(per_million) / 10_000.0
}

const COLD: Promise = Promise::at_most(
    2.1,
    "round trips for a cold call: dial, TLS, hello and the first answer",
);
const P99_AT_A_THOUSANDTH: Promise =
    Promise::at_most(1.05, "round trips at p99, 0.1 % lost each way");
const P90_AT_A_HUNDREDTH: Promise = Promise::at_most(1.05, "round trips at p90, 1 % lost each way");
const P99_AT_A_HUNDREDTH: Promise = Promise::at_most(2.1, "round trips at p99, 1 % lost each way");
/// Each way: another continent.
const DELAY: Duration = Duration::from_millis(50);
/// Packets lost in a million, each way: none, a good path between continents, a bad one.
const LOSSES: [u32; 3] = [0, 1_000, 10_000];
const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];
/// Calls per second: no load for the machine, and a hundred in flight.
const RATE: u32 = 1_000;
const SIZE: usize = 64;
