//! The history as a table: for each chapter of the story and each function, what became of its calls.

use std::{collections::BTreeMap, fmt, ops::AddAssign};

use fly_rpc::Executed;

use super::{event::Outcome, record::Record, story::Story};
use crate::fleet::Chapter;

/// Counts by chapter and function, to be printed.
#[derive(Debug)]
pub struct Table {
    rows: BTreeMap<(Chapter, String), Row>,
}

/// The calls of one function in one chapter.
#[derive(Clone, Copy, Debug, Default)]
struct Row([usize; COLUMNS.len()]);

impl Table {
    /// Counts the calls of a story. A call belongs to the chapter in which its caller was told what became of it, or died.
    pub fn of(story: Story<'_>) -> Self {
        let mut rows: BTreeMap<_, Row> = BTreeMap::new();
        for call in story.calls() {
            *rows
                .entry((story.settled_in(call), call.function.clone()))
                .or_default() += call;
        }
        Self { rows }
    }
}

impl AddAssign<&Record> for Row {
    fn add_assign(&mut self, record: &Record) {
        for (count, (_, counts)) in self.0.iter_mut().zip(COLUMNS) {
            *count += counts(record);
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chapter = None;
        for ((of, function), Row(counts)) in &self.rows {
            if chapter.replace(of) != Some(of) {
                write!(f, "\n{:16}", of.to_string())?;
                COLUMNS
                    .iter()
                    .try_for_each(|(name, _)| write!(f, " {name:>WIDTH$}"))?;
                writeln!(f)?;
            }
            write!(f, "  {function:14}")?;
            for count in counts {
                let shown = if *count == 0 {
                    "·".to_owned()
                } else {
                    count.to_string()
                };
                write!(f, " {shown:>WIDTH$}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn refused(record: &Record, name: &str) -> usize {
    record
        .outcome()
        .is_some_and(|outcome| outcome.is_refusal(name))
        .into()
}

fn failed(record: &Record, as_far_as_known: Executed) -> usize {
    matches!(record.outcome(), Some(Outcome::Failed { executed, .. }) if *executed == as_far_as_known).into()
}

fn told(record: &Record, what: Option<&Outcome>) -> usize {
    (record.outcome() == what).into()
}

type Column = (&'static str, fn(&Record) -> usize);

/// What is counted of each call: first what its caller was told, then what really happened.
const COLUMNS: [Column; 12] = [
    ("calls", |_| 1),
    ("answered", |record| record.is_right().into()),
    ("wrong", |record| told(record, Some(&Outcome::Wrong))),
    ("unavailable", |record| {
        refused(record, "FunctionUnavailable")
    }),
    ("mismatch", |record| refused(record, "ContractMismatch")),
    ("other No", |record| {
        let named = refused(record, "FunctionUnavailable") + refused(record, "ContractMismatch");
        failed(record, Executed::No) - named
    }),
    ("Unknown", |record| failed(record, Executed::Unknown)),
    ("own error", |record| {
        told(record, Some(&Outcome::Application))
    }),
    ("abandoned", |record| {
        told(record, Some(&Outcome::Abandoned))
    }),
    ("unheard", |record| told(record, None)),
    ("executed", |record| record.runs.len().min(1)),
    ("twice", |record| (record.runs.len() > 1).into()),
];
const WIDTH: usize = 11;
