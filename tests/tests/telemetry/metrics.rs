//! What is measured, under which names, and that its labels are few and none of Fly's.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use fly_rpc::{
    ClusterSecret, Limits, Node, NodeBuilder, RpcError,
    testing::{self, Host, Network},
};
use fly_rpc_tests::{Cluster, Peer, Probe};
use fly_rpc_transport::Status;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tokio::time::sleep;

use crate::functions::{fail_on_primary, hang_on_primary, upcase_on_primary, upcase_on_region};

#[test]
fn a_life_is_measured_under_the_names_that_the_readme_lists_and_no_other() {
    let measured = Measured::of(|| testing::simulate(1, life));
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"));
    let readme = readme.expect("a file");
    let rows = readme.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `fly_rpc_")?.split('|');
        let name = cells.next()?.trim().trim_end_matches('`');
        let kind = cells.next()?.trim().to_owned();
        let labels = cells.next()?.split('`').skip(1).step_by(2);
        let labels: BTreeSet<String> = labels.map(str::to_owned).collect();
        Some((format!("fly_rpc_{name}"), (kind, labels)))
    });
    let listed: BTreeMap<String, (String, BTreeSet<String>)> = rows.collect();
    assert_eq!(measured.kinds(), listed);
}

#[test]
fn no_label_is_one_that_fly_overwrites_and_each_metric_says_what_it_means() {
    let measured = Measured::of(|| testing::simulate(1, life));
    assert!(measured.series.len() > 40, "{}", measured.series.len());
    for series in &measured.series {
        for (label, _) in &series.labels {
            let taken = ["app", "region", "host", "instance"];
            assert!(!taken.contains(&label.as_str()), "{series:?}");
        }
        assert!(series.is_described, "{series:?}");
        let unit = if series.name.contains("_seconds") {
            Some("seconds")
        } else if series.name.contains("_bytes") {
            Some("bytes")
        } else {
            Some("count")
        };
        assert_eq!(series.unit.as_deref(), unit, "{series:?}");
        let is_total = series.name.ends_with("_total");
        assert_eq!(is_total, series.kind == "counter", "{series:?}");
    }
}

#[test]
fn a_life_is_measured_rightly() {
    let measured = Measured::of(|| testing::simulate(1, life));
    let of = |function: &str| {
        [
            ("function", function.to_owned()),
            ("version", "1".to_owned()),
        ]
    };
    let upcase = of("upcase");
    let ended = |name: &str, function: &str, outcome: &str, executed: &str| {
        let [function, version] = of(function);
        let rest = [
            ("outcome", outcome.to_owned()),
            ("executed", executed.to_owned()),
        ];
        measured.value(name, &[&[function, version], &rest[..]].concat())
    };
    let calls = "fly_rpc_calls_finished_total";
    // Ten of lax, one of syd-1 to itself; one to nobody.
    assert_eq!(measured.value("fly_rpc_calls_started_total", &upcase), 12.0);
    assert_eq!(ended(calls, "upcase", "ok", "yes"), 11.0);
    assert_eq!(ended(calls, "upcase", "no_node", "no"), 1.0);
    assert_eq!(ended(calls, "fail", "panicked", "yes"), 1.0);
    assert_eq!(ended(calls, "hang", "given_up", "unknown"), 1.0);
    let requests = "fly_rpc_requests_finished_total";
    assert_eq!(
        measured.value("fly_rpc_requests_started_total", &upcase),
        10.0
    );
    assert_eq!(ended(requests, "upcase", "ok", "yes"), 10.0);
    assert_eq!(ended(requests, "fail", "panicked", "yes"), 1.0);
    assert_eq!(ended(requests, "hang", "given_up", "unknown"), 1.0);
    // The full node refuses all that come to it first, and each is made again.
    let refused = [("reason", "overloaded".to_owned())];
    let refused = measured.value("fly_rpc_requests_refused_total", &refused);
    let retries = ["upcase", "fail", "hang"]
        .map(|name| measured.value("fly_rpc_call_retries_total", &of(name)));
    assert!(refused >= 1.0);
    assert_eq!(refused, retries.iter().sum::<f64>());
    // A letter and its length each.
    let sent = measured.value("fly_rpc_call_sent_bytes_total", &upcase);
    assert_eq!(sent, 2.0 * (10.0 + retries[0]));
    assert_eq!(
        measured.value("fly_rpc_call_received_bytes_total", &upcase),
        20.0
    );
    assert_eq!(
        measured.value("fly_rpc_request_received_bytes_total", &upcase),
        20.0
    );
    assert_eq!(
        measured.value("fly_rpc_request_sent_bytes_total", &upcase),
        20.0
    );
    let took = |place: &str| {
        let [function, version] = upcase.clone();
        let labels = [function, version, ("place", place.to_owned())];
        measured
            .of_name("fly_rpc_call_duration_seconds", &labels)
            .count
    };
    assert_eq!(
        (took("elsewhere"), took("here"), took("nowhere")),
        (10, 1, 1)
    );
    assert_eq!(measured.value("fly_rpc_handlers", &of("hang")), 1.0);
    // What each of three nodes says last stands: of a process there is one.
    let peers: f64 = ["syd", "lax"]
        .iter()
        .map(|place| measured.value("fly_rpc_peers", &[("peer_region", (*place).to_owned())]))
        .sum();
    assert!(peers >= 2.0, "{peers}");
    assert!(measured.value("fly_rpc_frames_read_total", &[]) > 30.0);
    // Three pairs, both ends.
    assert_eq!(measured.value("fly_rpc_connections_made_total", &[]), 6.0);
    assert_eq!(measured.value("fly_rpc_primary_moves_total", &[]), 3.0);
    assert_eq!(measured.value("fly_rpc_primary_epoch", &[]), 1.0);
}

