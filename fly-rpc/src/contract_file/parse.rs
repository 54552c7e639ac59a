//! From the text of the file to its entries, or to the line that nobody could have written but by mistake.

use std::collections::BTreeMap;

use super::{
    file::{
        CHECK, Entry, FINGERPRINT, FORMAT, File, IDEMPOTENT, KEYS, KNOWN_FORMAT, PINNED, RETIRED,
    },
    record::{Mark, Record},
};
use crate::contract::Fingerprint;

/// Why the text is no contract file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("line {line}: this is not UTF-8; restore the file, or save it as UTF-8")]
    NotUtf8 { line: usize },
    #[error(
        "line {line}: a merge was not finished (`{mark}`); take the marks out, keep the entries of both sides, and run the test again"
    )]
    HalfMerged { line: usize, mark: String },
    #[error(
        "line 1: it does not begin with the line `{FORMAT}{KNOWN_FORMAT}`, so this is another file, or one without its head; \
         name another file, or restore this one"
    )]
    NoHead,
    #[error(
        "line {line}: its format is {format:?}, and this fly-rpc knows {KNOWN_FORMAT}; use the fly-rpc that wrote it, or a newer one"
    )]
    Format { line: usize, format: String },
    #[error(
        "line {line}: here an entry should begin, with `name@version(`; found {text:?}: restore what was edited, and leave no \
         empty line inside of an entry"
    )]
    NoEntry { line: usize, text: String },
    #[error(
        "line {line}: a comment that stands above no entry; put it right above one, or remove it"
    )]
    LoneComment { line: usize },
    #[error(
        "line {line}: {text:?} is no part of an entry that this fly-rpc knows; restore what was edited, leave an empty line between entries, or use the fly-rpc \
         that wrote it"
    )]
    Attribute { line: usize, text: String },
    #[error("line {line}: `{key}` is there twice; remove one, as it was before a merge")]
    TwiceInEntry { line: usize, key: &'static str },
    #[error(
        "line {line}: {identity} has no `{missing}`, so a part of its entry is gone; restore it, or delete the entry to have it written anew"
    )]
    Incomplete {
        line: usize,
        identity: String,
        missing: &'static str,
    },
    #[error(
        "line {line}: {identity} is there twice, first in line {first}; delete the one that no build in the field has, or, if both are \
         alike, either"
    )]
    Twice {
        line: usize,
        first: usize,
        identity: String,
    },
}

/// Reads the file.
pub(super) fn parse(bytes: &[u8]) -> Result<File, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Malformed::NotUtf8 { line }
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines: Vec<Line<'_>> = (1..)
        .zip(text.lines())
        .map(|(number, text)| Line {
            number,
            text: text.trim_end(),
        })
        .collect();
    if let Some(line) = lines.iter().find(|line| line.is_conflict()) {
        return Err(Malformed::HalfMerged {
            line: line.number,
            mark: line.text.chars().take(7).collect(),
        });
    }
    let begin = lines.iter().position(|line| !line.text.is_empty());
    let lines = &lines[begin.unwrap_or_default()..];
    let comments = lines.iter().take_while(|line| line.is_comment()).count();
    let (comments, lines) = lines.split_at(comments);
    let head = head(comments)?;
    let mut entries: Vec<Entry> = Vec::new();
    let mut known: BTreeMap<(String, u32), usize> = BTreeMap::new();
    let blocks = lines.split(|line| line.text.is_empty());
    for block in blocks.filter(|block| !block.is_empty()) {
        let entry = entry(block)?;
        let record = &entry.record;
        if let Some(first) = known.insert((record.name.clone(), record.version), entry.line) {
            return Err(Malformed::Twice {
                line: entry.line,
                first,
                identity: record.identity(),
            });
        }
        entries.push(entry);
    }
    Ok(File {
        head,
        entries,
        crlf: text.contains("\r\n"),
    })
}

#[derive(Clone, Copy)]
struct Line<'t> {
    number: usize,
    text: &'t str,
}

impl Line<'_> {
    /// No line of an entry begins like that, whatever is in its types: names do not, and what follows is indented.
    fn is_conflict(&self) -> bool {
        let is = |mark: &str| {
            let rest = self.text.strip_prefix(mark);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        ["<<<<<<<", "|||||||", "=======", ">>>>>>>"]
            .into_iter()
            .any(is)
    }

    fn is_comment(&self) -> bool {
        self.text.starts_with('#')
    }
}

