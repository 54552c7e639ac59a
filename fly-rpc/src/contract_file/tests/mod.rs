//! A directory with a file in it, builds that come and go, and what each is told.

use std::{fs, hash::Hasher, path::PathBuf};

use super::{
    Asserting,
    layout::lay_out,
    record,
    record::{Function, Mark},
    report::Refusal,
    verdict::News,
};
use crate::{
    contract::{Fingerprint, SCHEME},
    fnv::Fnv,
};

mod disk;
mod file;
mod layout;
mod verdicts;

const SHOP: Asserting = Asserting {
    directory: "/nowhere",
    package: Some("shop"),
    binary: None,
    module: "contracts::tests",
};

/// A function of which a build has this contract: `name@version(…) -> …`.
fn function(contract: &str) -> Function {
    let (identity, _) = contract.split_once('(').expect("parameters");
    let (name, version) = identity.split_once('@').expect("an identity");
    let mut hash = Fnv::default();
    hash.write(contract.as_bytes());
    let bytes = (u128::from(hash.finish()) * 0x1_0000_0001_0000_0003).to_be_bytes();
    Function {
        name: name.to_owned(),
        version: version.parse().expect("a number"),
        place: "src/shop.rs:7:1".to_owned(),
        contract: lay_out(contract),
        mark: Mark {
            scheme: SCHEME,
            fingerprint: Fingerprint::from_bytes(bytes),
        },
        pin: None,
        idempotent: false,
    }
}

/// A file in a directory of its own, which goes with it.
struct Desk {
    directory: tempfile::TempDir,
}

impl Desk {
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

    fn put(&self, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(), bytes).expect("written");
    }

    /// What a build with these functions is told on somebody's machine.
    fn run(&self, functions: &[Function]) -> Result<Vec<News>, Refusal> {
        record(&self.path(), SHOP, functions, |_| None)
    }

    fn with(
        &self,
        functions: &[Function],
        variables: &[(&str, &str)],
    ) -> Result<Vec<News>, Refusal> {
        record(&self.path(), SHOP, functions, |name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    /// What it is told if it is refused; the file must then be as it was.
    #[track_caller]
    fn refused(&self, functions: &[Function], variables: &[(&str, &str)]) -> String {
        let before = fs::read(self.path()).ok();
        let refusal = self.with(functions, variables).expect_err("it is refused");
        assert_eq!(fs::read(self.path()).ok(), before, "the file changed");
        let names = fs::read_dir(self.directory.path()).expect("a directory");
        assert!(names.count() <= 1, "something was left behind");
        refusal.to_string()
    }
}

/// A file with two entries.
fn two() -> (Desk, [Function; 2]) {
    let desk = Desk::new();
    let functions = [
        function("pay@1(order: u64, by: str) -> Result<u64, str>"),
        function("ship@1(parcels: u32) -> ()"),
    ];
    desk.run(&functions).expect("written");
    (desk, functions)
}
