//! What was measured of one node: tables, verdicts and a plot.

use std::fmt;

use bench_figures::{Axis, Figure, Lines, Promise, Table, Verdict};
use fly_rpc::Target;

use crate::{crowd::Crowd, functions::Functions, pending::Pending, resolution::Resolution};

/// The scale of one node. Shown as tables and verdicts.
#[derive(Clone, Debug, Default)]
pub struct Scale {
    /// What a choice of a node costs.
    pub resolution: Vec<Resolution>,
    /// What peers cost, unless that failed.
    pub crowd: Option<Crowd>,
    /// What pending calls cost, unless that failed or was not asked for.
    pub pending: Option<Pending>,
    /// What many functions cost, unless that failed or was not asked for.
    pub functions: Vec<Functions>,
    /// What could not be measured, and why.
    pub missing: Vec<String>,
}

impl Scale {
    /// A result, or a note of why there is none.
    pub(crate) fn keep<T>(&mut self, what: &str, outcome: anyhow::Result<T>) -> Option<T> {
        outcome
            .map_err(|error| self.missing.push(format!("{what}: {error:#}")))
            .ok()
    }

    /// The promises about one node.
    pub fn verdicts(&self) -> Vec<Verdict> {
        let most = self.resolution.iter().map(|choice| choice.nodes).max();
        let slowest = self
            .resolution
            .iter()
            .filter(|choice| Some(choice.nodes) == most)
            .max_by(|one, other| one.nanos.median.total_cmp(&other.nanos.median));
        let choice = slowest.map_or(Figure::of([]), |slowest| slowest.nanos);
        let idle = match (self.crowd, self.missing.first()) {
            (Some(crowd), _) => IDLE.verdict(&Figure::once(crowd.per_peer / KIB)),
            // What is missing first is what was to be measured first.
            (None, reason) => IDLE.missing(reason.map_or("", String::as_str)),
        };
        vec![CHOICE.verdict(&choice), idle]
    }

    /// The cost of a choice against the nodes that are known.
    pub fn plot(&self) -> String {
        let upright = Axis::log("nanoseconds");
        let mut lines = Lines::new("Choosing a node", Axis::log("nodes known"), upright);
        let mut targets: Vec<&Target> = Vec::new();
        for choice in &self.resolution {
            if !targets.contains(&&choice.target) {
                targets.push(&choice.target);
            }
        }
        for target in targets {
            let of = self
                .resolution
                .iter()
                .filter(|choice| choice.target == *target);
            let points = of.map(|choice| (choice.nodes as f64, choice.nanos.median));
            lines = lines.line(target.to_string(), points);
        }
        lines.mark(300.0, "target at 10 000").draw()
    }

    fn resolution_table(&self) -> Table {
        let mut table = Table::new(["choosing a node", "nodes known", "ns"]);
        for choice in &self.resolution {
            let nanos = format!("{:.0}", choice.nanos);
            table.row([choice.target.to_string(), choice.nodes.to_string(), nanos]);
        }
        table
    }

    fn other_tables(&self) -> Vec<Table> {
        let crowd = self.crowd.map(|crowd| {
            let thing = format!("{} peers connected", crowd.peers);
            let per_peer = format!("{:.1}", crowd.per_peer / KIB);
            let resident = format!("{:.1}", crowd.resident / MIB);
            let joined = format!("{:.2}", crowd.joined);
            let joining = format!("{:.2}", crowd.joining);
            let idle = format!("{:.2} %", crowd.idle * 100.0);
            let known = [
                ("resident per idle peer, KiB", per_peer),
                ("resident in all, MiB", resident),
                ("until the last 90 % had joined, s", joined),
                ("core time spent on them, s", joining),
                ("of a core while idle", idle),
            ];
            Table::of(thing, known)
        });
        let pending = self.pending.map(|pending| {
            let thing = format!("{} calls pending", pending.calls);
            let served = format!("{:.0}", pending.served);
            let made = format!("{:.0}", pending.made);
            let filling = format!("{:.2}", pending.filling);
            let emptying = format!("{:.2}", pending.emptying);
            let known = [
                ("resident per call where it is served, bytes", served),
                ("resident per call where it was made, bytes", made),
                ("until the last 90 % were being served, s", filling),
                ("until all were answered, s", emptying),
            ];
            Table::of(thing, known)
        });
        let functions = (!self.functions.is_empty()).then(|| {
            let head = [
                "functions",
                "start, ms",
                "resident, MiB",
                "catalogue, KiB",
                "per peer, KiB",
                "local call, ns",
                "remote call, µs",
            ];
            let mut table = Table::new(head);
            for row in &self.functions {
                table.row([
                    row.functions.to_string(),
                    format!("{:.1}", row.start),
                    format!("{:.1}", row.resident / MIB),
                    format!("{:.1}", row.catalogue / KIB),
                    format!("{:.1}", row.per_peer / KIB),
                    format!("{:.0}", row.local),
                    format!("{:.1}", row.remote),
                ]);
            }
            table
        });
        crowd.into_iter().chain(pending).chain(functions).collect()
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.resolution_table())?;
        for table in self.other_tables() {
            writeln!(f, "{table}")?;
        }
        for missing in &self.missing {
            writeln!(f, "not measured: {missing}")?;
        }
        Ok(())
    }
}

const CHOICE: Promise = Promise::at_most(300.0, "ns to choose a node among 10 000");
const IDLE: Promise = Promise::at_most(60.0, "KiB resident for an idle peer connection");
const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * KIB;
