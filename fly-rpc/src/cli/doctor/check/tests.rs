//! One story for each finding, told from a cluster that has nothing wrong with it.

use std::time::Duration;

use super::*;

fn node(id: &str, region: &str) -> NodeFacts {
    NodeFacts {
        id: id.to_owned(),
        region: region.to_owned(),
        primary: "syd".to_owned(),
        status: Status {
            configured_primary: Some("syd".to_owned()),
            drain_timeout: Some(Duration::from_secs(4)),
            handlers: Some(1),
            most_handlers: Some(4_096),
            ..Status::default()
        },
        skew: Some(1_000),
        connected: Some(["a", "b", "c"].map(str::to_owned).into()),
        functions: [(("f".to_owned(), 1), [1; 16])].into(),
        ..NodeFacts::default()
    }
}

fn sound() -> Facts {
    Facts {
        local: Local {
            secret: Some(Ok(())),
            app: Some("guestbook".to_owned()),
            primary: Some("syd".to_owned()),
            bind: None,
            ipv6: true,
        },
        failure: None,
        nodes: vec![node("a", "syd"), node("b", "lax"), node("c", "lax")],
        unmet: Vec::new(),
        toml: Some(FlyToml {
            primary_region: Some("syd".to_owned()),
            kill_timeout: Some(Duration::from_secs(10)),
            ..FlyToml::default()
        }),
    }
}

/// What is found when this is done to a sound cluster, and is not well.
fn found(change: impl FnOnce(&mut Facts)) -> Vec<Finding> {
    let mut facts = sound();
    change(&mut facts);
    let mut findings = check(&facts);
    findings.retain(|finding| finding.level != Level::Well);
    findings
}

#[track_caller]
fn one(level: Level, part: &str, change: impl FnOnce(&mut Facts)) {
    let findings = found(change);
    let [finding] = findings.as_slice() else {
        panic!("{findings:?}")
    };
    assert_eq!(finding.level, level, "{finding:?}");
    assert!(finding.sentence.contains(part), "{finding:?}");
    assert!(
        finding.cure.is_some() || level == Level::Note,
        "{finding:?}"
    );
}

#[test]
fn a_sound_cluster_is_said_to_be_well_in_all_respects() {
    assert_eq!(found(|_| {}), []);
    let checks = check(&sound());
    let checks: BTreeSet<&str> = checks.iter().map(|finding| finding.check).collect();
    let expected = [
        "autostop",
        "bind",
        "clocks",
        "drain",
        "functions",
        "ipv6",
        "mesh",
        "primary",
        "reach",
        "secret",
    ];
    assert_eq!(checks.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn every_finding_has_its_cause_and_its_cure() {
    use Level::{Note, Problem, Warning};
    one(Problem, "FLY_RPC_SECRET is not set on Fly", |facts| {
        facts.local.secret = None
    });
    one(
        Problem,
        "FLY_RPC_SECRET cannot be used: too short",
        |facts| facts.local.secret = Some(Err("too short".to_owned())),
    );
    one(Note, "a second secret", |facts| {
        facts.nodes[0].status.rotating = true
    });
    one(Problem, "lets nobody in", |facts| {
        facts.local.bind = Some("127.0.0.1:7411".to_owned())
    });
    one(Problem, "is IPv4", |facts| {
        facts.local.bind = Some("0.0.0.0:7411".to_owned())
    });
    one(Problem, "has no IPv6", |facts| facts.local.ipv6 = false);
    one(Warning, "nobody was met at 10.0.0.1:7411", |facts| {
        facts.unmet.push(UnmetFacts {
            address: "10.0.0.1:7411".to_owned(),
            reason: "timed out".to_owned(),
            is_passing: false,
        });
    });
    one(Note, "nobody was met at 10.0.0.1:7411", |facts| {
        facts.unmet.push(UnmetFacts {
            address: "10.0.0.1:7411".to_owned(),
            reason: "it is about to stop".to_owned(),
            is_passing: true,
        });
    });
    one(Warning, "b says nothing of itself", |facts| {
        facts.nodes[1].unanswered = Some(Unanswered::Late)
    });
    one(
        Note,
        "the primary was moved from syd, as fly.toml has it, to lax",
        |facts| {
            for node in &mut facts.nodes {
                node.primary = "lax".to_owned();
            }
        },
    );
    one(Warning, "more are refused", |facts| {
        facts.nodes[1].status.handlers = Some(4_000)
    });
    one(Problem, "PRIMARY_REGION is not set on Fly", |facts| {
        facts.local.primary = None
    });
    one(
        Problem,
        "in different regions: lax (b), syd (a, c)",
        |facts| facts.nodes[1].primary = "lax".to_owned(),
    );
    one(Warning, "not the same everywhere", |facts| {
        facts.nodes[1].status.configured_primary = None;
    });
    one(Problem, "no node runs in the primary region syd", |facts| {
        facts.nodes[0].region = "lax".to_owned()
    });
    one(Warning, "fly.toml has primary_region = \"iad\"", |facts| {
        facts.toml.as_mut().expect("there").primary_region = Some("iad".to_owned());
    });
    one(Warning, "the clock of b is 5.0 s ahead", |facts| {
        facts.nodes[1].skew = Some(5_001_000)
    });
    one(Problem, "certificates allow for an hour", |facts| {
        facts.nodes[1].skew = Some(-3_000_000_000)
    });
    one(
        Problem,
        "a drains for up to 12 s, and Fly kills it after 10 s",
        |facts| {
            facts.nodes[0].status.drain_timeout = Some(Duration::from_secs(12));
        },
    );
    one(Problem, "no time to drain", |facts| {
        facts.toml.as_mut().expect("there").kill_signal = Some("SIGKILL".to_owned());
    });
    one(Warning, "f@2 is served by no node in lax", |facts| {
        facts.nodes[0]
            .functions
            .insert(("f".to_owned(), 2), [1; 16]);
    });
    one(Problem, "f@1 has 2 contracts", |facts| {
        facts.nodes[0]
            .functions
            .insert(("f".to_owned(), 1), [2; 16]);
    });
    one(Problem, "a (syd) and b (lax) are not connected", |facts| {
        for (node, other) in [(0, "b"), (1, "a")] {
            let seen = facts.nodes[node].connected.as_mut().expect("there");
            seen.remove(other);
        }
    });
    one(Warning, "its proxy sends nothing", |facts| {
        facts.toml.as_mut().expect("there").autostop = true
    });
    one(Note, "no fly.toml lies here", |facts| facts.toml = None);
}

#[test]
fn where_no_cluster_can_be_looked_at_that_is_said_and_what_may_be_why() {
    let facts = Facts {
        failure: Some("no node answers".to_owned()),
        local: Local {
            primary: None,
            ..sound().local
        },
        ..Facts::default()
    };
    let findings = check(&facts);
    let problems = findings
        .iter()
        .filter(|finding| finding.level == Level::Problem);
    let said: Vec<&str> = problems.map(|finding| finding.sentence.as_str()).collect();
    assert_eq!(
        said,
        [
            "no node answers",
            "PRIMARY_REGION is not set on Fly: a node does not start without it"
        ]
    );
}

#[test]
fn without_fly_and_its_file_nothing_is_said_of_them() {
    let findings = found(|facts| {
        facts.local = Local {
            ipv6: true,
            ..Local::default()
        };
        facts.toml = None;
    });
    assert_eq!(findings, []);
}
