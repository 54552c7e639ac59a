//! Contracts in version control: a file of this test's own functions, as an application has it, and two builds with one file.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use fly_rpc::region_rpc;
use fly_rpc_tests_apart as _;
use serde::{Deserialize, Serialize, de};

#[derive(Debug, Deserialize, Serialize)]
struct Post {
    id: u64,
    tags: Vec<String>,
    parent: Option<Box<Self>>,
}

#[derive(Debug, Deserialize, Serialize)]
enum PostError {
    Empty,
    TooLong(u64),
}

/// What no made-up value satisfies.
#[derive(Debug, Serialize)]
struct Checksum(String);

impl<'de> Deserialize<'de> for Checksum {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "5e0b1c22" => Ok(Self(text)),
            _ => Err(de::Error::custom("no checksum")),
        }
    }
}

#[region_rpc(@primary, version = 2)]
async fn create_post(author: u64, body: &str) -> Result<Post, PostError> {
    match body.len() as u64 {
        0 => Err(PostError::Empty),
        length if length > 140 => Err(PostError::TooLong(length)),
        id => Ok(Post {
            id: id + author,
            tags: Vec::new(),
            parent: None,
        }),
    }
}

#[region_rpc(idempotent)]
fn verify(sum: Checksum) -> bool {
    sum.0.len() == 8
}

/// The committed file, as whoever uses the library has it.
#[test]
fn contracts_are_as_recorded() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contracts/fly-rpc.contracts");
    let committed = fs::read_to_string(&path).unwrap_or_default();
    fly_rpc::assert_contracts!("tests/contracts/fly-rpc.contracts");
    let recorded = fs::read_to_string(path).expect("a file");
    assert_eq!(recorded, committed, "it was written anew; commit it");

    // Those of dependencies too, and a type that cannot be seen through says so.
    let (_, entries) = recorded.split_once("\n\n").expect("a head");
    let first_lines = entries
        .split("\n\n")
        .map(|entry| entry.lines().next().expect("a line"));
    let expected = [
        "create_post@2(",
        "set_apart@1() -> str",
        "verify@1(sum: opaque contracts::Checksum) -> bool",
    ];
    assert_eq!(first_lines.collect::<Vec<_>>(), expected);
}

#[test]
fn the_documents_show_an_entry_as_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).expect("a file");
    let recorded = read("tests/contracts/fly-rpc.contracts");
    let entry = recorded.split("\n\n").nth(1).expect("an entry");
    for document in ["../README.md", "../fly-rpc/src/assert_contracts.md"] {
        assert!(read(document).contains(entry), "{document}");
    }
}

/// Two builds, and the file between them.
struct Builds {
    directory: tempfile::TempDir,
}

/// What came of a test: whether it passed, and what it said.
type Outcome = (bool, String);

impl Builds {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self { directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("fly-rpc.contracts")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).expect("a file")
    }

    fn run(&self, program: &str, variables: &[(&str, &str)]) -> Outcome {
        let output = Command::new(program)
            .arg(self.path())
            .env_remove("CI")
            .env_remove("FLY_RPC_CONTRACTS")
            .envs(variables.iter().copied())
            .output()
            .expect("it runs");
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(output.stdout.is_empty());
        (output.status.success(), said)
    }
}

const OLD: &str = env!("CARGO_BIN_EXE_contracts-old");
const NEW: &str = env!("CARGO_BIN_EXE_contracts-new");

#[test]
fn what_one_build_recorded_the_next_one_cannot_change() {
    let builds = Builds::new();
    let (passed, said) = builds.run(OLD, &[("CI", "true")]);
    assert!(
        !passed
            && said.contains("fly-rpc.contracts is not there")
            && said.contains("tests/contracts/old.rs:2"),
        "{said}"
    );
    assert!(!builds.path().exists());

    let (passed, said) = builds.run(OLD, &[]);
    assert!(
        passed && said.contains("charge@1, at tests/contracts/old.rs:5"),
        "{said}"
    );
    let recorded = builds.text();
    assert!(
        recorded.contains(
            "\ncharge@1(\n    order: u64,\n    by: str,\n) -> Result<u64, str>\npinned: @primary\n"
        ),
        "{recorded}"
    );
    assert_eq!(builds.run(OLD, &[("CI", "true")]), (true, String::new()));

    let before = builds.text();
    for variables in [&[][..], &[("CI", "1")], &[("FLY_RPC_CONTRACTS", "write")]] {
        let (passed, said) = builds.run(NEW, variables);
        for part in [
            "tests/contracts/new.rs:2", // where the macro stands
            "charge@1, at tests/contracts/new.rs:5",
            "\n    +     currency: u16,\n",
            "`version = 2`, and keep the old one under `name = \"charge\", version = 1`",
        ] {
            assert!(!passed && said.contains(part), "{part} is not in\n{said}");
        }
        assert_eq!(builds.text(), before);
    }
}

#[test]
fn an_entry_that_no_build_relies_on_is_deleted_and_the_rest_follows_the_code() {
    let builds = Builds::new();
    assert!(builds.run(OLD, &[]).0);
    let text = builds.text();
    let (head, entries) = text.split_once("\n\n").expect("a head");
    let (charge, others) = entries.split_once("\n\n").expect("entries");
    assert!(charge.starts_with("charge@1("));
    fs::write(builds.path(), format!("{head}\n\n{others}")).expect("written");

    let (passed, said) = builds.run(NEW, &[("FLY_RPC_CONTRACTS", "check")]);
    assert!(!passed, "{said}");
    for part in [
        "charge@1, at",
        "gift_wrap@1, line",
        "ship@2, at",
        "track@1, at",
        "FLY_RPC_CONTRACTS is `check`",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    assert!(!said.contains("ship@1"), "{said}");
    assert!(builds.run(NEW, &[]).0);
    assert!(
        builds
            .text()
            .contains("\ngift_wrap@1(ribbon: str) -> str\nretired: yes\n")
    );
    assert_eq!(builds.run(NEW, &[("CI", "true")]), (true, String::new()));
}
