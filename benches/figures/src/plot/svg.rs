//! The little of SVG that plots need.

use std::fmt::Write;

/// A drawing under way. Lengths are in pixels, from the upper left corner.
#[derive(Debug)]
pub(super) struct Svg {
    width: f64,
    height: f64,
    body: String,
}

/// Where a word stands relative to its point.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self {
            width,
            height,
            body: String::new(),
        }
    }

    pub(super) fn rectangle(&mut self, [x, y, width, height]: [f64; 4], fill: &str) {
        self.push(format_args!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{fill}"/>"#
        ));
    }

    pub(super) fn line(&mut self, [x1, y1, x2, y2]: [f64; 4], stroke: &str, width: f64) {
        self.push(format_args!(
            r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="{stroke}" stroke-width="{width}"/>"#
        ));
    }

    pub(super) fn dashes(&mut self, [x1, y1, x2, y2]: [f64; 4], stroke: &str) {
        self.push(format_args!(
            r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="{stroke}" stroke-width="1.5" stroke-dasharray="6 4"/>"#
        ));
    }

    pub(super) fn path(&mut self, points: &[(f64, f64)], stroke: &str) {
        let points: Vec<String> = points
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        self.push(format_args!(
            r#"<polyline points="{}" fill="none" stroke="{stroke}" stroke-width="2" stroke-linejoin="round"/>"#,
            points.join(" ")
        ));
    }

    pub(super) fn dot(&mut self, (x, y): (f64, f64), fill: &str) {
        self.push(format_args!(
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="2.8" fill="{fill}"/>"#
        ));
    }

    pub(super) fn word(&mut self, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        self.text((x, y), anchor, "", text);
    }

    pub(super) fn title(&mut self, (x, y): (f64, f64), text: &str) {
        let style = r#" font-size="16" font-weight="600""#;
        self.text((x, y), Anchor::Start, style, text);
    }

    /// A word that is read from below.
    pub(super) fn upright(&mut self, (x, y): (f64, f64), text: &str) {
        let style = format!(r#" transform="rotate(-90 {x:.1} {y:.1})""#);
        self.text((x, y), Anchor::Middle, &style, text);
    }

    /// The whole file.
    pub(super) fn finish(self) -> String {
        let Self {
            width,
            height,
            body,
        } = self;
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="system-ui, sans-serif" font-size="12" fill="#222222">
<rect x="0" y="0" width="{width}" height="{height}" fill="#ffffff"/>
{body}</svg>
"##
        )
    }

    fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, style: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(text);
        self.push(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}"{style}>{text}</text>"#
        ));
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        writeln!(self.body, "{element}").expect("a string takes whatever is written to it");
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Bars, axes and words that are not of a series.
pub(super) const INK: &str = "#222222";
/// What is behind everything else.
pub(super) const GRID: &str = "#dddddd";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_cannot_break_the_drawing() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.word((0.0, 0.0), Anchor::Start, "Vec<u8> & co");
        let text = svg.finish();
        assert!(text.contains("Vec&lt;u8&gt; &amp; co"));
        assert!(text.contains(r##"fill="#ffffff""##));
    }
}