#[tokio::test]
async fn what_a_peer_asks_for_and_nobody_has_becomes_no_label() {
    let recorder = DebuggingRecorder::new();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let cluster = Cluster::new();
    let syd = cluster.node_with_probe("syd-1", "syd").await;
    let peer = Peer::join(&cluster, "cdg-1", &syd, Status::Overloaded).await;
    for number in 0..100 {
        let function = format!("of_nobody_{number}");
        let answer = peer.ask(&function, [0; 16], fly_rpc_tests::SOON, "").await;
        assert_eq!(answer.status, Status::UnknownFunction);
    }
    // What the command asks is answered, well or ill, and no refusal.
    for (question, status) in [("status", Status::Ok), ("contract", Status::BadRequest)] {
        let question = format!("fly_rpc/{question}");
        let answer = peer.ask(&question, [0; 16], fly_rpc_tests::SOON, "?").await;
        assert_eq!(answer.status, status);
    }
    let measured = Measured::in_snapshot(&recorder.snapshotter());
    let refusals = measured.series.iter();
    let refusals = refusals.filter(|series| series.name == "fly_rpc_requests_refused_total");
    assert_eq!(refusals.map(|series| series.value).sum::<f64>(), 100.0);
    let refused = [("reason", "function_unavailable".to_owned())];
    assert_eq!(
        measured.value("fly_rpc_requests_refused_total", &refused),
        100.0
    );
    let named = |series: &&Series| {
        series
            .labels
            .iter()
            .any(|(_, value)| value.contains("nobody"))
    };
    assert_eq!(measured.series.iter().find(named), None);
}

