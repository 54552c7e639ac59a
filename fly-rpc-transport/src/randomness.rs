//! Where random numbers come from: the operating system, or a seed.
//!
//! Whatever is random in a node asks one of these, so that a simulation that gives it a seed runs
//! the same way every time. Keys and secrets are not drawn here: they must never follow from a
//! seed.

use std::sync::{Arc, Mutex};

use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::lock::lock;

/// A source of random numbers that are no secrets. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Randomness(Option<Arc<Mutex<StdRng>>>);

impl Randomness {
    /// Numbers that nobody can foresee.
    pub fn unforeseeable() -> Self {
        Self(None)
    }

    /// The same numbers for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))))
    }

    /// A number, uniform over all of them.
    pub fn number(&self) -> u64 {
        match &self.0 {
            Some(seeded) => lock(seeded).next_u64(),
            None => rand::random(),
        }
    }

    /// A number from 0 up to, and without, 1.
    pub fn fraction(&self) -> f64 {
        // The 53 bits that a float of this size holds exactly.
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True if a seed decides.
    pub(crate) fn is_seeded(&self) -> bool {
        self.0.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_and_another_gives_others() {
        let numbers = |seed| {
            let randomness = Randomness::seeded(seed);
            [(); 4].map(|()| randomness.number())
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
    }

    #[test]
    fn fractions_stay_below_one() {
        let randomness = Randomness::seeded(1);
        assert!((0..10_000).all(|_| (0.0..1.0).contains(&randomness.fraction())));
    }
}
