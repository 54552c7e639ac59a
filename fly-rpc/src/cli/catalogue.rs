//! `fly-rpc catalogue`: which nodes serve which functions, and so how far a roll-out is.
//!
//! Nodes that serve the same and call their build the same are one column: a fleet has many nodes and two builds.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    arguments::Arguments,
    failure::Failure,
    join::Joined,
    json::Json,
    nodes::count,
    screen::Screen,
    table::{Cell, Column, Style, clean, render, wrap},
};
use crate::{
    contract::Fingerprint,
    node::{FunctionInfo, PeerInfo},
};

/// Shows it, or of it only what is not the same everywhere.
pub(super) async fn run(
    arguments: &Arguments,
    differing: bool,
    screen: &Screen,
) -> Result<u8, Failure> {
    Joined::during(arguments, async |joined| {
        let mut peers = joined.peers();
        peers.retain(|peer| peer.round_trip.is_some());
        let matrix = Matrix::of(&peers);
        if screen.json() {
            screen.print_json(&matrix.json(&joined.cluster, differing))?;
        } else {
            screen.print(&matrix.text(&joined.cluster, differing, screen.colour()))?;
        }
        Ok(0)
    })
    .await
}

type Identity = (String, u32);

/// Nodes of one build.
#[derive(Debug)]
struct Group {
    name: String,
    build: String,
    /// Their ids by region.
    nodes: BTreeMap<String, Vec<String>>,
    functions: BTreeMap<Identity, FunctionInfo>,
}

impl Group {
    fn size(&self) -> usize {
        self.nodes.values().map(Vec::len).sum()
    }
}

/// Who serves what.
#[derive(Debug)]
struct Matrix {
    /// Those of most nodes first.
    groups: Vec<Group>,
    /// Every function, with the contract that most nodes have.
    functions: BTreeMap<Identity, Fingerprint>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offer {
    Yes,
    No,
    /// Under another contract than most.
    Other,
}

impl Matrix {
    fn of(peers: &[PeerInfo]) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for peer in peers {
            let functions: BTreeMap<Identity, FunctionInfo> = peer
                .functions
                .iter()
                .map(|function| ((function.name.clone(), function.version), function.clone()))
                .collect();
            let same = groups
                .iter()
                .position(|group| group.build == peer.build && group.functions == functions);
            let place = same.unwrap_or_else(|| {
                groups.push(Group {
                    name: String::new(),
                    build: peer.build.clone(),
                    nodes: BTreeMap::new(),
                    functions,
                });
                groups.len() - 1
            });
            let nodes = &mut groups[place].nodes;
            let nodes = nodes.entry(peer.region.to_string()).or_default();
            nodes.push(peer.id.to_string());
        }
        groups.sort_by_key(|group| std::cmp::Reverse(group.size()));
        for (place, group) in groups.iter_mut().enumerate() {
            group.name = letters(place);
        }
        let identities: BTreeSet<&Identity> = groups
            .iter()
            .flat_map(|group| group.functions.keys())
            .collect();
        let functions = identities
            .into_iter()
            .map(|identity| (identity.clone(), commonest(&groups, identity)));
        let functions = functions.collect();
        Self { groups, functions }
    }

    fn offer(&self, group: &Group, identity: &Identity) -> Offer {
        match group.functions.get(identity) {
            None => Offer::No,
            Some(function) if self.functions.get(identity) == Some(&function.fingerprint) => {
                Offer::Yes
            }
            Some(_) => Offer::Other,
        }
    }

    fn is_everywhere(&self, identity: &Identity) -> bool {
        let mut groups = self.groups.iter();
        groups.all(|group| self.offer(group, identity) == Offer::Yes)
    }

    fn rows(&self, differing: bool) -> impl Iterator<Item = &Identity> {
        let functions = self.functions.keys();
        functions.filter(move |identity| !(differing && self.is_everywhere(identity)))
    }

