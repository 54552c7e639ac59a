//! JSON that does not fit a contract: where, what was expected there, and what came.

use std::fmt;

/// Why arguments cannot be encoded. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misfit {
    /// Another kind of value, or one out of range.
    #[error("{path}: expected {expected}, came {came}")]
    Wrong {
        path: String,
        expected: String,
        came: String,
    },
    /// A field is not there.
    #[error("{path} is missing: expected {expected}")]
    Missing { path: String, expected: String },
    /// A field that the type does not have.
    #[error("{path} is not known there: {}", Names(known))]
    Unknown { path: String, known: Vec<String> },
    /// The contract does not say enough of the type.
    #[error("{path} cannot be spelled in JSON: {reason}")]
    Unspellable { path: String, reason: String },
}

struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("there are no fields"),
            [only] => write!(f, "the only field is {only}"),
            names => write!(f, "the fields are {}", names.join(", ")),
        }
    }
}

/// The way from the arguments, or the value, to a place in it: `body.items[2].price`.
#[derive(Clone, Debug, Default)]
pub(super) struct Path(Vec<Step>);

#[derive(Clone, Debug)]
enum Step {
    Name(String),
    Place(usize),
}

impl Path {
    /// Goes to a field, a variant or a key.
    pub(super) fn enter(&mut self, name: &str) {
        self.0.push(Step::Name(name.to_owned()));
    }

    /// Goes to an item.
    pub(super) fn enter_place(&mut self, place: usize) {
        self.0.push(Step::Place(place));
    }

    pub(super) fn leave(&mut self) {
        self.0.pop();
    }

    /// The way, in words if it is none.
    pub(super) fn or(&self, whole: &str) -> String {
        if self.0.is_empty() {
            whole.to_owned()
        } else {
            self.to_string()
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Name(name) if is_plain(name) => {
                    f.write_str(if place == 0 { "" } else { "." })?;
                    f.write_str(name)?;
                }
                Step::Name(name) => write!(f, "[{name:?}]")?,
                Step::Place(place) => write!(f, "[{place}]")?,
            }
        }
        Ok(())
    }
}

fn is_plain(name: &str) -> bool {
    let is_letter = |letter: char| letter.is_alphanumeric() || "_-".contains(letter);
    !name.is_empty() && name.chars().all(is_letter)
}
