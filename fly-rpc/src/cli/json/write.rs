//! JSON as a text. What a terminal would obey instead of showing is escaped: values come from other machines.

use std::fmt::{self, Write};

use super::value::Json;

/// On one line; with `{:#}` a member or item on each line, short ones together.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            self.write_lines(f, 0)
        } else {
            self.write_line(f)
        }
    }
}

impl Json {
    fn write_line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(number) => f.write_str(number),
            Self::Text(text) => quote(f, text),
            Self::List(items) => {
                f.write_char('[')?;
                for (place, item) in items.iter().enumerate() {
                    f.write_str(if place == 0 { "" } else { "," })?;
                    item.write_line(f)?;
                }
                f.write_char(']')
            }
            Self::Object(members) => {
                f.write_char('{')?;
                for (place, (name, value)) in members.iter().enumerate() {
                    f.write_str(if place == 0 { "" } else { "," })?;
                    quote(f, name)?;
                    f.write_char(':')?;
                    value.write_line(f)?;
                }
                f.write_char('}')
            }
        }
    }

    fn write_lines(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let indent =
            |f: &mut fmt::Formatter<'_>, depth: usize| write!(f, "\n{:1$}", "", depth * INDENT);
        match self {
            Self::List(items) if !items.is_empty() => {
                f.write_char('[')?;
                for (place, item) in items.iter().enumerate() {
                    f.write_str(if place == 0 { "" } else { "," })?;
                    indent(f, depth + 1)?;
                    item.write_lines(f, depth + 1)?;
                }
                indent(f, depth)?;
                f.write_char(']')
            }
            Self::Object(members) if !members.is_empty() => {
                f.write_char('{')?;
                for (place, (name, value)) in members.iter().enumerate() {
                    f.write_str(if place == 0 { "" } else { "," })?;
                    indent(f, depth + 1)?;
                    quote(f, name)?;
                    f.write_str(": ")?;
                    value.write_lines(f, depth + 1)?;
                }
                indent(f, depth)?;
                f.write_char('}')
            }
            plain => plain.write_line(f),
        }
    }
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for letter in text.chars() {
        match letter {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            letter if is_obeyed(letter) => write!(f, "\\u{:04x}", u32::from(letter))?,
            letter => f.write_char(letter)?,
        }
    }
    f.write_char('"')
}

/// True for a letter that a terminal takes for an order: control characters, and those that turn the direction of
/// what follows.
pub(crate) fn is_obeyed(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Blanks of a level.
const INDENT: usize = 2;

#[cfg(test)]
mod tests {
    use super::{super::parse::parse, *};

    #[test]
    fn a_terminal_obeys_nothing_of_it() {
        let written = Json::text("\u{1b}[2J\u{9b}1m\u{202e}a\"\\").to_string();
        assert_eq!(written, r#""\u001b[2J\u009b1m\u202ea\"\\""#);
        assert_eq!(
            parse(&written),
            Ok(Json::text("\u{1b}[2J\u{9b}1m\u{202e}a\"\\"))
        );
    }

    #[test]
    fn lines_are_for_people_and_one_line_for_programs() {
        let value = parse("{\"a\": [1, {}], \"b\": {\"c\": []}}").expect("JSON");
        assert_eq!(value.to_string(), "{\"a\":[1,{}],\"b\":{\"c\":[]}}");
        let lines = "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": {\n    \"c\": []\n  }\n}";
        assert_eq!(format!("{value:#}"), lines);
    }
}
