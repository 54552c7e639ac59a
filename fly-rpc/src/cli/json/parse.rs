//! JSON from a text (RFC 8259): every number as it is written, no name twice, nesting bounded.

use super::{DEPTH, value::Json};

/// A text that is no JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no JSON: {expected} expected at line {line}, column {column}, {}", Found(*found))]
pub(crate) struct ParseError {
    expected: &'static str,
    found: Option<char>,
    line: usize,
    column: usize,
}

struct Found(Option<char>);

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(found) => write!(f, "not {found:?}"),
            None => f.write_str("where the text ends"),
        }
    }
}

/// The value that `text` spells.
///
/// # Errors
/// [`ParseError`], with the place.
pub(crate) fn parse(text: &str) -> Result<Json, ParseError> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0)?;
    parser.blanks();
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(parser.error("the end")),
    }
}

struct Parser<'a> {
    text: &'a str,
    /// Bytes read so far; always at a letter's beginning.
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn eat(&mut self, text: &str) -> bool {
        let is_next = self.rest().starts_with(text);
        self.at += if is_next { text.len() } else { 0 };
        is_next
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn error(&self, expected: &'static str) -> ParseError {
        self.error_at(self.at, expected)
    }

    fn error_at(&self, at: usize, expected: &'static str) -> ParseError {
        let (before, rest) = self.text.split_at_checked(at).unwrap_or((self.text, ""));
        let line_begin = before.rfind('\n').map_or(0, |end| end + 1);
        ParseError {
            expected,
            found: rest.chars().next(),
            line: before.matches('\n').count() + 1,
            column: before[line_begin..].chars().count() + 1,
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json, ParseError> {
        self.blanks();
        if depth > DEPTH {
            return Err(self.error("less nesting, at most 128 levels,"));
        }
        match self.peek() {
            Some('{') => self.object(depth),
            Some('[') => self.list(depth),
            Some('"') => self.string().map(Json::Text),
            Some('-' | '0'..='9') => self.number(),
            _ if self.eat("null") => Ok(Json::Null),
            _ if self.eat("true") => Ok(Json::Bool(true)),
            _ if self.eat("false") => Ok(Json::Bool(false)),
            _ => Err(self.error("a value")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, ParseError> {
        self.next();
        let mut members: Vec<(String, Json)> = Vec::new();
        let mut known = std::collections::HashSet::new();
        self.blanks();
        if self.eat("}") {
            return Ok(Json::Object(members));
        }
        loop {
            self.blanks();
            let begin = self.at;
            if self.peek() != Some('"') {
                return Err(self.error("a name in quotes"));
            }
            let name = self.string()?;
            if !known.insert(name.clone()) {
                return Err(self.error_at(begin, "a name that was not there before"));
            }
            self.blanks();
            if !self.eat(":") {
                return Err(self.error("`:`"));
            }
            members.push((name, self.value(depth + 1)?));
            self.blanks();
            if self.eat("}") {
                return Ok(Json::Object(members));
            }
            if !self.eat(",") {
                return Err(self.error("`,` or `}`"));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, ParseError> {
        self.next();
        let mut items = Vec::new();
        self.blanks();
        if self.eat("]") {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.blanks();
            if self.eat("]") {
                return Ok(Json::List(items));
            }
            if !self.eat(",") {
                return Err(self.error("`,` or `]`"));
            }
        }
    }

    fn number(&mut self) -> Result<Json, ParseError> {
        let begin = self.at;
        self.eat("-");
        if !self.eat("0") {
            self.digits()?;
        }
        if self.eat(".") {
            self.digits()?;
        }
        if self.eat("e") || self.eat("E") {
            let _sign = self.eat("+") || self.eat("-");
            self.digits()?;
        }
        Ok(Json::Number(self.text[begin..self.at].to_owned()))
    }

    fn digits(&mut self) -> Result<(), ParseError> {
        let rest = self.rest();
        let count = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if count == 0 {
            return Err(self.error("a digit"));
        }
        self.at += count;
        Ok(())
    }

    fn string(&mut self) -> Result<String, ParseError> {
        self.next();
        let mut text = String::new();
        loop {
            let begin = self.at;
            match self.next() {
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape()?),
                Some('\0'..='\x1f') => {
                    return Err(self.error_at(begin, "a control character as an escape"));
                }
                Some(letter) => text.push(letter),
                None => return Err(self.error("the closing quote")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, ParseError> {
        let begin = self.at;
        Ok(match self.next() {
            Some(same @ ('"' | '\\' | '/')) => same,
            Some('b') => '\x08',
            Some('f') => '\x0c',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let mut code = self.hex()?;
                if (0xd800..0xdc00).contains(&code) && self.eat("\\u") {
                    let low = self.hex()?;
                    if !(0xdc00..0xe000).contains(&low) {
                        return Err(self.error_at(begin, "the other half of a surrogate pair"));
                    }
                    code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                }
                let half = "both halves of a surrogate pair";
                return char::from_u32(code).ok_or_else(|| self.error_at(begin, half));
            }
            _ => return Err(self.error_at(begin, "one of \" \\ / b f n r t u")),
        })
    }

    fn hex(&mut self) -> Result<u32, ParseError> {
        let digits = self.rest().get(..4);
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| self.error("four hexadecimal digits"))?;
        self.at += 4;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let said = |text: &str| parse(text).expect_err(text).to_string();
        let cases = [
            (
                "",
                "a value expected at line 1, column 1, where the text ends",
            ),
            (
                "{\"a\": 1,\n  b: 2}",
                "a name in quotes expected at line 2, column 3, not 'b'",
            ),
            ("[1 2]", "`,` or `]` expected at line 1, column 4, not '2'"),
            ("01", "the end expected at line 1, column 2, not '1'"),
            (
                "1.",
                "a digit expected at line 1, column 3, where the text ends",
            ),
            ("NaN", "a value expected at line 1, column 1, not 'N'"),
            (
                "{\"a\":1,\"a\":2}",
                "a name that was not there before expected at line 1, column 8",
            ),
            ("\"\\ud800\"", "both halves of a surrogate pair"),
            ("\"a", "the closing quote expected"),
        ];
        for (text, expected) in cases {
            assert!(said(text).contains(expected), "{text}: {}", said(text));
        }
        assert!(said(&"[".repeat(100_000)).contains("less nesting"));
    }

    #[test]
    fn numbers_keep_every_digit_and_members_their_order() {
        let text = "{\"z\":340282366920938463463374607431768211455,\"a\":-0.10e+5}";
        let Ok(Json::Object(members)) = parse(text) else {
            panic!("an object")
        };
        let numbers = members.iter().map(|(name, value)| (name.as_str(), value));
        let expected = [
            (
                "z",
                &Json::Number("340282366920938463463374607431768211455".to_owned()),
            ),
            ("a", &Json::Number("-0.10e+5".to_owned())),
        ];
        assert!(numbers.eq(expected));
    }
}
