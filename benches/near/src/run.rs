//! A whole run: on each runtime the servers are started, the clients connected, and all sides take
//! turns in every scenario.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, bail};
use bench_figures::{Effort, Figure, Rounds, Runtime};
use bench_peers::Peer;

use crate::{
    beside::{Beside, IN_FLIGHT},
    driver::{Driver, Turn},
    missing::Missing,
    placement::{Cores, Placement},
    scenario::{Scenario, Work, scenarios},
    server::Server,
    side::Side,
};

/// All that was measured, and why the rest was not.
#[derive(Clone, Debug, Default)]
pub struct Near {
    /// What was measured, scenario by scenario.
    pub cells: Vec<Cell>,
    /// Who has no figure, where, and for which reason.
    pub missing: Vec<Missing>,
    /// Small calls beside a transfer, on each runtime.
    pub beside: Vec<Beside>,
}

/// What the sides reached in one scenario.
#[derive(Clone, Debug)]
pub struct Cell {
    /// What was measured.
    pub scenario: Scenario,
    /// Calls a second, or the median call in microseconds, round by round.
    pub rounds: Rounds<Side>,
}

impl Near {
    /// How many times what `to` reached `of` reached, round by round.
    pub fn ratio(&self, work: Work, of: Side, to: Side) -> Figure {
        let cell = self.cells.iter().find(|cell| cell.scenario.work == work);
        cell.map_or_else(|| Figure::of([]), |cell| cell.rounds.ratio(&of, &to))
    }
}

/// Measures on runtimes of its own, those of `runtimes` one after the other. `only` these peers, or
/// all if it is empty. Says on standard error how far it is.
///
/// # Errors
/// If a runtime cannot be built. A peer that fails is no error.
pub fn measure(effort: &Effort, runtimes: &[Runtime], only: &[Peer]) -> anyhow::Result<Near> {
    let mut near = Near::default();
    let cores = Cores::of_this_process()?;
    for &shape in runtimes {
        let mut wanted = scenarios(shape, effort.whole);
        for scenario in &mut wanted {
            let is_wanted = |peer| only.is_empty() || only.contains(&peer);
            let sides = &mut scenario.sides;
            sides.retain(|side| side.caller().is_none_or(|(peer, _)| is_wanted(peer)));
        }
        let runtime = shape.build()?;
        let (effort, cores) = (*effort, cores.clone());
        // On a worker: the thread of `block_on` is none of the two.
        let run = runtime.spawn(async move { on_runtime(shape, wanted, effort, &cores).await });
        let part = runtime.block_on(run)?;
        near.cells.extend(part.cells);
        near.missing.extend(part.missing);
        near.beside.extend(part.beside);
    }
    Ok(near)
}

async fn on_runtime(
    runtime: Runtime,
    wanted: Vec<Scenario>,
    effort: Effort,
    cores: &Cores,
) -> Near {
    let mut near = Near::default();
    for together in wanted.chunk_by(|one, next| one.work.placement == next.work.placement) {
        let placement = together[0].work.placement;
        let missing = |side, work, reason| Missing {
            side,
            runtime,
            placement,
            work,
            reason,
        };
        let mut bench = match cores.place(placement) {
            Ok(servers) => Bench::new(runtime, Some(servers)),
            Err(_) if placement == Placement::Anywhere => Bench::new(runtime, None),
            Err(reason) => {
                near.missing
                    .push(missing(None, None, format!("{reason:#}")));
                continue;
            }
        };
        for side in together.iter().flat_map(|scenario| &scenario.sides) {
            if let Err(reason) = bench.join(*side).await {
                let reason = format!("{reason:#}");
                near.missing.push(missing(Some(*side), None, reason));
            }
        }
        for scenario in together {
            let work = scenario.work;
            eprintln!("near: {work}");
            let (cell, failed) = bench.run(scenario.clone(), &effort).await;
            let failed = failed.into_iter();
            let failed = failed.map(|(side, reason)| missing(Some(side), Some(work), reason));
            near.missing.extend(failed);
            near.cells.push(cell);
        }
        if placement == Placement::Anywhere {
            for in_flight in IN_FLIGHT {
                eprintln!("near: beside a transfer, c={in_flight}, {runtime}");
                let beside = Beside::measure(&bench, runtime, in_flight, &effort).await;
                let failed = beside.failed.iter().map(|(side, reason)| {
                    let reason = format!("beside a transfer: {reason}");
                    missing(Some(*side), Some(beside.work), reason)
                });
                near.missing.extend(failed);
                near.beside.push(beside);
            }
        }
    }
    near
}

/// The processes and connections of one runtime.
#[derive(Debug)]
pub(crate) struct Bench {
    runtime: Runtime,
    /// The servers' cores.
    cores: Option<String>,
    servers: BTreeMap<Peer, Option<Server>>,
    drivers: BTreeMap<Side, Option<Driver>>,
}

