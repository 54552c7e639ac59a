//! Lines: latency by percentile, growth with the number of nodes.

use super::{
    Axis,
    axis::Span,
    bars::{BOTTOM, HEIGHT, LEFT, Legend, RIGHT, TOP, grid},
    colour,
    svg::{Anchor, GRID, INK, Svg},
};

/// A plot of lines through points.
#[derive(Clone, Debug)]
pub struct Lines {
    title: String,
    across: Axis,
    upright: Axis,
    lines: Vec<(String, Vec<(f64, f64)>)>,
    mark: Option<(f64, String)>,
}

impl Lines {
    /// An empty plot.
    pub fn new(title: impl Into<String>, across: Axis, upright: Axis) -> Self {
        Self {
            title: title.into(),
            across,
            upright,
            lines: Vec::new(),
            mark: None,
        }
    }

    /// Adds a line through these points, in their order.
    pub fn line(
        mut self,
        name: impl Into<String>,
        points: impl IntoIterator<Item = (f64, f64)>,
    ) -> Self {
        let points = points
            .into_iter()
            .filter(|(x, y)| x.is_finite() && y.is_finite());
        self.lines.push((name.into(), points.collect()));
        self
    }

    /// Draws a dashed line across at a value: a target.
    pub fn mark(mut self, value: f64, name: impl Into<String>) -> Self {
        self.mark = Some((value, name.into()));
        self
    }

    /// The drawing, as the text of an SVG file.
    pub fn draw(&self) -> String {
        let names: Vec<String> = self.lines.iter().map(|line| line.0.clone()).collect();
        let legend = Legend::of(&names, WIDTH);
        let top = TOP + legend.height();
        let mut svg = Svg::new(LEFT + WIDTH + RIGHT, top + HEIGHT + BOTTOM);
        svg.title((LEFT, 24.0), &self.title);
        legend.draw(&mut svg);
        let points = || self.lines.iter().flat_map(|line| line.1.iter());
        let marked = self.mark.iter().map(|mark| mark.0);
        let across = self.across.over(points().map(|point| point.0));
        let upright = self
            .upright
            .over(points().map(|point| point.1).chain(marked));
        grid(&mut svg, &upright, &self.upright.label, top, WIDTH);
        self.draw_across(&mut svg, &across, top);
        let place = |(x, y): &(f64, f64)| {
            let x = LEFT + WIDTH * across.place(*x);
            (x, top + HEIGHT * (1.0 - upright.place(*y)))
        };
        if let Some((value, name)) = &self.mark {
            let y = top + HEIGHT * (1.0 - upright.place(*value));
            svg.dashes([LEFT, y, LEFT + WIDTH, y], INK);
            svg.word((LEFT + 6.0, y - 5.0), Anchor::Start, name);
        }
        for (series, (_, points)) in self.lines.iter().enumerate() {
            let placed: Vec<(f64, f64)> = points.iter().map(place).collect();
            svg.path(&placed, colour(series));
            if placed.len() <= DOTS {
                placed
                    .iter()
                    .for_each(|point| svg.dot(*point, colour(series)));
            }
        }
        svg.finish()
    }

    fn draw_across(&self, svg: &mut Svg, span: &Span, top: f64) {
        let base = top + HEIGHT;
        for (value, name) in span.ticks() {
            let x = LEFT + WIDTH * span.place(value);
            svg.line([x, top, x, base], GRID, 1.0);
            svg.word((x, base + 17.0), Anchor::Middle, &name);
        }
        svg.line([LEFT, base, LEFT + WIDTH, base], INK, 1.0);
        svg.word(
            (LEFT + WIDTH / 2.0, base + 38.0),
            Anchor::Middle,
            &self.across.label,
        );
    }
}

/// Pixels from the first to the last tick.
const WIDTH: f64 = 620.0;
/// Points of a line beyond which they are no longer shown one by one.
const DOTS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Lines {
        let across = Axis::percentile("hundredths of calls");
        let upright = Axis::log("ms");
        Lines::new("1 % loss", across, upright)
            .line("fly-rpc", [(50.0, 101.0), (99.0, 204.0), (99.9, 230.0)])
            .line("tonic", [(50.0, 180.0), (99.0, f64::NAN), (99.9, 900.0)])
    }

    #[test]
    fn a_line_has_a_point_for_each_that_is_known() {
        let text = lines().draw();
        assert_eq!(text.matches("<polyline").count(), 2);
        assert_eq!(text.matches("<circle").count(), 5);
        assert!(text.contains(">99.9<") && !text.contains("NaN"));
    }

    #[test]
    fn a_target_is_drawn_within_the_plot_even_above_all_lines() {
        let text = lines().mark(5_000.0, "target").draw();
        assert!(text.contains("stroke-dasharray") && text.contains(">target<"));
        assert!(text.contains(">5000<"));
    }
}
