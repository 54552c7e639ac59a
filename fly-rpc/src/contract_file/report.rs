//! What the test says when it fails: what is wrong, where, and what to do.

use std::{fmt, path::PathBuf};

use super::{
    diff::Diff,
    layout::spread,
    mode::MODE,
    parse::Malformed,
    record::{Function, Record},
    verdict::{Edit, Fault, News},
};
use crate::start_error::StartError;

/// Why the contracts are not as recorded. In each case the file is as it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(
        "{MODE}={0:?}: it must be `check` (compare and write nothing), `write` (write what is new), or unset (write, unless CI is set)"
    )]
    Mode(String),
    #[error("these functions would keep every node from starting: {0}")]
    Start(StartError),
    #[error(
        "no function is linked into this test, so there is nothing to record: a crate that nothing refers to is not linked, \
         `use that_crate as _;` in the test brings it back; functions of a binary are tested in the binary's own unit tests"
    )]
    NoFunctions,
    #[error("{path}: {what}", path = .path.display())]
    Unusable { path: PathBuf, what: String },
    #[error("{path}, {reason}", path = .path.display())]
    Malformed { path: PathBuf, reason: Malformed },
    #[error("{path} and the code contradict each other{}", Paragraphs(.faults), path = .path.display())]
    Faults { path: PathBuf, faults: Vec<Fault> },
    #[error("{}", Unrecorded { path, because, is_there: *is_there, news })]
    Unrecorded {
        path: PathBuf,
        because: String,
        is_there: bool,
        news: Vec<News>,
    },
}

/// Each below an empty line.
struct Paragraphs<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for Paragraphs<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|one| write!(f, "\n\n{one}"))
    }
}

struct Unrecorded<'a> {
    path: &'a PathBuf,
    because: &'a str,
    is_there: bool,
    news: &'a [News],
}

