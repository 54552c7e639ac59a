//! The better of two nodes that chance took: power of two choices.
//!
//! Always taking the best of all would send every caller to the same node, until what each knows of
//! it is outdated; of two, nearly as good a one is found without a look at the others (Mitzenmacher).
//! What a node costs is how slowly it answers, times the calls that it then has.
//!
//! A node whose breaker is open is passed over, and two others are taken. After [`EFFORT`] pairs
//! without a usable node, one of the last two is called all the same: with so many left out it is as
//! likely that the fault is here, and those that are left could not bear the load of all (Finagle's
//! panic mode). Of `n` nodes of which the share `u` is out, that happens to `u^(2·EFFORT)` of the
//! calls: one in a thousand if half of them are, every second if nine of ten are, all if all are. A
//! caller who named another target for that case has no need of it ([`Resort::Elsewhere`]).
//!
//! A node that is due for its one call is taken at once when chance comes upon it: it will not get
//! better by waiting, and one call is all that it can cost.

use std::time::Duration;

use super::{
    breaker::Condition,
    moment::Moment,
    vitals::{Progress, Vitals},
};
use crate::resolve::Candidate;

/// What is done when nodes are there and all of them are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resort {
    /// One is called all the same.
    Panic,
    /// None is: there is another target.
    Elsewhere,
}

/// What came of looking at pairs.
#[derive(Debug)]
pub(crate) enum Pick<'a, C> {
    One(&'a C, Grade),
    /// One of them cannot be taken without a look at the others.
    Unfit,
    /// There are none, or each that was met is left out.
    Nobody,
}

/// Takes one of `count` candidates, if the two that chance takes first are fit.
pub(crate) fn two_of<'a, C: Candidate>(
    count: usize,
    at: impl Fn(usize) -> Option<&'a C>,
    is_fit: impl Fn(&C) -> bool,
    now: Moment,
    resort: Resort,
    mut random: impl FnMut() -> u64,
) -> Pick<'a, C> {
    if count < 2 {
        return match at(0) {
            Some(only) if !is_fit(only) => Pick::Unfit,
            Some(only) => one_or_nobody(only, grade(only, now), resort),
            None => Pick::Nobody,
        };
    }
    // Two are two however often they are taken.
    let effort = if count == 2 { 1 } else { EFFORT };
    let mut last = None;
    for _ in 0..effort {
        let (first, second) = two_numbers(count, random());
        let (Some(first), Some(second)) = (at(first), at(second)) else {
            return Pick::Nobody;
        };
        if !is_fit(first) || !is_fit(second) {
            return Pick::Unfit;
        }
        let (better, grade) = better(first, second, now, &mut random);
        if grade <= Grade::Usable {
            return Pick::One(better, grade);
        }
        last = Some((better, grade));
    }
    last.map_or(Pick::Nobody, |(last, grade)| {
        one_or_nobody(last, grade, resort)
    })
}

fn one_or_nobody<C>(candidate: &C, grade: Grade, resort: Resort) -> Pick<'_, C> {
    if grade == Grade::Out && resort == Resort::Elsewhere {
        Pick::Nobody
    } else {
        Pick::One(candidate, grade)
    }
}

/// What can be done with a node, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grade {
    /// It should be called now, to see whether it is back.
    Due,
    Usable,
    /// It has its first call and has not answered it: one is enough until it does.
    Unproven,
    Stalled,
    Out,
}

pub(crate) fn grade(candidate: &impl Candidate, now: Moment) -> Grade {
    grade_and_share(candidate, candidate.vitals(), now).0
}

/// What can be done with it, and the share of its calls that it should get.
fn grade_and_share(candidate: &impl Candidate, vitals: &Vitals, now: Moment) -> (Grade, f32) {
    let share = match vitals.condition(now) {
        Condition::Due => return (Grade::Due, 1.0),
        Condition::Open { .. } | Condition::Probing => return (Grade::Out, 1.0),
        Condition::Serving => 1.0,
        Condition::Recovering { share } => share,
    };
    let grade = match vitals.progress(candidate.round_trip(), now) {
        Progress::Fine => Grade::Usable,
        Progress::Unproven => Grade::Unproven,
        Progress::Stalled => Grade::Stalled,
    };
    (grade, share)
}

