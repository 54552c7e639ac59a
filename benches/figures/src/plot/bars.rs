//! Grouped bars with the spread of each: throughput by peer.

use super::{
    Axis,
    axis::{Span, short},
    colour,
    svg::{Anchor, GRID, INK, Svg},
};
use crate::figure::Figure;

/// A plot of bars. Every group has a bar for each series.
#[derive(Clone, Debug)]
pub struct Bars {
    title: String,
    axis: Axis,
    series: Vec<String>,
    groups: Vec<(String, Vec<Option<Figure>>)>,
    mark: Option<(f64, String)>,
}

impl Bars {
    /// An empty plot of these series; `axis` is the upright one.
    pub fn new<S: Into<String>>(
        title: impl Into<String>,
        axis: Axis,
        series: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            title: title.into(),
            axis,
            series: series.into_iter().map(Into::into).collect(),
            groups: Vec::new(),
            mark: None,
        }
    }

    /// Adds a group: one figure for each series, `None` for one that was not measured.
    pub fn group(
        mut self,
        name: impl Into<String>,
        figures: impl IntoIterator<Item = Option<Figure>>,
    ) -> Self {
        let figures = figures
            .into_iter()
            .map(|figure| figure.filter(Figure::is_known));
        self.groups.push((name.into(), figures.collect()));
        self
    }

    /// Draws a dashed line at a value: a target.
    pub fn mark(mut self, value: f64, name: impl Into<String>) -> Self {
        self.mark = Some((value, name.into()));
        self
    }

    /// The drawing, as the text of an SVG file.
    pub fn draw(&self) -> String {
        let bars = self.groups.len() * self.series.len().max(1);
        let room = (bars as f64 * BAR + self.groups.len() as f64 * GAP).max(360.0);
        let legend = Legend::of(&self.series, room);
        let top = TOP + legend.height();
        let mut svg = Svg::new(LEFT + room + RIGHT, top + HEIGHT + BOTTOM);
        svg.title((LEFT, 24.0), &self.title);
        legend.draw(&mut svg);
        let figures = self
            .groups
            .iter()
            .flat_map(|group| group.1.iter().flatten());
        let marked = self.mark.iter().map(|mark| mark.0);
        let span = self
            .axis
            .over(figures.map(|figure| figure.high).chain(marked));
        grid(&mut svg, &span, &self.axis.label, top, room);
        let width = room / self.groups.len().max(1) as f64;
        let bar = (width - GAP) / self.series.len().max(1) as f64;
        for (number, (name, figures)) in self.groups.iter().enumerate() {
            let left = LEFT + width * number as f64 + GAP / 2.0;
            for (series, figure) in figures.iter().enumerate() {
                let x = left + bar * series as f64;
                draw_bar(
                    &mut svg,
                    &span,
                    top,
                    (x, bar),
                    colour(series),
                    figure.as_ref(),
                );
            }
            let middle = (left + (width - GAP) / 2.0, top + HEIGHT + 18.0);
            svg.word(middle, Anchor::Middle, name);
        }
        if let Some((value, name)) = &self.mark {
            let y = height_of(&span, top, *value);
            svg.dashes([LEFT, y, LEFT + room, y], INK);
            svg.word((LEFT + room, y - 5.0), Anchor::End, name);
        }
        svg.line([LEFT, top + HEIGHT, LEFT + room, top + HEIGHT], INK, 1.0);
        svg.finish()
    }
}

/// A bar, its whisker from a tenth to nine tenths of the rounds, and its value; or a dash.
fn draw_bar(
    svg: &mut Svg,
    span: &Span,
    top: f64,
    (x, width): (f64, f64),
    fill: &str,
    figure: Option<&Figure>,
) {
    let (base, middle) = (top + HEIGHT, x + width / 2.0);
    let Some(figure) = figure else {
        return svg.word((middle, base - 4.0), Anchor::Middle, "–");
    };
    let y = height_of(span, top, figure.median);
    svg.rectangle([x + 1.0, y, width - 2.0, base - y], fill);
    let (low, high) = (
        height_of(span, top, figure.low),
        height_of(span, top, figure.high),
    );
    if low - high > 1.0 {
        svg.line([middle, low, middle, high], INK, 1.2);
        for end in [low, high] {
            svg.line([middle - 3.0, end, middle + 3.0, end], INK, 1.2);
        }
    }
    svg.word(
        (middle, high.min(y) - 5.0),
        Anchor::Middle,
        &short(figure.median),
    );
}

