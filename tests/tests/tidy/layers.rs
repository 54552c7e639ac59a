//! Which file may know of what: the table of layers in ARCHITECTURE.md.

use crate::repository::{Source, mentions, none, sources};

#[test]
fn no_layer_knows_of_what_is_above_it() {
    let sources = sources();
    for layer in LAYERS {
        let mut used = Vec::new();
        for file in layer.members(&sources) {
            let code = file.code().replace(layer.but, "");
            let names = layer.never.iter().filter(|name| mentions(&code, name));
            used.extend(names.map(|name| format!("{}: {name}", file.path)));
        }
        none(
            &format!("names that the layer `{}` must not use", layer.name),
            used.into_iter(),
        );
    }
}

#[test]
fn the_secret_is_read_in_one_file_and_leaves_it_in_two() {
    for (name, files) in SECRET {
        let users = sources()
            .into_iter()
            .filter(|file| file.path.starts_with("fly-rpc") && !file.is_test());
        let users = users
            .filter(|file| mentions(&file.code(), name) && !files.contains(&file.path.as_str()));
        none(
            &format!("users of `{name}`, which belongs to {files:?}"),
            users.map(|file| file.path),
        );
    }
}

/// Files that may not use some names.
struct Layer {
    name: &'static str,
    /// Beginnings of paths.
    files: &'static [&'static str],
    never: &'static [&'static str],
    /// A text that is allowed all the same.
    but: &'static str,
}

impl Layer {
    /// The layer's code. A file that was moved must not leave its layer unnoticed.
    fn members<'a>(&self, sources: &'a [Source]) -> impl Iterator<Item = &'a Source> {
        let in_layer =
            |file: &Source, prefix: &str| file.path.starts_with(prefix) && !file.is_test();
        for prefix in self.files {
            assert!(
                sources.iter().any(|file| in_layer(file, prefix)),
                "the layer `{}` lists {prefix}, which is no file",
                self.name
            );
        }
        let files = self.files;
        sources
            .iter()
            .filter(move |file| files.iter().any(|prefix| in_layer(file, prefix)))
    }
}

