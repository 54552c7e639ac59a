//! The promises about time, and whether a run kept them.
//!
//! A promise that is missed is said, not failed: the machine may be the reason.

use crate::rounds::Figure;

/// A bound that the documentation states.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
    /// What is bounded, with its unit.
    pub what: &'static str,
    /// The largest median that keeps it.
    pub at_most: f64,
}

impl Promise {
    /// What a call that stays in the process costs beyond the function itself.
    pub const LOCAL: Self = Self {
        what: "µs that a local call costs beyond the function",
        at_most: 2.0,
    };

    /// What a call over loopback takes in terms of two bare datagrams.
    pub const REMOTE: Self = Self {
        what: "times the bare UDP ping-pong, for a remote call of 64 bytes",
        at_most: 1.5,
    };

    /// What bounds cost when a value is decoded.
    pub const DECODE: Self = Self {
        what: "times plain postcard, for rows",
        at_most: 1.1,
    };

    /// The same, where there is nothing to bound.
    pub const DECODE_BYTES: Self = Self {
        what: "times plain postcard, for 1 MiB of bytes, however they are kept",
        at_most: 1.02,
    };

    /// How soon a bomb is refused.
    pub const BOMB: Self = Self {
        what: "µs until the slowest bomb is refused",
        at_most: 1000.0,
    };

    /// One line: kept or not, and by how much.
    pub fn verdict(&self, figure: &Figure) -> String {
        let word = if figure.median <= self.at_most {
            "PASS"
        } else {
            "SHORT"
        };
        format!(
            "{word}  {figure:.2} of at most {:.2} {}",
            self.at_most, self.what
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_decides_and_not_the_spread() {
        let figure = Figure {
            median: 1.5,
            low: 1.0,
            high: 9.0,
        };
        assert!(Promise::REMOTE.verdict(&figure).starts_with("PASS"));
        let figure = Figure {
            median: 1.51,
            ..figure
        };
        assert!(Promise::REMOTE.verdict(&figure).starts_with("SHORT"));
    }
}
