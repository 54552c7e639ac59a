//! A contract on several lines: a line for each field, so that a difference between two contracts is a difference of lines.
//!
//! It works on the text and knows nothing of types, so that it can lay out what came from a file or a peer as well. What
//! breaks depends on what is in the text and on no width, or a longer name would rearrange what did not change:
//!
//! - parameters, fields and variants stand on lines of their own as soon as there are two of them;
//! - what holds something that is broken is broken too, but a lone element keeps its brackets close: `[Tag {` … `}]`;
//! - everything else stays on its line, up to `WIDE` characters.
//!
//! Names can be anything, since serde renames. What makes no sense of the brackets comes out on one line, and characters that
//! would not show, or break the line, are spelled as Rust would.

use super::brackets::{Alone, Form, Group, Piece, pieces};

/// The lines of a contract's text. There is at least one, and none ends in a space.
pub(super) fn lay_out(text: &str) -> Vec<String> {
    lines(&printable(text), Alone::Stays)
}

/// The same contract with a lone parameter, field or variant on a line of its own too. Two contracts of which only one has
/// a second field are alike then in all but that field.
pub(super) fn spread(laid_out: &[String]) -> Vec<String> {
    lines(&unbroken(laid_out), Alone::Breaks)
}

fn lines(text: &str, alone: Alone) -> Vec<String> {
    let mut page = Page::default();
    match pieces(text, alone) {
        Some(pieces) => page.pieces(&pieces, 0),
        None => page.line += text,
    }
    page.end_line(0);
    page.lines
}

/// The text on one line again. Variants stay apart by commas.
fn unbroken(lines: &[String]) -> String {
    let mut text = String::new();
    for line in lines {
        let line = line.trim_start();
        if line.starts_with([')', ']', '}', '>']) {
            text.truncate(text.trim_end_matches(',').len());
            text += if line.starts_with('}') { " " } else { "" };
        } else if !text.is_empty() && !text.ends_with(['(', '[', '<']) {
            text.push(' ');
        }
        text += line;
    }
    text
}

/// Without characters that would end a line, hide, or turn the order of others around.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
        {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
    }
    out
}

#[derive(Default)]
struct Page {
    lines: Vec<String>,
    line: String,
}

impl Page {
    fn pieces(&mut self, pieces: &[Piece<'_>], indent: usize) {
        for piece in pieces {
            match piece {
                Piece::Text(text) => self.line += text,
                Piece::Group(group) => self.group(group, indent),
            }
        }
    }

    fn group(&mut self, group: &Group<'_>, indent: usize) {
        let (opening, closing) = (&group.flat[..1], &group.flat[group.flat.len() - 1..]);
        if group.form == Form::Flat {
            self.line += group.flat;
            return;
        }
        self.line += opening;
        for item in &group.items {
            if group.form == Form::Close {
                self.pieces(item, indent);
            } else {
                self.end_line(indent + INDENT);
                self.pieces(item, indent + INDENT);
                self.line.push(',');
            }
        }
        if group.form == Form::Spread {
            self.end_line(indent);
        }
        self.line += closing;
    }

    /// Ends the line; the next one begins with so many spaces.
    fn end_line(&mut self, indent: usize) {
        let line = std::mem::replace(&mut self.line, " ".repeat(indent));
        self.lines.push(line.trim_end().to_owned());
    }
}

/// Spaces for each level.
const INDENT: usize = 4;