    fn text(&self, cluster: &str, differing: bool, colour: bool) -> String {
        let nodes = self.groups.iter().map(Group::size).sum();
        let differ = self
            .functions
            .keys()
            .filter(|identity| !self.is_everywhere(identity));
        let mut text = format!(
            "cluster {}: {} of {}, {}, {} not the same everywhere\n",
            clean(cluster),
            count(nodes, "node"),
            count(self.groups.len(), "build"),
            count(self.functions.len(), "function"),
            differ.count(),
        );
        let rows: Vec<&Identity> = self.rows(differing).collect();
        for block in self.groups.chunks(BLOCK) {
            if !rows.is_empty() {
                text.push('\n');
                text += &self.block(block, &rows, colour);
            }
        }
        text.push('\n');
        for group in &self.groups {
            text += &legend(group, colour);
        }
        for identity in rows {
            text += &self.contracts(identity);
        }
        text
    }

    fn block(&self, groups: &[Group], rows: &[&Identity], colour: bool) -> String {
        let mut columns = vec![Column::of("FUNCTION", 24)];
        columns.extend(groups.iter().map(|group| Column::whole(&group.name)));
        let lines = rows.iter().map(|identity| {
            let (name, version) = identity;
            let offers = groups
                .iter()
                .map(|group| match self.offer(group, identity) {
                    Offer::Yes => Cell::new("yes", Style::Good),
                    Offer::No => Cell::new("-", Style::Dim),
                    Offer::Other => Cell::new("OTHER", Style::Bad),
                });
            [format!("{name}@{version}").into()]
                .into_iter()
                .chain(offers)
                .collect()
        });
        render(&columns, &lines.collect::<Vec<_>>(), colour)
    }

    /// The contracts of a function that has several.
    fn contracts(&self, identity: &Identity) -> String {
        /// Who has a contract, and its text, which need not show what is different.
        type Holders<'a> = (Fingerprint, &'a str, Vec<&'a str>);

        let mut contracts: Vec<Holders<'_>> = Vec::new();
        for group in &self.groups {
            let Some(function) = group.functions.get(identity) else {
                continue;
            };
            let known = |(fingerprint, ..): &&mut Holders<'_>| *fingerprint == function.fingerprint;
            match contracts.iter_mut().find(known) {
                Some((.., names)) => names.push(&group.name),
                None => {
                    contracts.push((function.fingerprint, &function.contract, vec![&group.name]))
                }
            }
        }
        if contracts.len() < 2 {
            return String::new();
        }
        let (name, version) = identity;
        let sentence = format!(
            "{name}@{version} has {} contracts, and builds that differ do not call each other: raise its version",
            contracts.len()
        );
        let mut text = format!("\n{}\n", wrap(&sentence, 2));
        for (fingerprint, contract, names) in contracts {
            let line = format!("{contract} ({fingerprint})");
            text += &format!("  {}  {}\n", names.join(" "), wrap(&line, 5));
        }
        text
    }

    fn json(&self, cluster: &str, differing: bool) -> Json {
        let builds = self.groups.iter().map(|group| {
            let nodes = group.nodes.iter().flat_map(|(region, ids)| {
                let of_region = |id: &String| {
                    Json::object([("id", Json::text(id)), ("region", Json::text(region))])
                };
                ids.iter().map(of_region).collect::<Vec<_>>()
            });
            Json::object([
                ("name", Json::text(&group.name)),
                ("build", Json::text(&group.build)),
                ("nodes", Json::list(nodes)),
            ])
        });
        let functions = self.rows(differing).map(|identity| {
            let offers = self.groups.iter().filter_map(|group| {
                let function = group.functions.get(identity)?;
                Some(Json::object([
                    ("build", Json::text(&group.name)),
                    ("fingerprint", Json::text(function.fingerprint.to_string())),
                    ("contract", Json::text(&function.contract)),
                ]))
            });
            Json::object([
                ("name", Json::text(&identity.0)),
                ("version", Json::number(identity.1)),
                ("same_everywhere", Json::Bool(self.is_everywhere(identity))),
                ("served_by", Json::list(offers)),
            ])
        });
        Json::object([
            ("cluster", Json::text(cluster)),
            ("builds", Json::list(builds)),
            ("functions", Json::list(functions)),
        ])
    }
}

