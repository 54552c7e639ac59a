//! The documents say what the code does.

use std::fs;

use fly_rpc_transport::{CloseCode, Status};

use crate::repository::{none, quoted, read, root, rows, source, sources};

#[test]
fn the_readme_lists_every_variable_and_every_key() {
    let is_variable = |text: &&str| {
        let is_upper = |letter: char| letter.is_ascii_uppercase() || letter == '_';
        text.len() > 3 && text.chars().all(is_upper)
    };
    let environment = source("fly-rpc/src/environment.rs");
    let variables = quoted(environment.without_tests());
    let variables = variables.into_iter().filter(is_variable);

    let attribute = source("fly-rpc-macros/src/args/mod.rs");
    let (_, rest) = attribute.text.split_once("const KEYS").expect("all keys");
    let (keys, _) = rest.split_once("];").expect("the end of the list");

    let names: Vec<&str> = variables.chain(quoted(keys)).collect();
    assert!(names.len() > 15, "{names:?}");
    let rows = rows("README.md");
    let is_listed = |name: &&str| {
        rows.iter().any(|row| {
            row[0].contains(&format!("`{name}`")) || row[0].contains(&format!("`{name} = "))
        })
    };
    none(
        "names that no table of README.md explains",
        names
            .into_iter()
            .filter(|name| !is_listed(name))
            .map(str::to_owned),
    );
}

#[test]
fn the_protocol_lists_every_code_and_every_status_and_no_other() {
    let rows = rows("PROTOCOL.md");
    for number in 0..=u8::MAX {
        let hex = format!("{number:02x}");
        let row =
            |second: &dyn Fn(&str) -> bool| rows.iter().any(|row| row[0] == hex && second(&row[1]));

        let code = CloseCode::from_number(number.into()).map(|code| format!("`{code:?}`"));
        let is_code = |name: &str| name.starts_with('`') && Some(name) != code.as_deref();
        assert!(
            !row(&is_code),
            "PROTOCOL.md names {hex} otherwise: {code:?}"
        );
        assert!(
            code.is_none() || row(&|name| Some(name) == code.as_deref()),
            "PROTOCOL.md lacks {hex}, {code:?}"
        );

        let ran = match number {
            0 | 0x40..0x80 => "yes",
            1..0x40 => "no",
            0x80.. => "perhaps",
        };
        let status = Status::from_byte(number);
        let is_known = !matches!(
            status,
            Status::OtherNotRun(_) | Status::OtherRan(_) | Status::OtherUnknown(_)
        );
        assert_eq!(
            row(&|text| text == ran),
            is_known,
            "PROTOCOL.md, status {hex}: {status:?}"
        );
        let otherwise = |text: &str| ["yes", "no", "perhaps"].contains(&text) && text != ran;
        assert!(
            !row(&otherwise),
            "PROTOCOL.md, status {hex}, says the opposite of `{ran}`"
        );
    }
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    for document in DOCUMENTS {
        let text = read(document);
        let links = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        let local = links.filter(|link| !link.starts_with("http") && !link.starts_with('#'));
        let broken = local.filter(|link| {
            !root()
                .join(link.split('#').next().unwrap_or_default())
                .exists()
        });
        none(
            &format!("links of {document} that lead nowhere"),
            broken.map(str::to_owned),
        );
    }
}

#[test]
fn the_code_map_names_every_part_of_the_crates_and_nothing_else() {
    let map = read("ARCHITECTURE.md");
    let names: Vec<&str> = map
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.ends_with(".rs") || name.ends_with('/'))
        .collect();
    none(
        "files that ARCHITECTURE.md names and that are not there",
        names
            .iter()
            .filter(|name| {
                !PLACES
                    .iter()
                    .any(|place| root().join(place).join(name).exists())
            })
            .map(ToString::to_string),
    );
    for place in ["fly-rpc/src", "fly-rpc-transport/src", "fly-rpc-macros/src"] {
        let parts = fs::read_dir(root().join(place))
            .expect("a folder of this repository")
            .map(|part| {
                let part = part.expect("a readable folder");
                let slash = if part.path().is_dir() { "/" } else { "" };
                format!("{}{slash}", part.file_name().to_string_lossy())
            });
        let aside = ["lib.rs", "tests.rs", "tests/", "snapshots/"];
        let code = parts.filter(|part| {
            (part.ends_with(".rs") || part.ends_with('/')) && !aside.contains(&part.as_str())
        });
        none(
            &format!("parts of {place} that ARCHITECTURE.md does not name"),
            code.filter(|part| {
                !names
                    .iter()
                    .any(|name| name == part || name.starts_with(part.as_str()))
            }),
        );
    }
}

/// A test is named as `file.rs::test`, or `…::test` for another one of the same file; a name may be
/// cut short with `…`.
#[test]
fn every_test_that_reliability_names_exists() {
    let sources = sources();
    let text = read("RELIABILITY.md");
    let names = text.split('`').skip(1).step_by(2);
    let mut file = "";
    let mut named = 0;
    let mut missing = Vec::new();
    for name in names.filter(|name| name.starts_with('…') || name.contains(".rs")) {
        let (place, test) = name.split_once("::").unwrap_or((name, ""));
        if place != "…" {
            file = place;
        }
        named += 1;
        let of_that_name = sources
            .iter()
            .filter(|source| format!("/{}", source.path).ends_with(&format!("/{file}")));
        let definition = match test.strip_suffix('…') {
            Some(beginning) => format!("fn {beginning}"),
            None if test.is_empty() => String::new(),
            None => format!("fn {test}("),
        };
        let mut candidates = of_that_name.map(|source| source.text.as_str());
        if !candidates.any(|code| code.contains(&definition)) {
            missing.push(format!("{file}::{test}"));
        }
    }
    assert!(named > 100, "only {named} names were found");
    none(
        "tests that RELIABILITY.md names and that do not exist",
        missing.into_iter(),
    );
}

const DOCUMENTS: [&str; 6] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "PROTOCOL.md",
    "README.md",
    "RELIABILITY.md",
    "SECURITY.md",
];

/// Where the names in ARCHITECTURE.md are looked for.
const PLACES: [&str; 7] = [
    "",
    "fly-rpc/src",
    "fly-rpc-transport/src",
    "fly-rpc-transport/src/identity",
    "fly-rpc-macros/src",
    "tests",
    "examples",
];
