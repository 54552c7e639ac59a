//! Text from outside, for a line of the log: who wrote it does not choose how long the line is, nor
//! where it ends.

use std::fmt;

/// Shows the beginning of a text, in quotation marks, with what is not plain escaped.
pub(super) struct Excerpt<'a>(pub(super) &'a str);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.chars();
        let beginning: String = characters.by_ref().take(CHARACTERS).collect();
        let rest = if characters.next().is_some() {
            "…"
        } else {
            ""
        };
        write!(f, "{beginning:?}{rest}")
    }
}

const CHARACTERS: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_and_short() {
        let shown = Excerpt(&"a\nb".repeat(1000)).to_string();
        assert!(!shown.contains('\n'));
        assert!(shown.ends_with('…') && shown.chars().count() < 250);
        assert_eq!(Excerpt("x=1").to_string(), "\"x=1\"");
    }
}