/// The contract that most nodes have under this identity.
fn commonest(groups: &[Group], identity: &Identity) -> Fingerprint {
    let mut counts: BTreeMap<Fingerprint, usize> = BTreeMap::new();
    for group in groups {
        if let Some(function) = group.functions.get(identity) {
            *counts.entry(function.fingerprint).or_default() += group.size();
        }
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map_or(Fingerprint::from_bytes([0; 16]), |(fingerprint, _)| {
        fingerprint
    })
}

fn legend(group: &Group, colour: bool) -> String {
    let build = match group.build.as_str() {
        "" => "without a name",
        build => build,
    };
    let sentence = format!("build {build}, {}", count(group.size(), "node"));
    let name = Style::Bold.paint(&group.name, colour);
    let blanks = " ".repeat(INDENT.saturating_sub(group.name.len()));
    let mut text = format!("{name}{blanks}{}\n", wrap(&sentence, INDENT));
    for (region, ids) in &group.nodes {
        let nodes = wrap(&format!("{region}: {}", ids.join(", ")), INDENT);
        text += &format!("{:INDENT$}{nodes}\n", "");
    }
    text
}

/// `A`, `B`, …, `Z`, `AA`.
fn letters(place: usize) -> String {
    let letter = char::from(b'A' + (place % 26) as u8);
    match place / 26 {
        0 => letter.to_string(),
        more => letters(more - 1) + &letter.to_string(),
    }
}

/// Builds beside each other: with the longest cells and the shortest name of a function, 80 columns.
const BLOCK: usize = 8;
/// Blanks before what is said of a build.
const INDENT: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::{BreakerState, PeerState};

    fn peer(id: &str, region: &str, build: &str, functions: &[(&str, u32, u8)]) -> PeerInfo {
        let functions = functions
            .iter()
            .map(|(name, version, fingerprint)| FunctionInfo {
                name: (*name).to_owned(),
                version: *version,
                contract: format!("{name}@{version}() -> {fingerprint}"),
                fingerprint: Fingerprint::from_bytes([*fingerprint; 16]),
            });
        PeerInfo {
            id: id.into(),
            region: region.into(),
            primary_region: "syd".into(),
            primary_epoch: 0,
            address: ([127, 0, 0, 1], 1).into(),
            state: PeerState::Connected,
            round_trip: None,
            latency: None,
            breaker: BreakerState::Closed,
            requests_sent: 0,
            build: build.to_owned(),
            functions: functions.collect(),
        }
    }

    fn half_way() -> Matrix {
        let old = [("create_post", 1, 1), ("upcase", 1, 1)];
        let new = [
            ("create_post", 1, 1),
            ("create_post", 2, 1),
            ("upcase", 1, 2),
        ];
        Matrix::of(&[
            peer("syd-1", "syd", "v1", &old),
            peer("syd-2", "syd", "v1", &old),
            peer("lax-1", "lax", "v1", &old),
            peer("hkg-1", "hkg", "v2", &new),
        ])
    }

    #[test]
    fn half_way_through_a_roll_out_it_shows_who_has_what_and_who_forgot_a_version() {
        let text = half_way().text("shop", false, false);
        let expected = "\
cluster shop: 4 nodes of 2 builds, 3 functions, 2 not the same everywhere

FUNCTION       A    B
create_post@1  yes  yes
create_post@2  -    yes
upcase@1       yes  OTHER

A  build v1, 3 nodes
   lax: lax-1
   syd: syd-1, syd-2
B  build v2, 1 node
   hkg: hkg-1

upcase@1 has 2 contracts, and builds that differ do not call each other: raise
  its version
  A  upcase@1() -> 1 (01010101010101010101010101010101)
  B  upcase@1() -> 2 (02020202020202020202020202020202)
";
        assert_eq!(text, expected);
        let differing = half_way().text("shop", true, false);
        assert!(!differing.contains("create_post@1"), "{differing}");
    }

    #[test]
    fn however_many_builds_there_are_no_line_is_too_wide() {
        let name = "a_function_whose_name_is_rather_long_as_some_are";
        let peers: Vec<PeerInfo> = (0..60)
            .map(|number| {
                let build = format!("registry.fly.io/guestbook:deployment-{number}");
                peer(
                    &format!("node-{number}"),
                    "syd",
                    &build,
                    &[(name, 1, number), ("f", number.into(), 1)],
                )
            })
            .collect();
        let matrix = Matrix::of(&peers);
        let text = matrix.text("shop", false, false);
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert!(text.contains("AA"));
    }
}