impl fmt::Display for Unrecorded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        if self.is_there {
            write!(f, "{path} is behind the code")?;
            self.news
                .iter()
                .try_for_each(|news| write!(f, "\n  {news}"))?;
        } else {
            write!(f, "{path} is not there")?;
        }
        let because = self.because;
        write!(
            f,
            "\nNothing was written, because {because}. Run this test where that is not so, or with {MODE}=write, look at what \
             it writes, and commit it."
        )?;
        let is_retired = |news: &News| matches!(news, News::Retired { .. });
        if self.news.iter().any(is_retired) {
            f.write_str(NOT_LINKED)?;
        }
        Ok(())
    }
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pin = |pin: &Option<String>| pin.clone().unwrap_or_else(|| "nowhere".to_owned());
        match self {
            Self::Added { identity, place } => write!(f, "{identity}, at {place}, is not recorded"),
            Self::Retired { identity, line } => {
                write!(
                    f,
                    "{identity}, line {line}, is not in the code any more, and not marked as retired"
                )
            }
            Self::Revived { identity, line } => {
                write!(
                    f,
                    "{identity}, line {line}, is marked as retired, and is in the code again as it was"
                )
            }
            Self::Pinned {
                identity,
                line,
                from,
                to,
            } => {
                write!(
                    f,
                    "{identity}, line {line}, was pinned to {} and is now to {}",
                    pin(from),
                    pin(to)
                )
            }
            Self::Idempotent { identity, line } => {
                write!(f, "{identity}, line {line}, is idempotent now")
            }
            Self::Respelled { identity, line } => write!(
                f,
                "{identity}, line {line}, is unchanged, but this version of fly-rpc writes it in another way"
            ),
            Self::Sorted { identity, line } => {
                write!(
                    f,
                    "{identity}, line {line}, stands behind entries that come after it"
                )
            }
            Self::OtherTest {
                line,
                recorded,
                asserting,
            } => {
                write!(
                    f,
                    "line {line} names the test {recorded}, and this is {asserting}: of two test binaries that link different functions \
                     each retires the other's, so give each a file of its own; if the test was renamed, change that line"
                )
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed {
                line,
                next,
                recorded,
                function,
            } => changed(f, *line, *next, recorded, function),
            Self::Withdrawn {
                line,
                next,
                function,
            } => {
                let (identity, place) = (function.identity(), &function.place);
                write!(
                    f,
                    "{identity}, at {place}, is not `idempotent` any more, and was (line {line}).\n  Nodes of the older build go on to \
                     repeat its calls when they do not know whether it ran."
                )?;
                cure(f, function, *next)?;
                f.write_str(
                    "\n  If repeating it was never harmless, only a deploy helps the older builds: remove the line `idempotent: yes`.",
                )
            }
            Self::Undecided {
                line,
                recorded,
                function,
            } => {
                let (identity, place) = (recorded.identity(), &function.place);
                let [old, new] =
                    [&recorded.contract, &function.contract].map(|lines| spread(lines));
                let (old, new) = (&old, &new);
                write!(
                    f,
                    "{identity}, at {place}, has a text that differs from line {line} on, and a fingerprint that this version of fly-rpc takes \
                     in another way (scheme {} there, {} here), so whether the contract changed cannot be told:\n{}\n\n  \
                     Cure: record the code with the fly-rpc of before first, and upgrade then.",
                    recorded.mark.scheme,
                    function.mark.scheme,
                    Diff { old, new }
                )
            }
            Self::Newer {
                line,
                identity,
                scheme,
                known,
            } => write!(
                f,
                "{identity}, line {line}, has a fingerprint of scheme {scheme}, and this fly-rpc knows {known}: use the fly-rpc that wrote it, or \
                 a newer one."
            ),
            Self::Edited { identity, edit } => write!(
                f,
                "{identity} was edited by hand: {edit}. Restore the entry from version control. If no node of another build has the function \
                 yet, delete the entry instead, and what the code has is written."
            ),
        }
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line {
                line,
                found,
                expected,
            } => {
                write!(
                    f,
                    "line {line} is {found:?}, and its fingerprint is that of {expected:?}"
                )
            }
            Self::Fingerprint { line } => write!(
                f,
                "the fingerprint in line {line} is not that of the contract above it"
            ),
            Self::Check { line } => write!(
                f,
                "the check in line {line} is not that of the entry above it"
            ),
            Self::Somewhere { first, last } => {
                write!(
                    f,
                    "the check in line {last} does not fit what stands from line {first} on"
                )
            }
        }
    }
}

fn changed(
    f: &mut fmt::Formatter<'_>,
    line: usize,
    next: u32,
    recorded: &Record,
    function: &Function,
) -> fmt::Result {
    let (identity, place) = (recorded.identity(), &function.place);
    let [old, new] = [&recorded.contract, &function.contract].map(|lines| spread(lines));
    let recorded_as = if recorded.retired {
        "was retired and comes back with another contract than the one recorded"
    } else {
        "has another contract than the one recorded"
    };
    write!(f, "{identity}, at {place}, {recorded_as} in line {line}:")?;
    if old == new {
        f.write_str("\n\n    (the difference is one that the text does not show)")?;
    } else {
        let (old, new) = (&old, &new);
        write!(f, "\n{}", Diff { old, new })?;
    }
    f.write_str("\n\n  Nodes of a build with the recorded one would be refused.")?;
    if recorded.retired {
        write!(f, "\n  Cure: give the function `version = {next}`.")
    } else {
        cure(f, function, next)?;
        f.write_str(
            "\n  While no other build has the function yet, its entry may be deleted instead.",
        )
    }
}

/// The first step of a roll-out.
fn cure(f: &mut fmt::Formatter<'_>, function: &Function, next: u32) -> fmt::Result {
    let (name, version) = (&function.name, function.version);
    write!(
        f,
        "\n  Cure: give the changed function `version = {next}`, and keep the old one under `name = {name:?}, version = {version}`, usually \
         as two lines\n  that call the new one; a type that both use needs its old form beside the new one."
    )
}

const NOT_LINKED: &str = "\nA function that is not linked into this test counts as removed, whether its crate is not referred to (`use that_crate as _;`) or \
a feature is not on.";
