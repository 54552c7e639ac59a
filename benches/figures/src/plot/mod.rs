//! Plots, drawn as SVG by hand: a few rectangles, lines and words need no library.
//!
//! They stand on a white ground of their own, so that they are as legible in a dark viewer as in a
//! light one, and name no font but the viewer's.

mod axis;
mod bars;
mod lines;
mod svg;

pub use axis::Axis;
pub use bars::Bars;
pub use lines::Lines;

/// The colours of series, in order: those of Okabe and Ito, which colour-blind readers can tell
/// apart.
const COLOURS: [&str; 8] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#000000",
];

/// The colour of the series with this number.
fn colour(series: usize) -> &'static str {
    COLOURS[series % COLOURS.len()]
}
