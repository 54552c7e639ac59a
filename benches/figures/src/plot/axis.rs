//! Axes: from values to a place between 0 and 1, and the values worth a tick.

/// How the values of one axis are laid out, and what they are.
#[derive(Clone, Debug)]
pub struct Axis {
    pub(super) label: String,
    scale: Scale,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Linear,
    Log,
    Percentile,
}

impl Axis {
    /// From zero on, evenly.
    pub fn linear(label: impl Into<String>) -> Self {
        Self::new(label, Scale::Linear)
    }

    /// Each power of ten as wide as the next.
    pub fn log(label: impl Into<String>) -> Self {
        Self::new(label, Scale::Log)
    }

    /// Hundredths from 0 on, where 90, 99 and 99.9 are as far apart: what latencies are read by.
    pub fn percentile(label: impl Into<String>) -> Self {
        Self::new(label, Scale::Percentile)
    }

    fn new(label: impl Into<String>, scale: Scale) -> Self {
        Self {
            label: label.into(),
            scale,
        }
    }

    /// The axis over these values.
    pub(super) fn over(&self, values: impl IntoIterator<Item = f64>) -> Span {
        let values: Vec<f64> = values
            .into_iter()
            .filter(|value| self.takes(*value))
            .collect();
        let low = values.iter().copied().fold(f64::MAX, f64::min);
        let high = values.iter().copied().fold(f64::MIN, f64::max);
        let (low, high) = match self.scale {
            _ if values.is_empty() => (1.0, 10.0),
            Scale::Linear => (0.0, round_up(high)),
            Scale::Log => enclosing(low, high),
            Scale::Percentile => (0.0, high.max(99.0)),
        };
        Span {
            scale: self.scale,
            low,
            high,
        }
    }

    fn takes(&self, value: f64) -> bool {
        value.is_finite()
            && match self.scale {
                Scale::Linear => value >= 0.0,
                Scale::Log => value > 0.0,
                Scale::Percentile => (0.0..100.0).contains(&value),
            }
    }
}

/// An axis with its ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Span {
    /// Where a value lies: 0 at the low end, 1 at the high one; what lies beyond is put there.
    pub(super) fn place(&self, value: f64) -> f64 {
        let map = |value: f64| match self.scale {
            Scale::Linear => value,
            Scale::Log => value.max(f64::MIN_POSITIVE).log10(),
            Scale::Percentile => -(1.0 - value / 100.0).max(1e-9).log10(),
        };
        let (low, high) = (map(self.low), map(self.high));
        ((map(value) - low) / (high - low)).clamp(0.0, 1.0)
    }

    /// The values worth a tick, with their names.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let values: Vec<f64> = match self.scale {
            Scale::Linear => {
                let step = step(self.high);
                let count = (self.high / step).round() as u32;
                (0..=count).map(|tick| f64::from(tick) * step).collect()
            }
            Scale::Log => {
                let powers = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
                let within = |value: &f64| (self.low * 0.999..=self.high * 1.001).contains(value);
                let decades: Vec<f64> = powers.map(|power| 10_f64.powi(power)).collect();
                let steps: &[f64] = if decades.len() > 3 {
                    &[1.0]
                } else {
                    &[1.0, 2.0, 5.0]
                };
                let all = decades
                    .iter()
                    .flat_map(|decade| steps.iter().map(move |step| decade * step));
                all.filter(within).collect()
            }
            Scale::Percentile => {
                let all = [0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999];
                all.into_iter()
                    .filter(|value| *value <= self.high)
                    .collect()
            }
        };
        let name = |value: f64| match self.scale {
            Scale::Percentile => format!("{value}"),
            _ => short(value),
        };
        values
            .into_iter()
            .map(|value| (value, name(value)))
            .collect()
    }
}

/// A number in a few characters: `1.2 M`, `50 k`, `0.3`.
pub(super) fn short(value: f64) -> String {
    let (value, suffix) = match value.abs() {
        size if size >= 1e9 => (value / 1e9, " G"),
        size if size >= 1e6 => (value / 1e6, " M"),
        size if size >= 1e4 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let places = match value.abs() {
        size if size >= 100.0 || size == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.1 => 2,
        _ => 3,
    };
    let text = format!("{value:.places$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{text}{suffix}")
}

/// The least 1, 2 or 5 times a power of ten by which some six ticks reach `high`.
fn step(high: f64) -> f64 {
    let rough = high / 6.0;
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps
        .into_iter()
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(power * 10.0)
}

/// The least tick that is not below `high`.
fn round_up(high: f64) -> f64 {
    if high <= 0.0 {
        return 1.0;
    }
    let step = step(high);
    (high / step).ceil() * step
}

/// The 1, 2 or 5 times powers of ten around these.
fn enclosing(low: f64, high: f64) -> (f64, f64) {
    let around = |value: f64| {
        let power = 10_f64.powf(value.log10().floor());
        [1.0, 2.0, 5.0, 10.0].map(|step| step * power)
    };
    let below = around(low)
        .into_iter()
        .rev()
        .find(|tick| *tick <= low * 1.001);
    let above = around(high).into_iter().find(|tick| *tick >= high * 0.999);
    let (below, above) = (below.unwrap_or(low), above.unwrap_or(high));
    if above > below {
        (below, above)
    } else {
        (below, below * 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_axis_begins_at_zero_and_ends_on_a_tick() {
        let span = Axis::linear("").over([130.0, 408.0]);
        assert_eq!(span.place(0.0), 0.0);
        let names: Vec<String> = span.ticks().into_iter().map(|tick| tick.1).collect();
        assert_eq!(names, ["0", "100", "200", "300", "400", "500"]);
    }

    #[test]
    fn decades_are_equally_wide() {
        let span = Axis::log("").over([10.0, 10_000.0]);
        assert!((span.place(100.0) - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!(span.ticks().len(), 4);
        assert_eq!(span.place(1.0), 0.0);
    }

    #[test]
    fn nines_are_equally_wide() {
        let span = Axis::percentile("").over([50.0, 99.9]);
        let (two, three) = (span.place(99.0), span.place(99.9));
        assert!((three - two - (two - span.place(90.0))).abs() < 1e-9);
    }

    #[test]
    fn what_cannot_be_drawn_is_left_out() {
        let span = Axis::log("").over([0.0, f64::NAN, -1.0]);
        assert!(span.place(5.0).is_finite());
    }

    #[test]
    fn numbers_are_short() {
        let shown = [1_177_000.0, 50_000.0, 408.0, 60.5, 0.3, 0.0].map(short);
        assert_eq!(shown, ["1.18 M", "50 k", "408", "60.5", "0.3", "0"]);
    }
}
