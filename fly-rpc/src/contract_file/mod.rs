//! Contracts in version control: the file that an application's test writes once and compares from then on.
//!
//! What nodes compare when they meet is noticed then at the latest: in a deploy. Here it is noticed when the code is
//! written, against every contract that ever was recorded: a changed contract under an unchanged version fails a test, and
//! whatever else changes is a line in a review.
//!
//! The file is never the authority on what a function does; it only remembers. So nothing that was recorded is ever written
//! over with something else, whatever the environment says: an entry changes by being retired or revived, and anything more
//! takes somebody who deletes it.
//!
//! # How it is made
//!
//! `record.rs` is an entry, `layout.rs` lays its contract out by `brackets.rs`, `file.rs` prints and `parse.rs` reads, `compare.rs`
//! comes to what `verdict.rs` lists, and `report.rs` says it, with `diff.rs`; `mode.rs` reads the environment and `disk.rs` the
//! disk. All but this file and the last are pure.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::{
    contract::{Contract, SCHEME},
    registry::{Registry, Spec, registered},
};

use self::{
    compare::{Comparison, compare},
    file::File,
    layout::lay_out,
    mode::{Mode, mode},
    record::{Function, Mark},
    report::Refusal,
    verdict::News,
};

mod brackets;
mod compare;
mod diff;
mod disk;
mod file;
mod layout;
mod mode;
mod parse;
mod record;
mod report;
mod verdict;

#[cfg(test)]
mod tests;

/// Where a test asserts: what only the compiler knows there.
#[derive(Clone, Copy, Debug)]
pub struct Asserting {
    /// `CARGO_MANIFEST_DIR`: what a path is relative to.
    pub directory: &'static str,
    /// `CARGO_PKG_NAME`.
    pub package: Option<&'static str>,
    /// `CARGO_BIN_NAME`, in the unit tests of a binary.
    pub binary: Option<&'static str>,
    /// `module_path!()`, which begins with the name of the test binary's crate.
    pub module: &'static str,
}

/// What is behind the macro.
///
/// # Panics
/// If the functions of this program are not as recorded, with what is to be done.
#[track_caller]
pub fn assert_contracts(asserting: Asserting, path: impl AsRef<Path>) {
    let lookup = |variable: &str| Some(env::var_os(variable)?.to_string_lossy().into_owned());
    let path = asserting.path(path.as_ref(), lookup);
    let outcome = functions().and_then(|functions| record(&path, asserting, &functions, lookup));
    match outcome {
        Ok(news) if news.is_empty() => {}
        // Tests show it when they fail, or are asked to.
        Ok(news) => {
            eprintln!("{} was written:", path.display());
            news.iter().for_each(|news| eprintln!("  {news}"));
        }
        Err(refusal) => panic!("{refusal}"),
    }
}

impl Asserting {
    /// The file. A test that was built elsewhere and is run from an archive finds its package as the runner says.
    fn path(&self, path: &Path, lookup: impl Fn(&str) -> Option<String>) -> PathBuf {
        let built = Path::new(self.directory);
        let moved = lookup("CARGO_MANIFEST_DIR").filter(|_| !built.is_dir());
        moved.map_or_else(|| built.join(path), |moved| Path::new(&moved).join(path))
    }

    /// What the test is called in the file.
    fn test(&self) -> String {
        let (package, binary) = (self.package.unwrap_or("-"), self.binary);
        let module = self.module.split("::").next().unwrap_or_default();
        let kind = if binary.is_some() { " (binary)" } else { "" };
        format!("{package}/{module}{kind}")
    }
}

/// The functions of this program.
fn functions() -> Result<Vec<Function>, Refusal> {
    let registry = Registry::new(registered(), |_, _| false).map_err(Refusal::Start)?;
    let function = |spec: &Spec, contract: &Contract| Function {
        name: spec.name.to_owned(),
        version: spec.version,
        place: spec.location.to_string(),
        contract: lay_out(contract.text()),
        mark: Mark {
            scheme: SCHEME,
            fingerprint: contract.fingerprint(),
        },
        pin: spec.pin.map(|pin| pin.to_string()),
        idempotent: spec.idempotent,
    };
    let served = registry.iter();
    Ok(served
        .map(|served| function(&served.entry.spec, served.contract))
        .collect())
}

/// What explains functions that come and go: the file was written by another test, which may link others.
fn other_test(file: &File, asserting: &str, news: &[News]) -> Option<News> {
    let comes_or_goes = |news: &News| matches!(news, News::Retired { .. } | News::Revived { .. });
    let (line, recorded) = file.test().filter(|(_, test)| *test != asserting)?;
    news.iter().any(comes_or_goes).then(|| News::OtherTest {
        line,
        recorded: recorded.to_owned(),
        asserting: asserting.to_owned(),
    })
}

/// Compares the functions with the file, and writes what is new if that may be. Gives what was written.
fn record(
    path: &Path,
    asserting: Asserting,
    functions: &[Function],
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Vec<News>, Refusal> {
    let mode = mode(lookup)?;
    if functions.is_empty() {
        return Err(Refusal::NoFunctions);
    }
    let unusable = |what| Refusal::Unusable {
        path: path.to_owned(),
        what,
    };
    let found = disk::read(path).map_err(unusable)?;
    // Who makes an empty file first wants it to be filled.
    let found = found.filter(|bytes| !bytes.trim_ascii().is_empty());
    let is_there = found.is_some();
    let file = match found {
        Some(bytes) => parse::parse(&bytes).map_err(|reason| Refusal::Malformed {
            path: path.to_owned(),
            reason,
        })?,
        None => File::of(&asserting.test()),
    };
    let Comparison {
        records,
        mut news,
        faults,
    } = compare(&file.entries, functions, SCHEME);
    if !faults.is_empty() {
        return Err(Refusal::Faults {
            path: path.to_owned(),
            faults,
        });
    }
    news.extend(other_test(&file, &asserting.test(), &news));
    if matches!(mode, Mode::Check(_)) {
        // It is put right by whoever writes next.
        news.retain(|news| !matches!(news, News::Sorted { .. }));
    }
    match mode {
        _ if news.is_empty() => {}
        Mode::Write => disk::replace(path, &file.print(&records)).map_err(unusable)?,
        Mode::Check(because) => {
            return Err(Refusal::Unrecorded {
                path: path.to_owned(),
                because,
                is_there,
                news,
            });
        }
    }
    Ok(news)
}
