//! Small calls while a large body is under way on the same connection: what a transfer costs those
//! beside it.
//!
//! In each round the small calls are made alone and then beside echoes of the large body, one after
//! the other without a pause, so that the request of one or the answer of one is always under way.
//! A closed loop is kind to whoever makes calls wait, but to both turns alike.

use bench_figures::{Effort, Promise, Rounds, Runtime, Table, Verdict};
use bench_peers::Peer;

use crate::{
    driver::{Measure, Turn},
    run::{Bench, Near},
    scenario::{SMALL, Work},
    side::Side,
};

/// Small calls of all sides, alone and beside a transfer.
#[derive(Clone, Debug)]
pub struct Beside {
    work: Work,
    sides: Vec<Side>,
    /// The ninety-ninth hundredth of the calls' latencies in microseconds; true beside a transfer.
    rounds: Rounds<(Side, bool)>,
}

impl Beside {
    /// Runs it with everybody who is connected; fly-rpc alone in the short form.
    pub(crate) async fn measure(
        bench: &Bench,
        runtime: Runtime,
        in_flight: usize,
        effort: &Effort,
    ) -> Self {
        let work = Work::new(runtime, SMALL, in_flight);
        let takes_part = |side: &Side| match side {
            Side::Bytes(peer) => *peer == Peer::FlyRpc || effort.whole,
            _ => false,
        };
        // Erlang's loop is its own, and no datagram carries the large body.
        let is_able = |side: &Side| {
            let unable = [Peer::Erpc, Peer::Udp].map(Side::Bytes);
            !unable.contains(side)
        };
        let mut sides: Vec<Side> = bench.sides().filter(takes_part).filter(is_able).collect();
        let mut reached = Vec::new();
        for _ in 0..=effort.rounds {
            let mut values = Vec::new();
            for side in sides.clone() {
                for transfer in [0, TRANSFER] {
                    let turn = Turn {
                        measure: Measure::Tail,
                        transfer,
                        ..Turn::new(work, effort.window)
                    };
                    match bench.turn(side, turn).await {
                        Ok(value) => values.push(((side, transfer > 0), value)),
                        Err(_) => sides.retain(|other| *other != side),
                    }
                }
            }
            reached.push(values);
        }
        let mut rounds = Rounds::new();
        // The first round warms everything up; whoever failed in any has no figure.
        for values in reached.into_iter().skip(1) {
            rounds.begin();
            for ((side, beside), value) in values {
                if sides.contains(&side) {
                    rounds.note((side, beside), value);
                }
            }
        }
        Self {
            work,
            sides,
            rounds,
        }
    }

    fn row(&self, table: &mut Table) {
        for &side in &self.sides {
            let [alone, beside] = [false, true].map(|beside| self.rounds.figure(&(side, beside)));
            let ratio = self.rounds.ratio(&(side, true), &(side, false));
            table.row([
                format!("{side}, c={}", self.work.in_flight),
                format!("{alone:.0}"),
                format!("{beside:.0}"),
                format!("{ratio:.1}"),
            ]);
        }
    }
}

impl Near {
    /// One table for each runtime.
    pub(crate) fn beside_tables(&self) -> impl Iterator<Item = (String, Table)> {
        let runtime = |beside: &Beside| beside.work.runtime;
        let parts = self
            .beside
            .chunk_by(move |one, next| runtime(one) == runtime(next));
        parts.map(move |part| {
            let head = [
                "64 B beside echoes of 4 MiB",
                "p99 alone, µs",
                "beside, µs",
                "times",
            ];
            let mut table = Table::new(head);
            part.iter().for_each(|beside| beside.row(&mut table));
            let heading = format!(
                "small calls beside a transfer, {} runtime",
                runtime(&part[0])
            );
            (heading, table)
        })
    }

    pub(crate) fn beside_verdicts(&self) -> impl Iterator<Item = Verdict> {
        TARGETS.into_iter().map(|(runtime, in_flight, promise)| {
            let work = Work::new(runtime, SMALL, in_flight);
            let found = self.beside.iter().find(|beside| beside.work == work);
            let ratio = found.map(|found| {
                let rounds = &found.rounds;
                rounds.ratio(&(Side::OURS, true), &(Side::OURS, false))
            });
            match ratio.filter(|ratio| ratio.is_known()) {
                Some(ratio) => promise.verdict(&ratio),
                None => match self.reason(work, &[Side::OURS]) {
                    Some(reason) => promise.missing(reason),
                    None => promise.missing("a call or a transfer failed"),
                },
            }
        })
    }
}

/// Small calls in flight: one that waits for nothing else, and some that fill the connection.
pub(crate) const IN_FLIGHT: [usize; 2] = [1, 64];
const TARGETS: [(Runtime, usize, Promise); 4] = [
    target(
        Runtime::TwoWorkers,
        1,
        "× p99 of small calls beside a 4 MiB transfer: c=1, two-workers",
    ),
    target(
        Runtime::TwoWorkers,
        64,
        "× p99 of small calls beside a 4 MiB transfer: c=64, two-workers",
    ),
    target(
        Runtime::CurrentThread,
        1,
        "× p99 of small calls beside a 4 MiB transfer: c=1, current-thread",
    ),
    target(
        Runtime::CurrentThread,
        64,
        "× p99 of small calls beside a 4 MiB transfer: c=64, current-thread",
    ),
];

const fn target(
    runtime: Runtime,
    in_flight: usize,
    what: &'static str,
) -> (Runtime, usize, Promise) {
    (runtime, in_flight, Promise::at_most(2.0, what))
}

/// Bytes of the large body, each way.
const TRANSFER: usize = 4 << 20;
