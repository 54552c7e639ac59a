//! Small calls while a large body is under way on the same connection: what a transfer costs those
//! beside it.
//!
//! In each round the small calls are made alone, then beside echoes of the large body, then beside large
//! answers to small requests; these follow each other without a pause, so that one is always under
//! way. A closed loop is kind to whoever makes calls wait, but to all turns alike.

use bench_figures::{Effort, Figure, Promise, Rounds, Runtime, Table, Verdict};
use bench_peers::Peer;

use crate::{
    driver::{Measure, Transfer, Turn},
    run::{Bench, Near},
    scenario::{SMALL, Work},
    side::Side,
    tables::shown,
};

/// Small calls of all sides, alone and beside a transfer.
#[derive(Clone, Debug)]
pub struct Beside {
    pub(crate) work: Work,
    sides: Vec<Side>,
    /// Who failed, and why.
    pub(crate) failed: Vec<(Side, String)>,
    /// What one call in a hundred exceeds, in microseconds, alone and beside each kind of transfer.
    rounds: Rounds<(Side, Option<Transfer>)>,
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
        let sides: Vec<Side> = bench.sides().filter(takes_part).filter(is_able).collect();
        let mut failed = Vec::new();
        let mut reached = Vec::new();
        for _ in 0..=effort.rounds {
            let mut values = Vec::new();
            for &side in &sides {
                for transfer in [None, ECHO, ANSWER] {
                    // Only fly-rpc has a function with a large answer.
                    let is_served = transfer != ANSWER || side == Side::OURS;
                    if !is_served || has_failed(&failed, side) {
                        continue;
                    }
                    let turn = Turn {
                        measure: Measure::Tail,
                        transfer,
                        ..Turn::new(work, effort.window)
                    };
                    match bench.turn(side, turn).await {
                        Ok(value) => values.push(((side, transfer), value)),
                        Err(reason) => failed.push((side, format!("{reason:#}"))),
                    }
                }
            }
            reached.push(values);
        }
        let mut rounds = Rounds::new();
        // The first round warms everything up; whoever failed in any has no figure.
        for values in reached.into_iter().skip(1) {
            rounds.begin();
            for ((side, transfer), value) in values {
                if !has_failed(&failed, side) {
                    rounds.note((side, transfer), value);
                }
            }
        }
        Self {
            work,
            sides,
            failed,
            rounds,
        }
    }

    fn row(&self, table: &mut Table) {
        for &side in &self.sides {
            let mut row = vec![format!("{side}, c={}", self.work.in_flight)];
            for transfer in [None, ECHO, ANSWER] {
                let figure = self.rounds.figure(&(side, transfer));
                row.push(shown(figure, format!("{figure:.0}")));
                if transfer.is_some() {
                    let times = self.rounds.ratio(&(side, transfer), &(side, None));
                    row.push(shown(times, format!("{times:.1}")));
                }
            }
            table.row(row);
        }
    }
}

fn has_failed(failed: &[(Side, String)], side: Side) -> bool {
    failed.iter().any(|(other, _)| *other == side)
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
        TARGETS.into_iter().map(|target| {
            let work = Work::new(target.runtime, SMALL, target.in_flight);
            let found = self.beside.iter().find(|beside| beside.work == work);
            let of = |found: &Beside| {
                let rounds = &found.rounds;
                rounds.ratio(&(Side::OURS, target.transfer), &(Side::OURS, None))
            };
            match found.map(of).filter(Figure::is_known) {
                Some(ratio) => target.promise.verdict(&ratio),
                None => {
                    let reason = self.reason(work, &[Side::OURS]);
                    target
                        .promise
                        .missing(reason.unwrap_or("a call or a transfer failed"))
                }
            }
        })
    }
}

/// That small calls do not wait behind a transfer.
struct Target {
    runtime: Runtime,
    in_flight: usize,
    transfer: Option<Transfer>,
    promise: Promise,
}

macro_rules! target {
    ($runtime:ident, $name:literal, $in_flight:literal, $transfer:ident, $beside:literal) => {
        Target {
            runtime: Runtime::$runtime,
            in_flight: $in_flight,
            transfer: $transfer,
            promise: Promise::at_most(
                2.0,
                concat!(
                    "× p99 of small calls beside a 4 MiB transfer (",
                    $beside,
                    "): c=",
                    $in_flight,
                    ", ",
                    $name
                ),
            ),
        }
    };
}

/// Small calls in flight: one that waits for nothing else, and some that fill the connection.
pub(crate) const IN_FLIGHT: [usize; 2] = [1, 64];
const TARGETS: [Target; 8] = [
    target!(TwoWorkers, "two-workers", 1, ECHO, "an echo"),
    target!(TwoWorkers, "two-workers", 1, ANSWER, "an answer"),
    target!(TwoWorkers, "two-workers", 64, ECHO, "an echo"),
    target!(TwoWorkers, "two-workers", 64, ANSWER, "an answer"),
    target!(CurrentThread, "current-thread", 1, ECHO, "an echo"),
    target!(CurrentThread, "current-thread", 1, ANSWER, "an answer"),
    target!(CurrentThread, "current-thread", 64, ECHO, "an echo"),
    target!(CurrentThread, "current-thread", 64, ANSWER, "an answer"),
];
const ECHO: Option<Transfer> = Some(Transfer::Echo);
const ANSWER: Option<Transfer> = Some(Transfer::Answer);
