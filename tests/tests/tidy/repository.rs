//! The files of this repository, as text.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A Rust file of this repository.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// The file up to its unit tests.
    pub(crate) fn without_tests(&self) -> &str {
        self.text
            .split("\n#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default()
    }

    /// The file without its unit tests and comments.
    pub(crate) fn code(&self) -> String {
        let lines = self
            .without_tests()
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        lines
            .flat_map(|line| [line.split(" // ").next().unwrap_or_default(), "\n"])
            .collect()
    }

    /// True if the whole file is a test.
    pub(crate) fn is_test(&self) -> bool {
        self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
            || self.path.ends_with("/golden.rs")
    }
}

/// Every Rust file but those that the compiler is meant to refuse.
pub(crate) fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for folder in [
        "examples",
        "fly-rpc",
        "fly-rpc-macros",
        "fly-rpc-transport",
        "tests",
    ] {
        collect(&root().join(folder), &mut found);
    }
    assert!(found.len() > 80, "only {} files were found", found.len());
    found
}

pub(crate) fn source(path: &str) -> Source {
    Source {
        path: path.to_owned(),
        text: read(path),
    }
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .to_owned()
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a folder of this repository") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            if !path.ends_with("tests/ui") && !path.ends_with("target") {
                collect(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let relative = path.strip_prefix(root()).expect("inside of the repository");
            found.push(source(&relative.to_string_lossy().replace('\\', "/")));
        }
    }
}

/// True if `name` stands in the code as a name of its own, not as a part of another one.
pub(crate) fn mentions(code: &str, name: &str) -> bool {
    let is_part = |letter: Option<char>| {
        letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
    };
    code.match_indices(name).any(|(start, _)| {
        !is_part(code[..start].chars().next_back())
            && !is_part(code[start + name.len()..].chars().next())
    })
}

/// The texts in quotes.
pub(crate) fn quoted(code: &str) -> Vec<&str> {
    code.split('"').skip(1).step_by(2).collect()
}

/// The cells of every row of every table of a document.
pub(crate) fn rows(document: &str) -> Vec<Vec<String>> {
    let text = read(document);
    let rows = text
        .lines()
        .filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    rows.map(|row| {
        row.split('|')
            .map(|cell| cell.trim().to_owned())
            .collect::<Vec<_>>()
    })
    .filter(|row| row.len() >= 2)
    .collect()
}

/// Fails if there is anything, and shows it.
pub(crate) fn none(what: &str, offenders: impl Iterator<Item = String>) {
    let offenders: Vec<String> = offenders.collect();
    assert!(
        offenders.is_empty(),
        "{what}:\n  {}",
        offenders.join("\n  ")
    );
}
