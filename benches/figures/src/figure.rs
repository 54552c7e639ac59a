//! From many measurements to one figure: the median of rounds, and how far the rounds lie apart.

use std::{fmt, time::Duration};

/// The median of the rounds, and the tenth and ninetieth hundredth of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// Half of the rounds are at most this.
    pub median: f64,
    /// A tenth of them are at most this.
    pub low: f64,
    /// All but a tenth of them are at most this.
    pub high: f64,
}

impl Figure {
    /// The figure of these rounds. Not a number if there is none.
    pub fn of(rounds: impl IntoIterator<Item = f64>) -> Self {
        let mut rounds: Vec<f64> = rounds.into_iter().collect();
        rounds.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            let index = rounds.len().saturating_sub(1) * percent / 100;
            rounds.get(index).copied().unwrap_or(f64::NAN)
        };
        Self {
            median: at(50),
            low: at(10),
            high: at(90),
        }
    }

    /// A figure that was taken once, and has no spread.
    pub fn once(value: f64) -> Self {
        Self {
            median: value,
            low: value,
            high: value,
        }
    }

    /// The same in another unit: `figure.scaled(1e-3)` turns bytes into kilobytes.
    pub fn scaled(self, factor: f64) -> Self {
        Self {
            median: self.median * factor,
            low: self.low * factor,
            high: self.high * factor,
        }
    }

    /// True if something was measured.
    pub fn is_known(&self) -> bool {
        self.median.is_finite()
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = f.precision().unwrap_or(2);
        let Self { median, low, high } = self;
        if low == median && median == high {
            return write!(f, "{median:.places$}");
        }
        write!(f, "{median:.places$} ({low:.places$}–{high:.places$})")
    }
}

/// The median of durations, in microseconds: one round's figure.
pub fn median_of(samples: &mut [Duration]) -> f64 {
    samples.sort_unstable();
    samples
        .get(samples.len() / 2)
        .map_or(f64::NAN, |median| median.as_secs_f64() * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_does_not_depend_on_the_order_of_its_rounds() {
        let figure = Figure::of([9.0, 1.0, 5.0, 3.0, 7.0, 2.0, 8.0, 4.0, 6.0, 0.0, 10.0]);
        assert_eq!(
            figure,
            Figure {
                median: 5.0,
                low: 1.0,
                high: 9.0
            }
        );
        assert_eq!(figure.to_string(), "5.00 (1.00–9.00)");
    }

    #[test]
    fn a_figure_taken_once_shows_no_spread() {
        assert_eq!(
            Figure::once(2048.0).scaled(1.0 / 1024.0).to_string(),
            "2.00"
        );
        assert!(!Figure::of([]).is_known());
    }

    #[test]
    fn one_stray_call_does_not_move_a_round() {
        let mut samples = [1, 2, 3, 2, 900].map(Duration::from_micros);
        assert_eq!(median_of(&mut samples), 2.0);
    }
}
