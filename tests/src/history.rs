//! What the processes of a roll-out wrote down, joined into one record per call.
//!
//! Callers and callees each append to a journal of their own, in a file that outlives its process. Only together do the
//! journals tell what a caller was told and what really happened.

mod attempts;
mod event;
mod journal;
mod promise;
mod record;
mod story;
mod table;

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context;

pub use event::{CallId, Event, Outcome};
pub use journal::{Execution, Journal};
pub use promise::Kept;
pub use record::{Record, Run, Settled};
pub use story::{Story, each};
pub use table::Table;

/// Every call of a roll-out.
#[derive(Debug, Default)]
pub struct History {
    calls: BTreeMap<CallId, Record>,
}

impl History {
    /// Reads every journal of a directory.
    ///
    /// # Errors
    /// A journal that cannot be read or understood, and an execution or an outcome of a call that nobody made.
    pub fn read(directory: &Path) -> anyhow::Result<Self> {
        let mut events = Vec::new();
        for file in fs::read_dir(directory)? {
            let path = file?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == Journal::EXTENSION)
            {
                let journal = read_journal(&path);
                events.extend(journal.with_context(|| path.display().to_string())?);
            }
        }
        Self::of(events)
    }

    /// The calls, in the order in which each process made them.
    pub fn calls(&self) -> impl Iterator<Item = &Record> {
        self.calls.values()
    }

    /// Joins events; those that make a call come first, because journals know no common order.
    fn of(events: Vec<Event>) -> anyhow::Result<Self> {
        let (made, rest): (Vec<_>, Vec<_>) = events
            .into_iter()
            .partition(|event| matches!(event, Event::Made { .. }));
        let mut history = Self::default();
        for event in made {
            let call = event.call();
            let before = history.calls.insert(call, Record::of(event)?);
            anyhow::ensure!(before.is_none(), "two calls are both named {call}");
        }
        for event in rest {
            let call = event.call();
            let record = history.calls.get_mut(&call);
            record
                .with_context(|| format!("nobody made the call of {event:?}"))?
                .add(event)?;
        }
        Ok(history)
    }
}

/// The events of one journal. A last line without its end is left out: a kill may cut a write where two pages of the
/// file meet, and what it was to announce was then never begun.
fn read_journal(path: &Path) -> anyhow::Result<Vec<Event>> {
    let text = fs::read_to_string(path)?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(str::parse).collect()
}

#[cfg(test)]
mod tests {
    use fly_rpc::Executed;

    use super::*;
    use crate::fleet::Build;

    const CALL: CallId = CallId {
        process: 3,
        number: 7,
    };

    fn made() -> Event {
        Event::Made {
            call: CALL,
            build: Build::Old,
            function: "price@1".into(),
            target: "@region(syd)".into(),
            phase: 2,
        }
    }

    fn began() -> Event {
        Event::Began {
            call: CALL,
            function: "price@1".into(),
            build: Build::New,
        }
    }

    #[test]
    fn every_event_comes_back_from_its_own_line() {
        let failed = Outcome::Failed {
            error: "Timeout".into(),
            executed: Executed::Unknown,
            text: "the deadline passed".into(),
        };
        let settled = |outcome| Event::Settled {
            call: CALL,
            phase: 4,
            at_once: true,
            micros: 5,
            failed_attempts: 2,
            outcome,
        };
        let outcomes = [
            Outcome::Right,
            Outcome::Wrong,
            Outcome::Application,
            Outcome::Abandoned,
            failed,
        ];
        let events = outcomes.map(settled).into_iter();
        for event in events.chain([made(), began(), Event::Ended { call: CALL }]) {
            assert_eq!(event.to_string().parse::<Event>().unwrap(), event);
        }
    }

    #[test]
    fn an_execution_finds_its_call_whichever_is_read_first() {
        let history = History::of(vec![Event::Ended { call: CALL }, began(), made()]);
        let history = history.expect_err("it ended before it began").to_string();
        assert!(history.contains("3-7"), "{history}");
        let history = History::of(vec![began(), Event::Ended { call: CALL }, made()]).unwrap();
        let record = history.calls().next().unwrap();
        assert_eq!(
            record.runs,
            [Run {
                function: "price@1".into(),
                build: Build::New,
                ended: true
            }]
        );
    }

    #[test]
    fn an_execution_that_nobody_asked_for_is_an_error() {
        assert!(History::of(vec![began()]).is_err());
        assert!(History::of(vec![made(), made()]).is_err());
    }
}
