//! A history and the phases in which it happened: which calls were made when, and what holds for each.

use super::{History, record::Record};
use crate::fleet::{Chapter, Phase, Region};

/// What happened, and when.
#[derive(Clone, Copy, Debug)]
pub struct Story<'a> {
    history: &'a History,
    phases: &'a [Phase],
}

impl<'a> Story<'a> {
    /// What happened, and the phases that were, in their order.
    pub fn of(history: &'a History, phases: &'a [Phase]) -> Self {
        Self { history, phases }
    }

    /// All calls.
    pub fn calls(self) -> impl Iterator<Item = &'a Record> {
        self.history.calls()
    }

    /// All calls of a function, whatever the version.
    pub fn calls_of(self, name: &str) -> impl Iterator<Item = &'a Record> {
        self.calls().filter(move |call| call.name() == name)
    }

    /// The calls of a function that were settled before this chapter.
    pub fn settled_before(self, chapter: Chapter, name: &str) -> impl Iterator<Item = &'a Record> {
        let settled =
            move |call: &&Record| call.settled.is_some() && self.settled_in(call) < chapter;
        self.calls_of(name).filter(settled)
    }

    /// The calls of a function to a region while nothing changed, parted by what was true of that region then.
    pub fn steady_by_whether(
        self,
        name: &str,
        is: impl Fn(&Phase, Region, &Record) -> bool,
    ) -> (Vec<&'a Record>, Vec<&'a Record>) {
        let (mut yes, mut no) = (Vec::new(), Vec::new());
        for call in self.calls_of(name) {
            if let (Some(phase), Some(region)) = (call.steady(self.phases), call.region()) {
                if is(phase, region, call) {
                    yes.push(call)
                } else {
                    no.push(call)
                }
            }
        }
        (yes, no)
    }

    /// The chapter in which a call was made.
    pub fn made_in(self, call: &Record) -> Chapter {
        self.phases[call.made_in].chapter
    }

    /// The chapter in which the caller was told what became of its call, or died.
    pub fn settled_in(self, call: &Record) -> Chapter {
        call.settled.as_ref().map_or(Chapter::Killed, |settled| {
            self.phases[settled.phase].chapter
        })
    }
}

/// Fails unless a fact holds for each of these calls. There must be some: of no calls everything is true.
///
/// # Panics
/// With the first calls for which it does not hold.
#[track_caller]
pub fn each<'a>(
    fact: &str,
    calls: impl IntoIterator<Item = &'a Record>,
    holds: impl Fn(&Record) -> bool,
) {
    let calls: Vec<&Record> = calls.into_iter().collect();
    assert!(
        !calls.is_empty(),
        "there is no call of which it could be said that it {fact}"
    );
    let broken: Vec<_> = calls.iter().filter(|call| !holds(call)).collect();
    let shown = &broken[..broken.len().min(SHOWN)];
    assert!(
        broken.is_empty(),
        "this is not so for {} of {} calls: it {fact}; {shown:#?}",
        broken.len(),
        calls.len()
    );
}

/// How many calls that break a fact are shown.
const SHOWN: usize = 5;