fn better<'a, C: Candidate>(
    first: &'a C,
    second: &'a C,
    now: Moment,
    random: &mut impl FnMut() -> u64,
) -> (&'a C, Grade) {
    // Looked up once: it is most of what a choice takes.
    let vitals = (first.vitals(), second.vitals());
    let (first_grade, first_share) = grade_and_share(first, vitals.0, now);
    let (second_grade, second_share) = grade_and_share(second, vitals.1, now);
    if first_grade != second_grade {
        return if first_grade < second_grade {
            (first, first_grade)
        } else {
            (second, second_grade)
        };
    }
    // Of two that recover neither has to wait for the other.
    let passed_over = |mine: f32, other: f32, random: &mut dyn FnMut() -> u64| {
        mine < other && fraction(random()) >= mine / other
    };
    let second_is_better = if passed_over(first_share, second_share, random) {
        true
    } else if passed_over(second_share, first_share, random) {
        false
    } else {
        // Between equals chance has decided already which is the first.
        cost_of(second, vitals.1, now) < cost_of(first, vitals.0, now)
    };
    (if second_is_better { second } else { first }, first_grade)
}

/// What a call to it costs, in microseconds: how long its answer takes, times the calls that it then
/// has. One that was asked and never answered is the worst of all until it does, so that it is asked
/// once.
pub(crate) fn cost(candidate: &impl Candidate, now: Moment) -> f32 {
    cost_of(candidate, candidate.vitals(), now)
}

fn cost_of(candidate: &impl Candidate, vitals: &Vitals, now: Moment) -> f32 {
    let calls = candidate.in_flight() as f32 + 1.0;
    let way = candidate.round_trip().max(FLOOR).as_secs_f32() * 1e6;
    match vitals.latency_micros(now) {
        Some(latency) => latency.max(way) * calls,
        None if calls > 1.0 => UNKNOWN * calls,
        None => way,
    }
}

/// Two different numbers below `count`, which is at least 2, from one random number: its lower half
/// is as good as its upper one, and both have far more digits than `count`.
pub(crate) fn two_numbers(count: usize, random: u64) -> (usize, usize) {
    let below = |count: usize, half: u64| ((half * count as u64) >> 32) as usize;
    let first = below(count, random & u64::from(u32::MAX));
    let second = below(count - 1, random >> 32);
    // Over all but the first.
    (first, second + usize::from(second >= first))
}

/// True if it is as good a choice as any, as far as its connection goes.
pub(crate) fn is_fit(candidate: &impl Candidate) -> bool {
    !candidate.is_draining() && !candidate.is_suspect() && !candidate.is_retiring()
}

/// From 0 up to, and without, 1: the digits that a float of this size holds.
fn fraction(random: u64) -> f32 {
    (random >> 40) as f32 / (1_u64 << 24) as f32
}

/// Pairs that are looked at before one that is left out is called, as in Finagle.
pub(super) const EFFORT: usize = 5;
/// Below this, differences of latency are noise, and load should decide.
const FLOOR: Duration = Duration::from_micros(500);
/// What a call costs at a node that has not answered its first: more than any latency, so that any
/// other is better, and yet of two such nodes the less loaded one.
const UNKNOWN: f32 = 1e15;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::resolve::fake::chance;

    #[test]
    fn every_two_are_as_likely_and_never_one_twice() {
        let mut random = chance(1);
        let mut counts = HashMap::new();
        for _ in 0..40_000 {
            *counts.entry(two_numbers(5, random())).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 20, "{counts:?}");
        assert!(counts.keys().all(|(a, b)| a != b && *a < 5 && *b < 5));
        assert!(counts.values().all(|count| (1_800..2_200).contains(count)));
        assert_eq!(two_numbers(2, 0), (0, 1));
        assert_eq!(two_numbers(2, u64::MAX), (1, 0));
    }
}
