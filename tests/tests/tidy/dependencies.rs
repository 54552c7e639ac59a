//! What the crates depend on, and how old it may be.

use std::collections::BTreeSet;

use crate::repository::{none, read};

#[test]
fn no_crate_depends_on_what_is_above_it() {
    for (manifest, never) in MANIFESTS {
        let text = read(manifest);
        let (_, dependencies) = text
            .split_once("\n[dependencies]\n")
            .expect("a section of dependencies");
        let dependencies = dependencies.split("\n[").next().unwrap_or_default();
        let names: BTreeSet<&str> = dependencies
            .lines()
            .filter_map(|line| line.split(['.', ' ', '=']).next())
            .collect();
        let found = never.iter().filter(|name| names.contains(*name));
        none(
            &format!("dependencies that {manifest} must not have"),
            found.map(ToString::to_string),
        );
    }
}

#[test]
fn no_dependency_is_older_than_its_last_known_hole() {
    let lock = read("Cargo.lock");
    for (name, floor) in FLOORS {
        let mut versions = lock
            .split("[[package]]")
            .filter(|package| package.contains(&format!("\nname = \"{name}\"\n")))
            .map(|package| package.split('"').nth(3).expect("a version"))
            .peekable();
        assert!(
            versions.peek().is_some(),
            "{name} is not a dependency any more; forget its floor"
        );
        none(
            &format!("versions of {name} below {floor}"),
            versions
                .filter(|version| triple(version) < triple(floor))
                .map(str::to_owned),
        );
    }
}

fn triple(version: &str) -> Vec<u64> {
    version
        .split('.')
        .map(|part| part.parse().expect("a plain version"))
        .collect()
}

const MANIFESTS: [(&str, &[&str]); 3] = [
    (
        "fly-rpc/Cargo.toml",
        &["quinn", "rustls", "rustls-webpki", "rcgen", "ring", "hkdf"],
    ),
    (
        "fly-rpc-transport/Cargo.toml",
        &[
            "fly-rpc",
            "fly-rpc-macros",
            "serde",
            "postcard",
            "inventory",
        ],
    ),
    (
        "fly-rpc-macros/Cargo.toml",
        &["fly-rpc", "fly-rpc-transport", "tokio", "serde"],
    ),
];

/// The first versions without a hole that this library would open to a peer.
const FLOORS: [(&str, &str); 7] = [
    ("arc-swap", "1.9.1"),
    ("bytes", "1.11.1"),
    ("quinn-proto", "0.11.15"),
    ("ring", "0.17.12"),
    ("rustls", "0.23.18"),
    ("rustls-webpki", "0.103.13"),
    ("tokio", "1.44.2"),
];
