//! The question for the contract of a function, and what is told of it.

use super::sections::{Parts, Sections};
use crate::registry::Spec;

/// The function that a question is about.
pub(super) fn asked_of(question: &[u8]) -> Option<(String, u32)> {
    let parts = Parts::read(question)?;
    let version = u32::try_from(parts.number(VERSION)?).ok()?;
    Some((parts.text(NAME)?.to_owned(), version))
}

/// What is told of a function that is served.
pub(super) fn told(spec: &Spec, text: &str, tree: &[u8]) -> Vec<u8> {
    let mut sections = Sections::default();
    sections.bytes(TREE, tree);
    sections.text(TEXT, text);
    if let Some(pin) = spec.pin {
        sections.text(PIN, &pin.to_string());
    }
    sections.flag(IDEMPOTENT, spec.idempotent);
    if let Some(timeout) = spec.timeout {
        let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        sections.number(TIMEOUT, millis);
    }
    sections.finish()
}

/// What a node told of a function.
#[cfg(any(test, feature = "cli"))]
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) tree: Vec<u8>,
    pub(crate) pin: Option<String>,
    pub(crate) timeout: Option<std::time::Duration>,
}

#[cfg(any(test, feature = "cli"))]
impl Told {
    /// The question.
    pub(crate) fn ask(name: &str, version: u32) -> Vec<u8> {
        let mut sections = Sections::default();
        sections.text(NAME, name);
        sections.number(VERSION, version.into());
        sections.finish()
    }

    /// The answer; `None` if it has no contract: the function is not served there.
    pub(crate) fn read(answer: &[u8]) -> Option<Self> {
        let parts = Parts::read(answer)?;
        Some(Self {
            tree: parts.bytes(TREE)?.to_vec(),
            pin: parts.text(PIN).map(str::to_owned),
            timeout: parts.number(TIMEOUT).map(std::time::Duration::from_millis),
        })
    }
}

// Of the question.
const NAME: u64 = 1;
const VERSION: u64 = 2;
// Of the answer.
const TREE: u64 = 1;
const TEXT: u64 = 2;
const PIN: u64 = 3;
const IDEMPOTENT: u64 = 4;
const TIMEOUT: u64 = 5;