/// The comment at the beginning, if it says which format follows.
fn head(comment: &[Line<'_>]) -> Result<Vec<String>, Malformed> {
    let format = |line: &Line<'_>| Some((line.number, line.text.strip_prefix(FORMAT)?.to_owned()));
    let (line, format) = comment.iter().find_map(format).ok_or(Malformed::NoHead)?;
    if format.parse() != Ok(KNOWN_FORMAT) {
        return Err(Malformed::Format { line, format });
    }
    Ok(comment.iter().map(|line| line.text.to_owned()).collect())
}

fn entry(block: &[Line<'_>]) -> Result<Entry, Malformed> {
    let comments = block.iter().take_while(|line| line.is_comment()).count();
    let (remarks, block) = block.split_at(comments);
    let Some((first, rest)) = block.split_first() else {
        let line = remarks.first().map_or(1, |line| line.number);
        return Err(Malformed::LoneComment { line });
    };
    let Some((name, version)) = identity(first.text) else {
        return Err(Malformed::NoEntry {
            line: first.number,
            text: first.text.to_owned(),
        });
    };
    let is_contract = |line: &&Line<'_>| line.text.starts_with([' ', ')', '>', ']', '}']);
    let further = rest.iter().take_while(is_contract).count();
    let (further, attributes) = rest.split_at(further);
    let contract = [first].into_iter().chain(further);
    let mut found = Attributes::default();
    attributes.iter().try_for_each(|line| found.add(*line))?;
    let incomplete = |missing| Malformed::Incomplete {
        line: first.number,
        identity: format!("{name}@{version}"),
        missing,
    };
    let (fingerprint_line, mark) = found.mark.ok_or_else(|| incomplete(FINGERPRINT))?;
    let (check_line, check) = found.check.ok_or_else(|| incomplete(CHECK))?;
    Ok(Entry {
        record: Record {
            name: name.to_owned(),
            version,
            contract: contract.map(|line| line.text.to_owned()).collect(),
            mark,
            pin: found.pin,
            idempotent: found.idempotent.is_some(),
            retired: found.retired.is_some(),
            remarks: remarks.iter().map(|line| line.text.to_owned()).collect(),
        },
        line: first.number,
        fingerprint_line,
        check_line,
        check,
    })
}

/// The `name@version` in front of the parameters.
fn identity(line: &str) -> Option<(&str, u32)> {
    let (identity, _) = line.split_once('(')?;
    let (name, version) = identity.rsplit_once('@')?;
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || "_.:-".contains(letter);
    let is_number = version.bytes().all(|byte| byte.is_ascii_digit());
    let version = version
        .parse()
        .ok()
        .filter(|version| *version > 0 && is_number)?;
    (!name.is_empty() && name.chars().all(is_name)).then_some((name, version))
}

/// What stands below the contract, in any order.
#[derive(Default)]
struct Attributes {
    pin: Option<String>,
    idempotent: Option<()>,
    retired: Option<()>,
    mark: Option<(usize, Mark)>,
    check: Option<(usize, u64)>,
}

impl Attributes {
    fn add(&mut self, line: Line<'_>) -> Result<(), Malformed> {
        let unknown = || Malformed::Attribute {
            line: line.number,
            text: line.text.to_owned(),
        };
        let (key, value) = line.text.split_once(": ").ok_or_else(unknown)?;
        let key = KEYS
            .into_iter()
            .find(|known| *known == key)
            .ok_or_else(unknown)?;
        let (number, value) = (line.number, value.trim());
        let yes = || (value == "yes").then_some(()).ok_or_else(unknown);
        let was_there = match key {
            PINNED if value.starts_with('@') => self.pin.replace(value.to_owned()).is_some(),
            IDEMPOTENT => self.idempotent.replace(yes()?).is_some(),
            RETIRED => self.retired.replace(yes()?).is_some(),
            FINGERPRINT => {
                let mark = mark(value).ok_or_else(unknown)?;
                self.mark.replace((number, mark)).is_some()
            }
            CHECK => {
                let check = hex(value, 16).ok_or_else(unknown)?;
                let check = u64::try_from(check).map_err(|_| unknown())?;
                self.check.replace((number, check)).is_some()
            }
            _ => return Err(unknown()),
        };
        match was_there {
            true => Err(Malformed::TwiceInEntry { line: number, key }),
            false => Ok(()),
        }
    }
}

/// `1-4d1a50eb737651c46d1b6d0719ddc471`: the scheme, then the bytes.
fn mark(value: &str) -> Option<Mark> {
    let (scheme, fingerprint) = value.split_once('-')?;
    let bytes = hex(fingerprint, 32)?.to_be_bytes();
    Some(Mark {
        scheme: scheme.parse().ok()?,
        fingerprint: Fingerprint::from_bytes(bytes),
    })
}

/// A number of so many hexadecimal digits.
fn hex(digits: &str, count: usize) -> Option<u128> {
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    (is_hex && digits.len() == count).then(|| u128::from_str_radix(digits, 16).ok())?
}