impl Bench {
    fn new(runtime: Runtime, cores: Option<String>) -> Self {
        Self {
            runtime,
            cores,
            servers: BTreeMap::new(),
            drivers: BTreeMap::new(),
        }
    }

    /// Starts and connects it, once.
    async fn join(&mut self, side: Side) -> anyhow::Result<()> {
        let Some((peer, payload)) = side.caller() else {
            return Ok(());
        };
        if self.drivers.contains_key(&side) {
            return Ok(());
        }
        self.drivers.insert(side, None);
        if !self.servers.contains_key(&peer) {
            self.servers.insert(peer, None);
            if let Some(reason) = peer.missing() {
                bail!(reason);
            }
            let server = Server::start(peer, self.runtime, self.cores.as_deref()).await?;
            self.servers.insert(peer, Some(server));
        }
        let server = self.servers.get(&peer).and_then(Option::as_ref);
        let server = server.context("it has no server")?;
        let driver = Driver::connect(peer, payload, &server.line).await?;
        self.drivers.insert(side, Some(driver));
        Ok(())
    }

    /// Everybody who is connected.
    pub(crate) fn sides(&self) -> impl Iterator<Item = Side> {
        let drivers = self.drivers.iter();
        drivers.filter_map(|(side, driver)| driver.is_some().then_some(*side))
    }

    /// One turn of one of them.
    pub(crate) async fn turn(&self, side: Side, turn: Turn) -> anyhow::Result<f64> {
        let driver = self.drivers.get(&side).and_then(Option::as_ref);
        driver.context("it is not connected")?.turn(turn).await
    }

    /// All rounds of one scenario, and who failed in it.
    async fn run(&self, scenario: Scenario, effort: &Effort) -> (Cell, BTreeMap<Side, String>) {
        let (rounds, window) = plan(&scenario, effort);
        let turn = Turn::new(scenario.work, window);
        let mut reached = Vec::new();
        let mut failed = BTreeMap::new();
        // The first round warms everything up.
        for round in 0..=rounds {
            let mut values = Vec::new();
            for place in 0..scenario.sides.len() {
                let side = scenario.sides[(place + round) % scenario.sides.len()];
                let driver = self.drivers.get(&side).and_then(Option::as_ref);
                let Some(driver) = driver.filter(|_| !failed.contains_key(&side)) else {
                    continue;
                };
                match driver.turn(turn.clone()).await {
                    Ok(value) => values.push((side, value)),
                    Err(reason) => {
                        failed.insert(side, format!("{reason:#}"));
                    }
                }
            }
            reached.push(values);
        }
        // Whoever failed in any round has no figure.
        let sound = |(side, _): &(Side, f64)| !failed.contains_key(side);
        let mut rounds = Rounds::new();
        for values in reached.into_iter().skip(1) {
            note(
                &mut rounds,
                values.into_iter().filter(sound),
                scenario.work.is_latency(),
            );
        }
        (Cell { scenario, rounds }, failed)
    }
}

/// Notes a round, and who was best in it.
fn note(
    rounds: &mut Rounds<Side>,
    values: impl Iterator<Item = (Side, f64)>,
    less_is_better: bool,
) {
    rounds.begin();
    let values: Vec<_> = values.collect();
    for (side, value) in &values {
        rounds.note(*side, *value);
    }
    for best in [Side::BestBare, Side::BestFramework] {
        let among = values.iter().filter(|(side, _)| best.is_best_of(*side));
        let among = among.map(|(_, value)| *value);
        let value = if less_is_better {
            among.reduce(f64::min)
        } else {
            among.reduce(f64::max)
        };
        if let Some(value) = value {
            rounds.note(best, value);
        }
    }
}

/// How many rounds, and how long each turn is. One call at a time is told apart by microseconds, and
/// the kernel decides turn by turn on which cores the ends run: many short turns.
fn plan(scenario: &Scenario, effort: &Effort) -> (usize, Duration) {
    let window = effort.window.min(WINDOW);
    if scenario.work.is_latency() {
        (effort.rounds * 8, window / 10)
    } else {
        (effort.rounds, window)
    }
}

/// Long enough for a thousand callers to be in step, short enough that a round's turns meet the same
/// machine.
const WINDOW: Duration = Duration::from_millis(400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_a_round_is_noted_beside_it() {
        let (mux, streams) = (Side::Bytes(Peer::QuicMux), Side::Bytes(Peer::QuicStreams));
        let mut rounds = Rounds::new();
        note(
            &mut rounds,
            [(mux, 10.0), (streams, 20.0)].into_iter(),
            false,
        );
        note(
            &mut rounds,
            [(mux, 30.0), (streams, 20.0)].into_iter(),
            false,
        );
        let best = rounds.figure(&Side::BestBare);
        assert_eq!((best.low, best.median), (20.0, 20.0));
        assert_eq!(rounds.ratio(&Side::BestBare, &mux).low, 1.0);
        assert!(!rounds.figure(&Side::BestFramework).is_known());
    }
}
