//! A secret is nowhere in what a process says: neither in its log at trace level, nor in errors, panics or `Debug`.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use fly_rpc::ClusterSecret;
use fly_rpc_tests::{
    secrets::{Spellings, base64, bytes_of},
    stranger::{AUTHORITY, Authority, derived_key},
};

/// Everything that the process of `tests/life` must keep to itself.
struct Kept {
    current: ClusterSecret,
    previous: ClusterSecret,
    environment: ClusterSecret,
    pki: (String, String, String),
}

/// Looks as if it were good, and is not; so it is refused, and yet somebody's.
const WEAK: &str = "correct horse battery staple correct horse battery staple";

impl Kept {
    fn new() -> Self {
        Self {
            current: ClusterSecret::generate(),
            previous: ClusterSecret::generate(),
            environment: ClusterSecret::generate(),
            pki: Authority::unknown("root").pem("node"),
        }
    }

    /// What it says while it lives, on both of its outputs, with `planted` in its log.
    fn life(&self, planted: &[u8]) -> Vec<u8> {
        let (chain, key, roots) = &self.pki;
        let (current, previous) = (self.current.reveal(), self.previous.reveal());
        let parts = [&current, &previous, WEAK, chain, key, roots].map(str::trim);
        let mut input = parts.join("\n\n").into_bytes();
        input.extend(b"\n\n");
        input.extend(planted);

        let mut child = Command::new(env!("CARGO_BIN_EXE_life"))
            .env_clear()
            .env("RUST_BACKTRACE", "1")
            .env("FLY_RPC_SECRET", self.environment.reveal().as_str())
            .env("FLY_RPC_BIND", "127.0.0.1:0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(&input).expect("it reads");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let said = [output.stdout, output.stderr].concat();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&said)
        );
        said
    }

    /// What must not be found, by name: either half of each secret and of each key.
    fn hidden(&self) -> Vec<(String, Spellings)> {
        let secrets = [
            ("the secret", &self.current),
            ("the previous secret", &self.previous),
            ("the secret in the environment", &self.environment),
        ];
        let mut hidden = Vec::new();
        for (name, secret) in secrets {
            hidden.push((name.to_owned(), bytes_of(secret)));
            for purpose in [AUTHORITY, "life in certificates"] {
                for cluster in ["life", "another life", "default"] {
                    let key = derived_key(secret, purpose, cluster).to_vec();
                    hidden.push((format!("what {name} gives for {purpose} of {cluster}"), key));
                }
            }
        }
        // The private number of a P-256 key stands at a fixed place of its encoding (RFC 5915, RFC 5958).
        let private = decoded(&self.pki.1)[36..68].to_vec();
        hidden.push(("the leaf's key".to_owned(), private));
        let halves = hidden.into_iter().flat_map(|(name, bytes)| {
            let (first, second) = bytes.split_at(bytes.len() / 2);
            [first, second].map(|half| (name.clone(), Spellings::of(half)))
        });
        halves.collect()
    }
}

/// The bytes inside a PEM block.
fn decoded(pem: &str) -> Vec<u8> {
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    fly_rpc_tests::secrets::from_base64(&lines.collect::<String>())
}

#[test]
fn no_secret_is_seen_in_the_whole_life_of_a_cluster() {
    let kept = Kept::new();
    let said = kept.life(b"nothing planted");
    let text = String::from_utf8_lossy(&said);
    // It was a whole life, and everything was logged.
    for expected in [
        " TRACE ",
        "quinn_proto",
        "fly_rpc::",
        "ClusterSecret(..)",
        "panicked at",
        "stack backtrace",
        "a connection was refused",
        "BadTarget",
        "openssl rand",
        "nothing planted",
    ] {
        let length = said.len();
        assert!(
            text.contains(expected),
            "{expected:?} is not in {length} bytes"
        );
    }
    for (name, spellings) in kept.hidden() {
        assert_eq!(spellings.find(&said), None, "{name} is seen");
    }
    assert!(!text.contains("horse battery"), "a refused secret is shown");
    println!("{} bytes of output", said.len());
}

/// The search finds what it looks for: each spelling of each secret, when it is logged.
#[test]
fn a_secret_that_is_leaked_is_found_in_every_spelling() {
    let kept = Kept::new();
    for (name, spellings) in kept.hidden() {
        for spelling in spellings.each() {
            let text = [b"INFO planted ", spelling, b" behind"].concat();
            assert!(spellings.find(&text).is_some(), "{name}");
        }
    }
    let key = derived_key(&kept.current, AUTHORITY, "life");
    let planted = [
        format!("secret = {}", *kept.current.reveal()),
        format!("secret = {:?}", bytes_of(&kept.current)),
        format!("secret = {:02x?}", bytes_of(&kept.current)),
        format!("key = {:#?}", Some(&key[..20])),
        base64(&[b"PKCS#8".as_slice(), &key].concat()),
        kept.pki.1.clone(),
    ];
    for planted in planted {
        let hidden = kept.hidden();
        let mut found = hidden
            .iter()
            .filter_map(|(_, hidden)| hidden.find(planted.as_bytes()));
        assert!(found.next().is_some(), "{planted}");
    }
    // And through the log of the whole process.
    let said = kept.life(kept.current.reveal().as_bytes());
    assert!(
        kept.hidden()[0].1.find(&said).is_some(),
        "the first half of the secret"
    );
}