/// Three nodes: lax calls syd, of whose two nodes one refuses everything.
async fn life(network: Network) {
    let secret = ClusterSecret::generate();
    let node = |host: &Host, region: &str| -> NodeBuilder {
        let node = Node::builder().secret(secret.clone()).region(region);
        node.primary_region("syd")
            .simulated(host)
            .state(Probe::new())
    };
    let hosts = [network.host(), network.host(), network.host()];
    let addresses = [&hosts[0], &hosts[1]].map(|host| host.address().to_string());
    let syd = node(&hosts[0], "syd").start().await.expect("started");
    let mut full = Limits::default();
    full.handlers_per_peer = 0;
    let refuses = node(&hosts[1], "syd")
        .limits(full)
        .peers(addresses[..1].to_vec());
    let refuses = refuses.start().await.expect("started");
    let lax = node(&hosts[2], "lax")
        .peers(addresses)
        .start()
        .await
        .expect("started");
    for _ in 0..10 {
        upcase_on_primary("x")
            .via(&lax)
            .await
            .expect("one of two serves");
    }
    upcase_on_primary("x").via(&syd).await.expect("served here");
    let nowhere = upcase_on_region("cdg", "x").via(&lax).await;
    assert!(matches!(nowhere, Err(RpcError::NoNode { .. })));
    let panicked = fail_on_primary().via(&lax).await;
    assert!(matches!(panicked, Err(RpcError::Panicked { .. })));
    let moved = lax.set_primary_region("syd").expect("a region");
    assert_eq!(moved.epoch, 1);
    // It hangs while the nodes are looked at.
    let hang = hang_on_primary().via(&lax).timeout(Duration::from_secs(60));
    assert!(tokio::time::timeout(LOOKED_AT, hang).await.is_err());
    sleep(Duration::from_secs(1)).await; // sleep: what is gauged is looked at once a second
    drop((syd, refuses, lax));
}

/// What a recorder got.
#[derive(Debug)]
struct Measured {
    series: Vec<Series>,
}

#[derive(Debug, PartialEq)]
struct Series {
    name: String,
    kind: &'static str,
    labels: Vec<(String, String)>,
    unit: Option<String>,
    is_described: bool,
    value: f64,
    /// Of a histogram.
    count: usize,
}

impl Measured {
    /// All that `run` measures on this thread.
    fn of(run: impl FnOnce()) -> Self {
        let recorder = DebuggingRecorder::new();
        metrics::with_local_recorder(&recorder, run);
        Self::in_snapshot(&recorder.snapshotter())
    }

    fn in_snapshot(snapshotter: &Snapshotter) -> Self {
        let all = snapshotter.snapshot().into_vec().into_iter();
        let series = all.map(|(key, unit, description, value)| {
            let key = key.key();
            let label = |label: &metrics::Label| (label.key().to_owned(), label.value().to_owned());
            let (kind, value, count) = match value {
                DebugValue::Counter(value) => ("counter", value as f64, 0),
                DebugValue::Gauge(value) => ("gauge", value.into_inner(), 0),
                DebugValue::Histogram(values) => ("histogram", 0.0, values.len()),
            };
            Series {
                name: key.name().to_owned(),
                kind,
                labels: key.labels().map(label).collect(),
                unit: unit.map(|unit| unit.as_str().to_owned()),
                is_described: description.is_some_and(|text| text.len() > 10),
                value,
                count,
            }
        });
        Self {
            series: series.collect(),
        }
    }

    /// Each name with its kind and all labels that it was seen with.
    fn kinds(&self) -> BTreeMap<String, (String, BTreeSet<String>)> {
        let mut kinds: BTreeMap<String, (String, BTreeSet<String>)> = BTreeMap::new();
        for series in &self.series {
            let (kind, labels) = kinds.entry(series.name.clone()).or_default();
            *kind = series.kind.to_owned();
            labels.extend(series.labels.iter().map(|(label, _)| label.clone()));
        }
        kinds
    }

    fn of_name(&self, name: &str, labels: &[(&str, String)]) -> &Series {
        let is_it = |series: &&Series| {
            let has = |(label, value): &(&str, String)| {
                series
                    .labels
                    .iter()
                    .any(|(key, text)| key == label && text == value)
            };
            series.name == name && series.labels.len() == labels.len() && labels.iter().all(has)
        };
        let mut found = self.series.iter().filter(is_it);
        let series = found
            .next()
            .unwrap_or_else(|| panic!("{name} {labels:?} in {:#?}", self.series));
        assert_eq!(found.next(), None);
        series
    }

    fn value(&self, name: &str, labels: &[(&str, String)]) -> f64 {
        self.of_name(name, labels).value
    }
}

/// Longer than the time between two looks at a node.
const LOOKED_AT: Duration = Duration::from_secs(11);
