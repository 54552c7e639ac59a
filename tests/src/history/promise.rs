//! What is promised of every call, whatever happens to the nodes and the network between them.

use std::fmt;

use fly_rpc::Executed;

use super::{History, Outcome, Record};

/// A history in which every promise was kept, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Calls that were made.
    pub calls: usize,
    /// Calls that got their value.
    pub right: usize,
    /// Calls that are said not to have run.
    pub no: usize,
    /// Calls of which nobody knows whether they ran.
    pub unknown: usize,
    /// Those among them that did run.
    pub unknown_and_ran: usize,
    /// Calls that ran.
    pub ran: usize,
    /// Idempotent calls that ran more than once.
    pub ran_again: usize,
}

impl History {
    /// Fails unless every promise was kept for each call. Functions of these names are idempotent.
    ///
    /// # Panics
    /// With the first calls for which one was broken.
    pub fn keeps_its_promises(&self, idempotent: &[&str]) -> Kept {
        let is_idempotent = |call: &Record| idempotent.contains(&call.name());
        let broken: Vec<_> = self
            .calls()
            .filter_map(|call| Some((broken_promise(call, is_idempotent(call))?, call)))
            .collect();
        assert!(
            broken.is_empty(),
            "promises were broken in {} calls: {:#?}",
            broken.len(),
            &broken[..broken.len().min(SHOWN)]
        );
        let count = |is: fn(&Record) -> bool| self.calls().filter(|call| is(call)).count();
        Kept {
            calls: self.calls().count(),
            right: count(Record::is_right),
            no: count(Record::did_not_run),
            unknown: count(Record::may_have_run),
            unknown_and_ran: count(|call| call.may_have_run() && !call.runs.is_empty()),
            ran: count(|call| !call.runs.is_empty()),
            ran_again: count(|call| call.runs.len() > 1),
        }
    }
}

/// What was promised of a call and not kept.
fn broken_promise(call: &Record, idempotent: bool) -> Option<&'static str> {
    let runs = call.runs.len();
    let Some(settled) = &call.settled else {
        return Some("its caller hears of it");
    };
    if runs > 1 && !idempotent {
        return Some("it runs at most once");
    }
    // All attempts failed, or the last one did not.
    let failed = matches!(settled.outcome, Outcome::Failed { .. });
    let attempts = settled.failed_attempts as usize + usize::from(!failed);
    if runs > attempts {
        return Some("it runs at most once for each attempt");
    }
    match &settled.outcome {
        Outcome::Wrong => Some("nobody gets a wrong value"),
        Outcome::Right if !call.runs.iter().any(|run| run.ended) => {
            Some("what is acknowledged ran to its end")
        }
        Outcome::Application if runs == 0 => Some("what returned an error ran"),
        Outcome::Failed { executed, .. } => match executed {
            Executed::No if runs > 0 => Some("`No` means that it did not run"),
            Executed::Yes if runs == 0 => Some("`Yes` means that it ran"),
            _ => None,
        },
        _ => None,
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            calls,
            right,
            no,
            unknown,
            unknown_and_ran,
            ran,
            ran_again,
        } = self;
        write!(
            f,
            "{calls} calls: {right} right, {no} No, {unknown} Unknown ({unknown_and_ran} of them ran), {ran} ran, {ran_again} idempotent ones again"
        )
    }
}

/// How many calls that break a promise are shown.
const SHOWN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fleet::Build,
        history::{CallId, Run, Settled},
    };

    fn failed(executed: Executed) -> Outcome {
        Outcome::Failed {
            error: "Error".into(),
            executed,
            text: String::new(),
        }
    }

    fn record(outcome: Outcome, failed_attempts: u32, runs: usize) -> Record {
        let run = Run {
            function: "f@1".into(),
            build: Build::New,
            ended: true,
        };
        Record {
            call: CallId {
                process: 1,
                number: 1,
            },
            build: Build::New,
            function: "f@1".into(),
            target: "@any".into(),
            made_in: 0,
            settled: Some(Settled {
                outcome,
                phase: 0,
                at_once: false,
                micros: 1,
                failed_attempts,
            }),
            runs: vec![run; runs],
        }
    }

    #[test]
    fn every_kind_of_lie_is_seen() {
        let unknown = || failed(Executed::Unknown);
        let honest = [
            (record(Outcome::Right, 0, 1), false),
            (record(Outcome::Right, 1, 2), true),
            (record(unknown(), 1, 0), false),
            (record(unknown(), 1, 1), false),
            (record(unknown(), 2, 2), true),
            (record(failed(Executed::No), 1, 0), false),
            (record(failed(Executed::Yes), 1, 1), false),
        ];
        for (record, idempotent) in honest {
            assert_eq!(broken_promise(&record, idempotent), None, "{record:?}");
        }
        let mut unfinished = record(Outcome::Right, 0, 1);
        unfinished.runs[0].ended = false;
        let mut unheard = record(Outcome::Right, 0, 1);
        unheard.settled = None;
        let lies = [
            (record(Outcome::Right, 0, 0), false),
            (record(Outcome::Right, 1, 2), false),
            (record(Outcome::Right, 0, 2), true),
            (record(unknown(), 1, 2), true),
            (record(failed(Executed::No), 1, 1), true),
            (record(failed(Executed::Yes), 1, 0), false),
            (record(Outcome::Wrong, 0, 1), false),
            (record(Outcome::Application, 0, 0), false),
            (unfinished, false),
            (unheard, false),
        ];
        for (record, idempotent) in lies {
            assert!(broken_promise(&record, idempotent).is_some(), "{record:?}");
        }
    }
}
