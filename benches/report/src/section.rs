//! The parts of the report: each is measured by a crate of its own and shown here.

use std::fmt::Write;

use bench_figures::{Align, Effort, Promise, Runtime, Table, Verdict};
use bench_micro::beyond_the_function;
use bench_near::Missing;
use tokio::runtime;

/// A part of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Near,
    Far,
    Node,
    Price,
}

/// What was measured for one part.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Its tables, as markdown.
    pub(crate) text: String,
    /// What it says of the targets.
    pub(crate) verdicts: Vec<Verdict>,
    /// What has no figure, and why; and what else must be known to read the figures.
    pub(crate) notes: Vec<String>,
    /// Its plots, by the name of their files.
    pub(crate) plots: Vec<(&'static str, String)>,
}

impl Section {
    pub(crate) const ALL: [Self; 4] = [Self::Near, Self::Far, Self::Node, Self::Price];

    /// Its name on the command line and in the document.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Near => "near",
            Self::Far => "far",
            Self::Node => "node",
            Self::Price => "price",
        }
    }

    /// Measures it. What fails is noted, and the rest of the report is not held up by it.
    pub(crate) fn measure(self, effort: Effort) -> Found {
        eprintln!("{}", self.name());
        let found = match self {
            Self::Near => near(effort),
            Self::Far => far(effort),
            Self::Node => node(effort),
            Self::Price => price(effort),
        };
        let mut found = found.unwrap_or_else(|reason| Found {
            notes: vec![format!("{}: {reason:#}", self.name())],
            ..Found::default()
        });
        for note in &found.notes {
            if !found.text.contains(note) {
                let _ = writeln!(found.text, "- {note}");
            }
        }
        found
    }
}

/// All targets in one table.
pub(crate) fn targets(all: &[Found]) -> Table {
    table(all.iter().flat_map(|found| &found.verdicts))
}

/// Those that are not kept, as markdown.
pub(crate) fn losses(all: &[Found]) -> String {
    let verdicts = all.iter().flat_map(|found| &found.verdicts);
    let is_lost = |verdict: &&Verdict| verdict.figure.is_known() && !verdict.is_kept();
    let table = table(verdicts.filter(is_lost));
    match table.is_empty() {
        true => "Nowhere that this run looked.".to_owned(),
        false => table.to_string(),
    }
}

fn table<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> Table {
    let mut table = Table::new(["verdict", "measured", "asked", "what"]).align(3, Align::Left);
    for verdict in verdicts {
        let (measured, asked) = (verdict.measured(), verdict.promise.bound.to_string());
        table.row([verdict.word(), &measured, &asked, verdict.promise.what]);
    }
    table
}

fn near(effort: Effort) -> anyhow::Result<Found> {
    let near = bench_near::measure(&effort, &Runtime::ALL, &[])?;
    let mut text = String::new();
    for (heading, table) in near.tables() {
        let _ = writeln!(text, "#### {heading}\n\n{table}");
    }
    Ok(Found {
        text,
        verdicts: near.verdicts(),
        plots: near.plots(),
        notes: near.missing.iter().map(Missing::to_string).collect(),
    })
}

fn far(effort: Effort) -> anyhow::Result<Found> {
    let far = runtime()?.block_on(bench_far::measure(effort))?;
    let mut text = format!("{}\n", far.table);
    for note in &far.notes {
        let _ = writeln!(text, "- {note}");
    }
    Ok(Found {
        text,
        verdicts: far.verdicts,
        notes: far.notes,
        plots: vec![("far", far.plot)],
    })
}

fn node(effort: Effort) -> anyhow::Result<Found> {
    let runtime = runtime()?;
    let mut found = Found::default();
    let local = match runtime.block_on(beyond_the_function(effort)) {
        Ok(figure) => {
            let _ = writeln!(found.text, "{LOCAL}: {figure:.0} ns.\n");
            Promise::LOCAL.verdict(&figure)
        }
        Err(reason) => Promise::LOCAL.missing(format!("{reason:#}")),
    };
    found.verdicts.push(local);
    let scale = runtime.block_on(bench_node::measure(effort))?;
    found.text.push_str(&scale.to_string());
    found.verdicts.extend(scale.verdicts());
    found.notes.extend(scale.missing.iter().cloned());
    found.plots.push(("node-choice", scale.plot()));
    Ok(found)
}

fn price(effort: Effort) -> anyhow::Result<Found> {
    let price = runtime()?.block_on(bench_price::measure(effort))?;
    Ok(Found {
        text: price.to_string(),
        plots: vec![("price", price.plot())],
        ..Found::default()
    })
}

fn runtime() -> anyhow::Result<runtime::Runtime> {
    Ok(runtime::Builder::new_multi_thread().enable_all().build()?)
}

const LOCAL: &str = "A call that stays in its process takes, beyond the function itself";
