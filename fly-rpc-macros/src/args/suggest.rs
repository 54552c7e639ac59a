//! What an unknown key was probably meant to be.

use syn::{Error, Ident};

/// The error for a key that does not exist: the nearest one that does, and all of them.
pub(super) fn unknown_key(key: &Ident, known: &[&str]) -> Error {
    let text = key.to_string();
    let cure = match text.as_str() {
        "primary" | "region" => format!("a pin begins with `@`: {}", pin(&text)),
        _ => match nearest(&text, known) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("the known ones are {}", list(known)),
        },
    };
    Error::new(key.span(), format!("unknown key `{text}`; {cure}"))
}

/// "`a`, `b` and `c`".
pub(super) fn list(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

fn pin(word: &str) -> &'static str {
    if word == "primary" {
        "`@primary`"
    } else {
        "`@region(\"…\")`"
    }
}

/// The word that is at most two typing errors away, if there is one.
fn nearest<'a>(typed: &str, known: &[&'a str]) -> Option<&'a str> {
    let close = known.iter().map(|word| (distance(typed, word), *word));
    close
        .min()
        .filter(|(distance, _)| *distance <= TYPING_ERRORS)
        .map(|(_, word)| word)
}

/// The Levenshtein distance, one row of the table at a time.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (above, a) in from.chars().enumerate() {
        let mut diagonal = above;
        let mut left = above + 1;
        for (cell, b) in row[1..].iter_mut().zip(to.chars()) {
            let cost = (diagonal + usize::from(a != b))
                .min(left + 1)
                .min(*cell + 1);
            diagonal = *cell;
            left = cost;
            *cell = cost;
        }
        row[0] = above + 1;
    }
    row.last().copied().unwrap_or_default()
}

/// A transposition counts as two, and `retry` must not become `name`.
const TYPING_ERRORS: usize = 2;

#[cfg(test)]
mod tests {
    use super::{distance, list, nearest};

    #[test]
    fn distance_counts_insertions_deletions_and_replacements() {
        assert_eq!(distance("timeout", "timeout"), 0);
        assert_eq!(distance("timout", "timeout"), 1);
        assert_eq!(distance("timeouts", "timeout"), 1);
        assert_eq!(distance("verison", "version"), 2);
        assert_eq!(distance("", "name"), 4);
    }

    #[test]
    fn only_a_close_word_is_suggested() {
        let known = ["version", "name"];
        assert_eq!(nearest("verison", &known), Some("version"));
        assert_eq!(nearest("retries", &known), None);
    }

    #[test]
    fn a_list_reads_as_a_sentence_does() {
        assert_eq!(list(&["a"]), "`a`");
        assert_eq!(list(&["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
