//! What was measured, as tables and as a plot.

use bench_figures::{Axis, Bars, Figure, Runtime, Table};
use bench_peers::Peer;

use crate::{
    placement::Placement,
    run::{Cell, Near},
    scenario::{SMALL, Work, size_text},
    side::Side,
};

impl Near {
    /// One table for each runtime and size: a row for each side, and for each number of calls in
    /// flight what it reached beside what part of fly-rpc's that is. Each with its heading.
    pub fn tables(&self) -> Vec<(String, Table)> {
        let mut tables = Vec::new();
        for cells in self
            .cells
            .chunk_by(|one, next| together(one) == together(next))
        {
            let (runtime, size) = together(&cells[0]);
            let heading = format!("{}, {runtime} runtime", size_text(size));
            tables.push((heading, table(cells)));
        }
        tables.extend(self.beside_tables());
        tables
    }

    /// Calls a second of small calls, all peers, as an SVG, for each runtime that was measured.
    pub fn plots(&self) -> Vec<(&'static str, String)> {
        let plot = |(runtime, name)| {
            let is_of = |cell: &&Cell| {
                together(cell) == (runtime, SMALL) && !cell.scenario.work.is_latency()
            };
            let cells: Vec<&Cell> = self.cells.iter().filter(is_of).collect();
            (!cells.is_empty()).then(|| (name, bars(runtime, &cells)))
        };
        [
            (Runtime::TwoWorkers, "near-two-workers"),
            (Runtime::CurrentThread, "near-current-thread"),
        ]
        .into_iter()
        .filter_map(plot)
        .collect()
    }
}

fn together(cell: &Cell) -> (Runtime, usize) {
    (cell.scenario.work.runtime, cell.scenario.work.size)
}

fn table(cells: &[Cell]) -> Table {
    let mut head = vec!["peer".to_owned()];
    for cell in cells {
        head.extend([column(cell.scenario.work), "ratio".to_owned()]);
    }
    let mut table = Table::new(head);
    let mut sides: Vec<Side> = Vec::new();
    for side in cells.iter().flat_map(|cell| &cell.scenario.sides) {
        if !sides.contains(side) {
            sides.push(*side);
        }
    }
    sides.sort_unstable();
    for side in sides {
        let mut row = vec![side.to_string()];
        for cell in cells {
            let figure = cell.rounds.figure(&side);
            let ratio = cell.rounds.ratio(&side, &Side::OURS);
            row.push(if cell.scenario.work.is_latency() {
                shown(figure, format!("{figure:.1}"))
            } else {
                shown(figure, calls(figure))
            });
            row.push(shown(ratio, format!("{:.2}", ratio.median)));
        }
        table.row(row);
    }
    table
}

fn column(work: Work) -> String {
    let Work {
        in_flight,
        placement,
        ..
    } = work;
    match placement {
        Placement::Anywhere if work.is_latency() => format!("c={in_flight}, µs"),
        Placement::Anywhere => format!("c={in_flight}, calls/s"),
        placement => format!("c={in_flight}, {placement}, µs"),
    }
}

/// Nothing is shown of what was not measured.
pub(crate) fn shown(figure: Figure, text: String) -> String {
    if figure.is_known() {
        text
    } else {
        String::new()
    }
}

/// Calls a second with three digits or so.
fn calls(figure: Figure) -> String {
    if figure.median < 10_000.0 {
        format!("{figure:.0}")
    } else {
        let Figure { median, low, high } = figure.scaled(1e-3);
        format!("{median:.0} k ({low:.0}–{high:.0})")
    }
}

fn bars(runtime: Runtime, cells: &[&Cell]) -> String {
    let peers = Peer::ALL.map(Side::Bytes);
    let is_measured = |side: &Side| cells.iter().any(|cell| cell.rounds.figure(side).is_known());
    let sides: Vec<Side> = peers.into_iter().filter(is_measured).collect();
    let title = format!("Calls of 64 bytes, {runtime} runtime");
    let axis = Axis::linear("thousand calls/s");
    let mut bars = Bars::new(title, axis, sides.iter().map(Side::to_string));
    for cell in cells {
        let figures = sides.iter().map(|side| {
            let figure = cell.rounds.figure(side).scaled(1e-3);
            figure.is_known().then_some(figure)
        });
        let name = format!("{} in flight", cell.scenario.work.in_flight);
        bars = bars.group(name, figures);
    }
    bars.draw()
}
