//! Interleaved rounds: in each, every side is measured once; ratios are taken within a round.

use std::collections::BTreeMap;

use crate::figure::Figure;

/// What every side reached, round by round. `K` says which side.
#[derive(Clone, Debug)]
pub struct Rounds<K> {
    values: BTreeMap<K, Vec<Option<f64>>>,
    rounds: usize,
}

impl<K: Ord + Clone> Rounds<K> {
    /// No rounds yet.
    pub fn new() -> Self {
        Self {
            values: BTreeMap::new(),
            rounds: 0,
        }
    }

    /// Begins the next round. What a side does not reach in it is missing from it.
    pub fn begin(&mut self) {
        self.rounds += 1;
    }

    /// Notes what `side` reached in the round that was begun last.
    pub fn note(&mut self, side: K, value: f64) {
        let values = self.values.entry(side).or_default();
        // A side may join late or miss a round: its values stay with their rounds.
        values.resize(self.rounds.max(1), None);
        if let Some(last) = values.last_mut() {
            *last = Some(value);
        }
    }

    /// The sides that reached anything, in order.
    pub fn sides(&self) -> impl Iterator<Item = &K> {
        self.values.keys()
    }

    /// The figure of one side; unknown if it was never noted.
    pub fn figure(&self, side: &K) -> Figure {
        let values = self.values.get(side);
        Figure::of(values.into_iter().flatten().flatten().copied())
    }

    /// How many times `of` is `to`, over the rounds that have both.
    pub fn ratio(&self, of: &K, to: &K) -> Figure {
        let (Some(of), Some(to)) = (self.values.get(of), self.values.get(to)) else {
            return Figure::of([]);
        };
        let pairs = of.iter().zip(to);
        Figure::of(pairs.filter_map(|(of, to)| Some((*of)? / (*to)?)))
    }
}

impl<K: Ord + Clone> Default for Rounds<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_taken_within_rounds() {
        let mut rounds = Rounds::new();
        // The machine is four times slower in the second round: each figure shows it, the ratio does not.
        for slow in [1.0, 4.0, 1.0] {
            rounds.begin();
            rounds.note("ours", 100.0 / slow);
            rounds.note("theirs", 50.0 / slow);
        }
        assert_eq!(rounds.ratio(&"ours", &"theirs"), Figure::once(2.0));
        assert_eq!(rounds.figure(&"ours").low, 25.0);
    }

    #[test]
    fn a_round_that_one_side_missed_counts_for_neither() {
        let mut rounds = Rounds::new();
        rounds.begin();
        rounds.note("ours", 100.0);
        rounds.begin();
        rounds.note("ours", 10.0);
        rounds.note("theirs", 5.0);
        assert_eq!(rounds.ratio(&"ours", &"theirs"), Figure::once(2.0));
        assert!(!rounds.ratio(&"ours", &"nobody").is_known());
    }
}