fn height_of(span: &Span, top: f64, value: f64) -> f64 {
    top + HEIGHT * (1.0 - span.place(value))
}

/// The upright axis with its ticks, over the whole width.
pub(super) fn grid(svg: &mut Svg, span: &Span, label: &str, top: f64, room: f64) {
    for (value, name) in span.ticks() {
        let y = height_of(span, top, value);
        svg.line([LEFT, y, LEFT + room, y], GRID, 1.0);
        svg.word((LEFT - 8.0, y + 4.0), Anchor::End, &name);
    }
    svg.upright((18.0, top + HEIGHT / 2.0), label);
}

/// The series with their colours, in as many lines as they need.
pub(super) struct Legend<'a> {
    lines: Vec<Vec<(f64, usize, &'a str)>>,
}

impl<'a> Legend<'a> {
    pub(super) fn of(series: &'a [String], room: f64) -> Self {
        let mut lines: Vec<Vec<_>> = vec![Vec::new()];
        let mut x = 0.0;
        for (number, name) in series.iter().enumerate() {
            // A letter is about seven pixels wide.
            let width = name.chars().count() as f64 * 7.0 + 36.0;
            if x + width > room && x > 0.0 {
                lines.push(Vec::new());
                x = 0.0;
            }
            lines
                .last_mut()
                .expect("it began with one")
                .push((x, number, name.as_str()));
            x += width;
        }
        Self { lines }
    }

    pub(super) fn height(&self) -> f64 {
        self.lines.len() as f64 * 20.0
    }

    pub(super) fn draw(&self, svg: &mut Svg) {
        for (line, entries) in self.lines.iter().enumerate() {
            let y = 48.0 + line as f64 * 20.0;
            for (x, series, name) in entries {
                svg.rectangle([LEFT + x, y - 10.0, 12.0, 12.0], colour(*series));
                svg.word((LEFT + x + 17.0, y), Anchor::Start, name);
            }
        }
    }
}

/// Pixels of one bar with its number above it.
const BAR: f64 = 46.0;
/// Pixels between two groups.
const GAP: f64 = 26.0;
/// Pixels around the plot itself, and its height.
pub(super) const LEFT: f64 = 78.0;
pub(super) const RIGHT: f64 = 24.0;
pub(super) const TOP: f64 = 52.0;
pub(super) const BOTTOM: f64 = 48.0;
pub(super) const HEIGHT: f64 = 300.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn plot() -> Bars {
        let wide = Figure {
            median: 400.0,
            low: 300.0,
            high: 450.0,
        };
        Bars::new("64 B", Axis::linear("calls/s"), ["fly-rpc", "tonic"])
            .group("c = 1", [Some(Figure::once(10.0)), None])
            .group("c = 256", [Some(wide), Some(Figure::of([]))])
    }

    #[test]
    fn every_known_figure_is_a_bar_and_every_other_one_a_dash() {
        let text = plot().draw();
        // The ground, two marks of the legend, two bars.
        assert_eq!(text.matches("<rect").count(), 5);
        assert_eq!(text.matches(">–<").count(), 2);
        assert!(text.contains(">c = 256<") && text.contains(">tonic<"));
        assert!(!text.contains("NaN"));
    }

    #[test]
    fn only_a_spread_has_a_whisker() {
        let (ink, plain) = (
            format!(r#"stroke="{INK}" stroke-width="1.2""#),
            plot().draw(),
        );
        // One line and its two ends.
        assert_eq!(plain.matches(&ink).count(), 3);
    }

    #[test]
    fn a_higher_figure_has_a_higher_bar() {
        let span = Axis::linear("").over([100.0]);
        assert!(height_of(&span, TOP, 90.0) < height_of(&span, TOP, 10.0));
    }
}
