//! The table of limits in SECURITY.md.

use fly_rpc::Limits;

use crate::repository::{Source, mentions, none, rows, sources};

#[test]
fn every_limit_stands_in_the_security_document_with_its_default() {
    let document = rows("SECURITY.md");
    let limits = limits();
    for (name, default) in &limits {
        let row = document.iter().find(|row| row[0] == format!("`{name}`"));
        let row = row.unwrap_or_else(|| panic!("SECURITY.md does not list the limit `{name}`"));
        assert_eq!(
            number(&row[1]),
            number(default),
            "SECURITY.md, default of `{name}`"
        );
        assert!(
            !row[2].is_empty() && !row[3].is_empty(),
            "SECURITY.md, unit and reason of `{name}`"
        );
    }
    let listed = document
        .iter()
        .filter(|row| number(&row[1]).is_some() && row.len() == 4);
    none(
        "limits of SECURITY.md that the code does not have",
        listed
            .map(|row| row[0].trim_matches('`').to_owned())
            .filter(|name| limits.iter().all(|(known, _)| known != name)),
    );
}

/// A limit that nothing reads bounds nothing. The document says which these are, and no others.
#[test]
fn a_limit_is_enforced_unless_the_security_document_says_that_it_is_not() {
    let document = rows("SECURITY.md");
    let code: String = sources()
        .iter()
        .filter(|file| {
            file.path.contains("/src/") && !file.path.ends_with("/limits.rs") && !file.is_test()
        })
        .map(Source::code)
        .collect();
    for (name, _) in limits() {
        let row = document
            .iter()
            .find(|row| row[0] == format!("`{name}`"))
            .expect("every limit is listed");
        let is_read = ["limits", "limits()"]
            .iter()
            .any(|of| mentions(&code, &format!("{of}.{name}")));
        assert_eq!(
            !is_read,
            row[3].contains(NOT_ENFORCED),
            "`{name}` is read somewhere: {is_read}"
        );
    }
}

/// The fields of `Limits` and their defaults, as `Debug` shows them.
fn limits() -> Vec<(String, String)> {
    let shown = format!("{:#?}", Limits::default());
    let fields = shown
        .lines()
        .filter_map(|line| line.trim().trim_end_matches(',').split_once(": "));
    let fields: Vec<_> = fields
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert!(fields.len() > 15, "{shown}");
    fields
}

/// A number with a unit, in bytes, milliseconds or pieces: `4 MiB`, `65 536`, `5 s`, as documents write it, and `30s`, as
/// `Debug` does.
fn number(text: &str) -> Option<u64> {
    let digits: String = text
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .collect();
    let unit = digits.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let factor = match unit {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    digits[..digits.len() - unit.len()]
        .parse::<u64>()
        .ok()
        .map(|number| number * factor)
}

/// What SECURITY.md says of a limit that is only a number so far.
const NOT_ENFORCED: &str = "Not enforced yet";