const LAYERS: [Layer; 9] = [
    Layer {
        name: "pure, transport",
        files: &[
            "fly-rpc-transport/src/wire/",
            "fly-rpc-transport/src/limits.rs",
            "fly-rpc-transport/src/backoff.rs",
            "fly-rpc-transport/src/tie_break.rs",
            "fly-rpc-transport/src/lane/policy.rs",
            "fly-rpc-transport/src/lane/calls.rs",
        ],
        never: &PURE_NEVER,
        but: "",
    },
    Layer {
        name: "pure, functions",
        files: &[
            "fly-rpc/src/contract/",
            "fly-rpc/src/contract_file/brackets.rs",
            "fly-rpc/src/contract_file/compare.rs",
            "fly-rpc/src/contract_file/diff.rs",
            "fly-rpc/src/contract_file/file.rs",
            "fly-rpc/src/contract_file/layout.rs",
            "fly-rpc/src/contract_file/mode.rs",
            "fly-rpc/src/contract_file/parse.rs",
            "fly-rpc/src/contract_file/record.rs",
            "fly-rpc/src/contract_file/report.rs",
            "fly-rpc/src/contract_file/verdict.rs",
            "fly-rpc/src/codec",
            "fly-rpc/src/cli/json/",
            "fly-rpc/src/cli/doctor/check.rs",
            "fly-rpc/src/cli/doctor/fly_toml.rs",
            "fly-rpc/src/balance/",
            "fly-rpc/src/resolve.rs",
            "fly-rpc/src/routes",
            "fly-rpc/src/target.rs",
            "fly-rpc/src/primary/belief.rs",
            "fly-rpc/src/error.rs",
            "fly-rpc/src/membership/gossiper.rs",
            "fly-rpc/src/membership/gossiper/",
            "fly-rpc/src/membership/member.rs",
            "fly-rpc/src/membership/neighbours.rs",
            "fly-rpc/src/membership/packet.rs",
            "fly-rpc/src/membership/roster.rs",
            "fly-rpc/src/membership/spread.rs",
            "fly-rpc/src/membership/swim.rs",
            "fly-rpc/src/permits.rs",
            "fly-rpc/src/fence.rs",
            "fly-rpc/src/telemetry/end.rs",
            "fly-rpc/src/telemetry/labels.rs",
            "fly-rpc/src/telemetry/trace.rs",
            "fly-rpc/src/discovery/merge.rs",
            "fly-rpc/src/discovery/schedule.rs",
            "fly-rpc/src/discovery/fly/records.rs",
        ],
        never: &PURE_NEVER,
        but: "",
    },
    Layer {
        name: "pure, time as an argument",
        files: &[
            "fly-rpc/src/budget.rs",
            "fly-rpc/src/deadline.rs",
            "fly-rpc/src/discovery/seldom.rs",
        ],
        never: &PURE_NEVER,
        but: "use tokio::time::Instant;",
    },
    Layer {
        // Deadlines travel as what is left of them: clocks that differ, or jump, change nothing.
        name: "calls, which no time of day concerns",
        files: &[
            "fly-rpc/src/budget.rs",
            "fly-rpc/src/call.rs",
            "fly-rpc/src/context.rs",
            "fly-rpc/src/deadline.rs",
            "fly-rpc/src/dispatch.rs",
            "fly-rpc/src/handling.rs",
            "fly-rpc/src/local.rs",
            "fly-rpc/src/plan.rs",
            "fly-rpc/src/remote.rs",
            "fly-rpc/src/run.rs",
            "fly-rpc/src/scope.rs",
            "fly-rpc-transport/src/lane/",
            "fly-rpc-transport/src/link.rs",
            "fly-rpc-transport/src/wire/",
        ],
        never: &["SystemTime", "UNIX_EPOCH"],
        but: "",
    },
    Layer {
        name: "identity and TLS",
        files: &[
            "fly-rpc-transport/src/identity/",
            "fly-rpc-transport/src/tls.rs",
        ],
        never: &["tokio", "UdpSocket", "TcpStream"],
        but: "",
    },
    Layer {
        name: "transport",
        files: &["fly-rpc-transport/src/"],
        never: &[
            "fly_rpc",
            "Target",
            "serde",
            "postcard",
            "inventory",
            "is_primary",
        ],
        but: "type Target =",
    },
    Layer {
        // The hello tells where a node believes the primary to be; nothing here acts on it.
        name: "connections",
        files: &[
            "fly-rpc-transport/src/control.rs",
            "fly-rpc-transport/src/endpoint.rs",
            "fly-rpc-transport/src/endpoint/",
            "fly-rpc-transport/src/handshake.rs",
            "fly-rpc-transport/src/handshake/",
            "fly-rpc-transport/src/keeper.rs",
            "fly-rpc-transport/src/lane/",
            "fly-rpc-transport/src/link.rs",
            "fly-rpc-transport/src/peers.rs",
        ],
        never: &["primary"],
        but: "",
    },
    Layer {
        name: "functions",
        files: &["fly-rpc/src/"],
        never: &["quinn", "rustls", "rcgen", "ring"],
        but: "",
    },
    Layer {
        name: "macros",
        files: &["fly-rpc-macros/src/"],
        never: &[
            "fly_rpc_transport",
            "tokio",
            "std::fs",
            "std::net",
            "std::env",
        ],
        but: "",
    },
];

const PURE_NEVER: [&str; 11] = [
    "tokio",
    "quinn",
    "rustls",
    "rand",
    "UdpSocket",
    "TcpStream",
    "lookup_host",
    "std::fs",
    "std::env",
    "Instant::now",
    "SystemTime::now",
];

/// What touches the cluster secret, and where it may stand.
const SECRET: [(&str, &[&str]); 4] = [
    ("hkdf", &["fly-rpc-transport/src/identity/secret.rs"]),
    (
        "expand_multi_info",
        &["fly-rpc-transport/src/identity/secret.rs"],
    ),
    (
        "secret.derive",
        &["fly-rpc-transport/src/identity/authority.rs"],
    ),
    // Development mode makes a secret and keeps it in a file; `fly-rpc keygen` shows one that nobody has yet.
    (
        "reveal",
        &[
            "fly-rpc-transport/src/identity/secret.rs",
            "fly-rpc/src/discovery/directory.rs",
            "fly-rpc/src/cli/keygen.rs",
        ],
    ),
];
