//! The promises about time and memory, and whether a run kept them.
//!
//! A promise that is missed is said, not failed: the machine may be the reason.

use std::fmt;

use crate::figure::Figure;

/// On which side of a number a promise lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// The median may be this and no more.
    AtMost(f64),
    /// The median must be this or more.
    AtLeast(f64),
}

/// A bound that the documentation states.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Promise {
    /// What is bounded, with its unit.
    pub what: &'static str,
    /// What keeps it.
    pub bound: Bound,
}

impl Promise {
    /// What a call that stays in the process costs beyond the function itself.
    pub const LOCAL: Self = Self::at_most(300.0, "ns that a local call costs beyond the function");

    /// What bounds cost when a value is decoded.
    pub const DECODE: Self = Self::at_most(1.1, "times plain postcard, for rows");

    /// The same, where there is nothing to bound.
    pub const DECODE_BYTES: Self = Self::at_most(
        1.02,
        "times plain postcard, for 1 MiB of bytes, however they are kept",
    );

    /// How soon a bomb is refused.
    pub const BOMB: Self = Self::at_most(1000.0, "µs until the slowest bomb is refused");

    /// A promise that a lower figure keeps.
    pub const fn at_most(bound: f64, what: &'static str) -> Self {
        Self {
            what,
            bound: Bound::AtMost(bound),
        }
    }

    /// A promise that a higher figure keeps.
    pub const fn at_least(bound: f64, what: &'static str) -> Self {
        Self {
            what,
            bound: Bound::AtLeast(bound),
        }
    }

    /// What this figure says of it.
    pub fn verdict(&self, figure: &Figure) -> Verdict {
        Verdict {
            promise: *self,
            figure: *figure,
            missing: None,
        }
    }

    /// That nothing was measured of it, for this reason.
    pub fn missing(&self, reason: impl Into<String>) -> Verdict {
        Verdict {
            missing: Some(reason.into()),
            ..self.verdict(&Figure::of([]))
        }
    }
}

/// A promise beside what was measured. Shown as one line that begins with `PASS` or `SHORT`, or with a
/// dash if nothing was.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What was promised.
    pub promise: Promise,
    /// What was measured.
    pub figure: Figure,
    /// Why nothing was measured, if that is known.
    pub missing: Option<String>,
}

impl Verdict {
    /// True if the promise was kept. What was not measured was not kept.
    pub fn is_kept(&self) -> bool {
        let median = self.figure.median;
        match self.promise.bound {
            Bound::AtMost(bound) => median <= bound,
            Bound::AtLeast(bound) => median >= bound,
        }
    }

    /// `PASS` or `SHORT`; a dash if nothing was measured.
    pub fn word(&self) -> &'static str {
        match self.figure.is_known() {
            false => "–",
            true if self.is_kept() => "PASS",
            true => "SHORT",
        }
    }

    /// What was measured, or why nothing was.
    pub fn measured(&self) -> String {
        match &self.missing {
            _ if self.figure.is_known() => self.figure.to_string(),
            Some(reason) => format!("not measured ({reason})"),
            None => "not measured".to_owned(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, measured) = (self.word(), self.measured());
        let Promise { what, bound } = self.promise;
        write!(f, "{word:<5} {measured} of {bound} {what}")
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(bound) => write!(f, "at most {bound:.2}"),
            Self::AtLeast(bound) => write!(f, "at least {bound:.2}"),
        }
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
        assert!(Promise::at_most(1.5, "a").verdict(&figure).is_kept());
        let figure = Figure {
            median: 1.51,
            ..figure
        };
        let verdict = Promise::at_most(1.5, "a").verdict(&figure).to_string();
        assert!(verdict.starts_with("SHORT"), "{verdict}");
    }

    #[test]
    fn what_was_not_measured_keeps_no_promise() {
        let nothing = Figure::of([]);
        assert!(!Promise::at_most(1.0, "a").verdict(&nothing).is_kept());
        assert!(!Promise::at_least(1.0, "a").verdict(&nothing).is_kept());
        let reason = Promise::at_least(1.0, "a").missing("no root").to_string();
        assert!(
            reason.starts_with('–') && reason.contains("no root"),
            "{reason}"
        );
        let enough = Figure::once(2.0);
        assert!(Promise::at_least(2.0, "a").verdict(&enough).is_kept());
    }
}
