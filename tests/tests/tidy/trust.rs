//! Nothing makes a node lenient: no feature, no variable, and no verifier but one.

use crate::repository::{Source, mentions, none, read, sources};

/// The code of the three crates, without their tests.
fn code() -> impl Iterator<Item = Source> {
    sources()
        .into_iter()
        .filter(|file| file.path.starts_with("fly-rpc") && !file.is_test())
}

#[test]
fn certificates_are_judged_in_one_file_and_by_one_rule() {
    for (name, files) in JUDGES {
        let users = code().filter(|file| mentions(&file.code(), name));
        let users: Vec<String> = users.map(|file| file.path).collect();
        assert_eq!(users, files, "users of `{name}`");
    }
    // Either verdict stands behind the rule, and nothing stands between them.
    let verifier = code().find(|file| file.path == VERIFIER).expect("a file");
    let verdicts: Vec<&str> = ["ServerCertVerified", "ClientCertVerified"].to_vec();
    for verdict in verdicts {
        let given = format!("Ok({verdict}::assertion())");
        let lines: Vec<&str> = verifier.without_tests().lines().map(str::trim).collect();
        let at: Vec<usize> = (0..lines.len())
            .filter(|at| lines[*at].contains(&given))
            .collect();
        assert_eq!(at.len(), 1, "`{given}` is given once");
        assert!(
            lines[at[0] - 1].starts_with("self.verify("),
            "{}",
            lines[at[0] - 1]
        );
    }
    assert!(
        !verifier
            .code()
            .contains("HandshakeSignatureValid::assertion")
    );
}

#[test]
fn no_feature_and_no_variable_reaches_what_trusts() {
    for (manifest, expected) in [
        (
            "fly-rpc/Cargo.toml",
            &["metrics", "opentelemetry", "sim", "cli", "bench", "fuzzing"][..],
        ),
        ("fly-rpc-transport/Cargo.toml", &["sim", "fuzzing"]),
    ] {
        let manifest = read(manifest);
        let features = manifest.split("[features]").nth(1).expect("features");
        let features = features.split("\n[").next().unwrap_or_default();
        let names: Vec<&str> = features
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| Some(line.split_once(" = ")?.0))
            .collect();
        assert_eq!(names, expected);
    }
    let transport = || code().filter(|file| file.path.starts_with("fly-rpc-transport/"));
    none(
        "files of the transport that a variable changes",
        transport()
            .filter(|file| {
                let code = file.code();
                ["env!", "std::env", "env::var", "debug_assertions"]
                    .iter()
                    .any(|name| code.contains(name))
            })
            .map(|file| file.path),
    );
    none(
        "files of the transport that a feature changes, and that are not listed",
        transport()
            .filter(|file| file.code().contains("feature ="))
            .map(|file| file.path)
            .filter(|path| !FEATURES.contains(&path.as_str())),
    );
}

/// What features add to: the socket of a simulation and a crash in one, and what fuzzing looks at.
const FEATURES: [&str; 10] = [
    "fly-rpc-transport/src/endpoint.rs",
    "fly-rpc-transport/src/identity/der.rs",
    "fly-rpc-transport/src/identity/mod.rs",
    "fly-rpc-transport/src/lane/caller.rs",
    "fly-rpc-transport/src/lane/mod.rs",
    "fly-rpc-transport/src/lane/outbox.rs",
    "fly-rpc-transport/src/lib.rs",
    "fly-rpc-transport/src/quic.rs",
    "fly-rpc-transport/src/socket.rs",
    "fly-rpc-transport/src/wire/message.rs",
];

const VERIFIER: &str = "fly-rpc-transport/src/identity/verify.rs";
const TLS: &str = "fly-rpc-transport/src/tls.rs";

/// What decides about trust, and where alone it stands.
const JUDGES: [(&str, &[&str]); 6] = [
    ("dangerous", &[TLS]),
    ("with_custom_certificate_verifier", &[TLS]),
    ("with_client_cert_verifier", &[TLS]),
    ("with_no_client_auth", &[]),
    ("ServerCertVerifier", &[VERIFIER]),
    ("ClientCertVerifier", &[VERIFIER]),
];
