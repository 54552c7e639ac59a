//! `fly-rpc doctor`: what is set in a way that will hurt, each with its cure.
//!
//! Here the facts are gathered: what this process sees, what the nodes say, and what `fly.toml` says. `check.rs` judges
//! them, and has neither a network nor a clock.

mod check;
mod fly_toml;

use std::{
    fs, io,
    net::{Ipv6Addr, UdpSocket},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::time::Instant;

use self::{
    check::{Facts, Finding, Level, Local, NodeFacts, UnmetFacts, check},
    fly_toml::FlyToml,
};
use super::{
    arguments::Arguments,
    ask::{PATIENCE, ask, ask_all},
    failure::{FINDINGS, Failure},
    join::{Joined, variable},
    json::Json,
    nodes::count,
    screen::Screen,
    table::{Style, clean, wrap},
};
use crate::{
    ClusterSecret,
    inquiry::{Known, Question, Status},
};

/// Says what it finds.
pub(super) async fn run(
    arguments: &Arguments,
    config: Option<&str>,
    screen: &Screen,
) -> Result<u8, Failure> {
    let toml = configuration(config)?;
    let local = local();
    let here = Facts {
        local,
        toml,
        ..Facts::default()
    };
    let patience = arguments.timeout.unwrap_or(PATIENCE);
    let seen = Joined::during(arguments, async |joined| {
        joined.settle().await;
        let facts = facts(joined, here.clone(), patience).await;
        Ok((joined.cluster.clone(), facts))
    });
    let (cluster, facts) = match seen.await {
        Ok(seen) => seen,
        Err(failure) if failure.is_interruption() => return Err(failure),
        Err(failure) => {
            // What is wrong here may be why.
            let facts = Facts {
                failure: Some(failure.to_string()),
                ..here
            };
            show(None, &facts, &check(&facts), screen)?;
            return Ok(failure.code());
        }
    };
    let findings = check(&facts);
    show(Some(&cluster), &facts, &findings, screen)?;
    let is_well = findings
        .iter()
        .all(|finding| finding.level == Level::Well || finding.level == Level::Note);
    Ok(if is_well { 0 } else { FINDINGS })
}

/// What stands in `fly.toml`: that which was named, or the one that lies here.
fn configuration(config: Option<&str>) -> Result<Option<FlyToml>, Failure> {
    let place = config.unwrap_or("fly.toml");
    match fs::read_to_string(place) {
        Ok(text) => match FlyToml::read(&text) {
            Ok(toml) => Ok(Some(toml)),
            Err(error) => Err(Failure::usage(format!("{place}: {error}"))),
        },
        Err(error) if config.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::usage(format!("{place}: {error}"))),
    }
}

fn local() -> Local {
    let ipv6 = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    Local {
        secret: variable("FLY_RPC_SECRET").map(|text| {
            let secret = text.parse::<ClusterSecret>();
            secret.map(drop).map_err(|error| error.to_string())
        }),
        app: variable("FLY_APP_NAME"),
        primary: variable("PRIMARY_REGION"),
        bind: variable("FLY_RPC_BIND"),
        ipv6,
    }
}

async fn facts(joined: &Joined, here: Facts, patience: Duration) -> Facts {
    let links = joined.links();
    let known = ask_all(&links, Question::Known, patience).await;
    let mut nodes = Vec::new();
    for link in links.iter() {
        // One after the other, so that none waits behind another one's answer and seems to be in the past.
        let begun = (Instant::now(), now());
        let status = ask(link, Question::Status, Vec::new(), patience).await;
        let half = begun.0.elapsed() / 2;
        let known = known.get(link.node());
        let known = known.and_then(|answer| Known::read(answer.as_ref().ok()?));
        let functions = link.catalogue();
        let functions = functions.offers();
        let read = status.as_ref().ok().and_then(|answer| Status::read(answer));
        nodes.push(NodeFacts {
            id: link.node().to_string(),
            region: link.region().to_string(),
            primary: link.view().region.to_string(),
            draining: link.is_draining(),
            unanswered: status.as_ref().err().copied(),
            skew: read
                .as_ref()
                .and_then(|status| status.time_of_day)
                .map(|time| {
                    // Halfway, by both clocks.
                    i128::from(time) - (begun.1 + half).as_micros() as i128
                }),
            status: read.unwrap_or_default(),
            connected: known.map(|known| {
                let connected = known.into_iter().filter(|known| known.connected);
                connected.map(|known| known.node).collect()
            }),
            functions: functions
                .map(|offer| ((offer.name.clone(), offer.version), offer.fingerprint))
                .collect(),
        });
    }
    let unmet = joined.unmet().into_iter();
    Facts {
        nodes,
        unmet: unmet
            .map(|unmet| UnmetFacts {
                address: unmet.address.to_string(),
                reason: unmet.reason(),
                is_passing: unmet.is_passing(),
            })
            .collect(),
        ..here
    }
}

/// Since 1970.
fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn show(
    cluster: Option<&str>,
    facts: &Facts,
    findings: &[Finding],
    screen: &Screen,
) -> Result<bool, Failure> {
    if screen.json() {
        return screen.print_json(&json(cluster, findings));
    }
    let mut text = String::new();
    if let Some(cluster) = cluster {
        let nodes = count(facts.nodes.len(), "node");
        text += &format!("cluster {}: {nodes}\n\n", clean(cluster));
    }
    for finding in findings {
        let (mark, style) = match finding.level {
            Level::Problem => ("PROBLEM", Style::Bad),
            Level::Warning => ("warning", Style::Doubtful),
            Level::Note => ("note", Style::Dim),
            Level::Well => ("well", Style::Good),
        };
        let painted = style.paint(mark, screen.colour());
        let blanks = " ".repeat(INDENT - mark.len());
        text += &format!("{painted}{blanks}{}\n", wrap(&finding.sentence, INDENT));
        if let Some(cure) = &finding.cure {
            let cure = wrap(&format!("Cure: {cure}"), INDENT);
            text += &format!("{}{cure}\n", " ".repeat(INDENT));
        }
    }
    let of = |level| {
        findings
            .iter()
            .filter(|finding| finding.level == level)
            .count()
    };
    let (problems, warnings) = (of(Level::Problem), of(Level::Warning));
    text += &match (problems, warnings) {
        (0, 0) => "\nNothing is wrong.\n".to_owned(),
        _ => format!(
            "\n{}, {}\n",
            count(problems, "problem"),
            count(warnings, "warning")
        ),
    };
    screen.print(&text)
}

fn json(cluster: Option<&str>, findings: &[Finding]) -> Json {
    let findings = findings.iter().map(|finding| {
        Json::object([
            ("check", Json::text(finding.check)),
            (
                "level",
                Json::text(match finding.level {
                    Level::Problem => "problem",
                    Level::Warning => "warning",
                    Level::Note => "note",
                    Level::Well => "well",
                }),
            ),
            ("sentence", Json::text(&finding.sentence)),
            (
                "cure",
                Json::optional(finding.cure.as_ref().map(Json::text)),
            ),
        ])
    });
    Json::object([
        ("cluster", Json::optional(cluster.map(Json::text))),
        ("findings", Json::list(findings)),
    ])
}

/// Blanks before a finding.
const INDENT: usize = 9;
