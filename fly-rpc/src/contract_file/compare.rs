//! What the code has against what was recorded.
//!
//! One rule decides what is refused and what is only written down. A change after which a call of an older build could be
//! misread or run twice is a fault, whoever asks for what: another contract, or an `idempotent` that is taken back (the
//! older build goes on to retry). A change after which such a call is at worst refused before it runs is news: functions that
//! come and go, pins that move.

use std::collections::BTreeMap;

use super::{
    file::Entry,
    record::{Function, Record},
    verdict::{Edit, Fault, News},
};

/// The outcome: what the file ought to have, what is new in that, and what must not be.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// Sorted by name and version.
    pub(super) records: Vec<Record>,
    pub(super) news: Vec<News>,
    pub(super) faults: Vec<Fault>,
}

/// Compares the entries with the functions, whose fingerprints are taken in the way `scheme`. No two entries and no two
/// functions have one identity.
pub(super) fn compare(entries: &[Entry], functions: &[Function], scheme: u32) -> Comparison {
    let mut pairs: BTreeMap<(&str, u32), Pair<'_>> = BTreeMap::new();
    for entry in entries {
        let key = (entry.record.name.as_str(), entry.record.version);
        pairs.entry(key).or_default().entry = Some(entry);
    }
    for function in functions {
        let key = (function.name.as_str(), function.version);
        pairs.entry(key).or_default().function = Some(function);
    }
    let mut newest: BTreeMap<&str, u32> = BTreeMap::new();
    for (name, version) in pairs.keys() {
        newest.insert(name, *version); // they come in order
    }
    let mut comparison = Comparison::default();
    comparison.order(entries);
    for ((name, _), pair) in &pairs {
        let next = newest
            .get(name)
            .map_or(1, |version| version.saturating_add(1));
        match (pair.entry, pair.function) {
            (Some(entry), Some(function)) => comparison.both(entry, function, scheme, next),
            (Some(entry), None) => comparison.recorded_only(entry),
            (None, Some(function)) => {
                comparison.news.push(News::Added {
                    identity: function.identity(),
                    place: function.place.clone(),
                });
                comparison.records.push(function.record(Vec::new()));
            }
            (None, None) => {}
        }
    }
    comparison
}

/// What there is of one identity.
#[derive(Default)]
struct Pair<'a> {
    entry: Option<&'a Entry>,
    function: Option<&'a Function>,
}

impl Comparison {
    /// Notes the first entry that stands behind one that it belongs before.
    fn order(&mut self, entries: &[Entry]) {
        let key = |entry: &Entry| (entry.record.name.clone(), entry.record.version);
        let misplaced = entries
            .windows(2)
            .find(|pair| key(&pair[0]) > key(&pair[1]));
        if let Some([_, entry]) = misplaced {
            self.news.push(News::Sorted {
                identity: entry.record.identity(),
                line: entry.line,
            });
        }
    }

    fn recorded_only(&mut self, entry: &Entry) {
        if let Some(edit) = edit(entry, None) {
            let identity = entry.record.identity();
            return self.faults.push(Fault::Edited { identity, edit });
        }
        if !entry.record.retired {
            self.news.push(News::Retired {
                identity: entry.record.identity(),
                line: entry.line,
            });
        }
        self.records.push(Record {
            retired: true,
            ..entry.record.clone()
        });
    }

    fn both(&mut self, entry: &Entry, function: &Function, scheme: u32, next: u32) {
        match fault(entry, function, scheme, next) {
            Some(fault) => self.faults.push(fault),
            None => {
                self.news.extend(news(entry, function));
                let remarks = entry.record.remarks.clone();
                self.records.push(function.record(remarks));
            }
        }
    }
}

/// What the file must not follow, of an entry and its function. Whether the entry can be believed comes first.
fn fault(entry: &Entry, function: &Function, scheme: u32, next: u32) -> Option<Fault> {
    let (record, line) = (&entry.record, entry.line);
    if let Some(edit) = edit(entry, Some(function)) {
        let identity = record.identity();
        return Some(Fault::Edited { identity, edit });
    }
    if record.mark.scheme > scheme {
        return Some(Fault::Newer {
            line,
            identity: record.identity(),
            scheme: record.mark.scheme,
            known: scheme,
        });
    }
    let is_one_scheme = record.mark.scheme == scheme;
    if is_one_scheme && record.mark != function.mark {
        return Some(Fault::Changed {
            line,
            next,
            recorded: record.clone(),
            function: Box::new(function.clone()),
        });
    }
    if !is_one_scheme && record.contract != function.contract {
        return Some(Fault::Undecided {
            line,
            recorded: record.clone(),
            function: Box::new(function.clone()),
        });
    }
    (record.idempotent && !function.idempotent).then(|| Fault::Withdrawn {
        line,
        next,
        function: Box::new(function.clone()),
    })
}

/// What the file follows, of an entry and its function.
fn news(entry: &Entry, function: &Function) -> impl Iterator<Item = News> {
    let (record, line) = (&entry.record, entry.line);
    let identity = || record.identity();
    let revived = record.retired.then(|| News::Revived {
        identity: identity(),
        line,
    });
    let pinned = (record.pin != function.pin).then(|| News::Pinned {
        identity: identity(),
        line,
        from: record.pin.clone(),
        to: function.pin.clone(),
    });
    let granted = function.idempotent && !record.idempotent;
    let idempotent = granted.then(|| News::Idempotent {
        identity: identity(),
        line,
    });
    let is_alike = record.mark == function.mark && record.contract == function.contract;
    let respelled = (!is_alike).then(|| News::Respelled {
        identity: identity(),
        line,
    });
    [revived, pinned, idempotent, respelled]
        .into_iter()
        .flatten()
}

/// What somebody wrote into the entry, as far as that can be told.
fn edit(entry: &Entry, function: Option<&Function>) -> Option<Edit> {
    let record = &entry.record;
    if record.check() == entry.check {
        return None;
    }
    let somewhere = Edit::Somewhere {
        first: entry.line,
        last: entry.line.max(entry.fingerprint_line).max(entry.check_line),
    };
    let Some(function) = function else {
        return Some(somewhere);
    };
    let one_text = record.contract == function.contract;
    let edit = match (record.mark == function.mark, one_text) {
        (true, true) => Edit::Check {
            line: entry.check_line,
        },
        (false, true) => Edit::Fingerprint {
            line: entry.fingerprint_line,
        },
        (false, false) => somewhere,
        (true, false) => {
            let (found, expected) = (&record.contract, &function.contract);
            let alike = found
                .iter()
                .zip(expected)
                .take_while(|(one, other)| one == other);
            let at = alike.count();
            let line = |lines: &[String]| lines.get(at).map_or("", |line| line.trim()).to_owned();
            Edit::Line {
                line: entry.line + at,
                found: line(found),
                expected: line(expected),
            }
        }
    };
    Some(edit)
}
