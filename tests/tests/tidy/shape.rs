//! What every file has, and what none has.

use std::collections::BTreeSet;

use crate::repository::{none, read, sources};

#[test]
fn every_file_says_what_it_is_for() {
    none(
        "files that do not begin with `//!`",
        sources()
            .iter()
            .filter(|file| {
                !file.text.starts_with("//! ") && !file.text.starts_with(README_IS_THE_DOC)
            })
            .map(|file| file.path.clone()),
    );
}

#[test]
fn no_file_is_longer_than_can_be_kept_in_mind() {
    // Integration tests are tests from their first line to their last.
    let files = sources()
        .into_iter()
        .filter(|file| !file.path.starts_with("tests/tests/"));
    none(
        "files of more than 500 lines without their tests",
        files.filter_map(|file| {
            let lines = file.without_tests().lines().count();
            (lines > 500).then(|| format!("{}: {lines}", file.path))
        }),
    );
}

#[test]
fn nothing_is_left_for_later() {
    for mark in [
        concat!("#[", "ignore"),
        concat!("todo", "!("),
        concat!("dbg", "!("),
        concat!("unimplemented", "!("),
    ] {
        let marked = sources()
            .into_iter()
            .filter(|file| file.text.contains(mark));
        none(
            &format!("files with `{mark}`"),
            marked.map(|file| file.path),
        );
    }
}

/// A lock that is poisoned carries no news here, and refusing to go on would spread one panic to every other call.
#[test]
fn no_lock_is_refused_because_something_panicked_while_it_was_held() {
    let product = sources()
        .into_iter()
        .filter(|file| file.path.contains("/src/") && !file.path.starts_with("tests/"));
    none(
        "files that take a lock and do not expect poison",
        product
            .filter(|file| {
                let code: String = file.code().split_whitespace().collect();
                let takes = [".lock()", ".read()", ".write()"].into_iter();
                takes
                    .flat_map(|take| [".unwrap()", ".expect("].map(|end| format!("{take}{end}")))
                    .any(|refuses| code.contains(&refuses))
            })
            .map(|file| file.path),
    );
}

/// Tests wait for events. One that must let time pass says why: `// sleep: <reason>` on the same line.
#[test]
fn no_test_sleeps_without_a_reason() {
    let call = concat!("sleep", "(");
    let tests = sources().into_iter().filter(|file| {
        file.path.starts_with("tests/tests/") || file.path.starts_with("tests/src/")
    });
    none(
        "sleeps without a reason",
        tests.flat_map(|file| {
            let lines = file.text.lines().enumerate();
            let sleeps =
                lines.filter(|(_, line)| line.contains(call) && !line.contains("// sleep: "));
            sleeps
                .map(|(number, _)| format!("{}:{}", file.path, number + 1))
                .collect::<Vec<_>>()
        }),
    );
}

#[test]
fn every_example_is_built_and_every_one_that_is_built_is_there() {
    let manifest = read("examples/Cargo.toml");
    let listed: BTreeSet<String> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = "))
        .map(|path| path.replace('"', ""))
        .collect();
    let files = sources();
    let there: BTreeSet<String> = files
        .iter()
        .filter_map(|file| file.path.strip_prefix("examples/"))
        // Deeper ones belong to an application that is a package of its own.
        .filter(|path| match path.split_once('/') {
            None => true,
            Some((_, rest)) => rest == "main.rs",
        })
        .map(str::to_owned)
        .collect();
    assert_eq!(listed, there);
}

/// The facade's own `//!`.
const README_IS_THE_DOC: &str = "#![doc = include_str!(\"../README.md\")]";
