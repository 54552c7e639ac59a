//! What of the cluster is judged: who answers, where they see the primary, clocks, drains, functions, connections.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Facts, Findings, Level, NodeFacts, Unanswered, UnmetFacts, count};

impl Findings {
    pub(super) fn reach(&mut self, facts: &Facts) {
        for UnmetFacts {
            address,
            reason,
            is_passing,
        } in &facts.unmet
        {
            let (level, cure) = match is_passing {
                true => (Level::Note, "look again in a moment"),
                false => (
                    Level::Warning,
                    "start the node, take its address out of FLY_RPC_PEERS, or let UDP through",
                ),
            };
            let sentence = format!("nobody was met at {address}: {reason}");
            self.add("reach", level, sentence, Some(cure));
        }
        if facts.unmet.is_empty() {
            self.well(
                "reach",
                format!(
                    "{} answered, and no address is dialled in vain",
                    count(facts.nodes.len(), "node")
                ),
            );
        }
    }

    pub(super) fn status(&mut self, facts: &Facts) {
        for node in &facts.nodes {
            match &node.unanswered {
                Some(_) if node.draining => {
                    self.add(
                        "status",
                        Level::Note,
                        format!("{} is about to stop", node.id),
                        None,
                    );
                }
                Some(reason) => self.add(
                    "status",
                    Level::Warning,
                    format!("{} says nothing of itself: {reason}", node.id),
                    Some(match reason {
                        Unanswered::Old => "deploy the version of fly-rpc that this command has",
                        Unanswered::Overloaded => "add machines, or raise Limits::handlers",
                        _ => "look again, with a longer --timeout; if it stays so, look at its log",
                    }),
                ),
                None => {}
            }
            let (handlers, most) = (node.status.handlers, node.status.most_handlers);
            if let (Some(handlers), Some(most)) = (handlers, most)
                && handlers.saturating_mul(10) >= most.saturating_mul(9)
            {
                self.add(
                    "load",
                    Level::Warning,
                    format!(
                        "{} runs {handlers} functions of at most {most}: more are refused",
                        node.id
                    ),
                    Some("add machines, or raise Limits::handlers"),
                );
            }
        }
        let development = facts.nodes.iter().filter(|node| node.status.development);
        for node in development.filter(|node| node.is_on_fly()) {
            self.add(
                "secret",
                Level::Problem,
                format!("{} is in development mode on Fly", node.id),
                Some("fly secrets set FLY_RPC_SECRET=\"$(fly-rpc keygen)\""),
            );
        }
    }

    pub(super) fn primary(&mut self, facts: &Facts) {
        let before = self.0.len();
        let answered = || facts.nodes.iter().filter(|node| node.unanswered.is_none());
        let configured = grouped(answered().map(|node| {
            let region = node.status.configured_primary.as_deref();
            (
                region.unwrap_or("local, which is the default").to_owned(),
                node,
            )
        }));
        let seen = grouped(facts.nodes.iter().map(|node| (node.primary.clone(), node)));
        if seen.len() > 1 {
            self.add(
                "primary",
                Level::Problem,
                format!("the nodes see the primary in different regions: {}", spread(&seen)),
                Some("set PRIMARY_REGION to the same everywhere; if it moved a moment ago, look again"),
            );
        } else if configured.len() > 1 {
            self.add(
                "primary",
                Level::Warning,
                format!("PRIMARY_REGION is not the same everywhere: {}", spread(&configured)),
                Some("set it to the same everywhere, or a restart of all nodes brings the difference back"),
            );
        }
        for region in seen.keys() {
            if !facts.nodes.iter().any(|node| node.region == *region) {
                let regions: BTreeSet<&str> = facts
                    .nodes
                    .iter()
                    .map(|node| node.region.as_str())
                    .collect();
                let regions: Vec<&str> = regions.into_iter().collect();
                self.add(
                    "primary",
                    Level::Problem,
                    format!(
                        "no node runs in the primary region {region}; there are some in {}",
                        regions.join(", ")
                    ),
                    Some("start one there (fly scale count), or correct PRIMARY_REGION"),
                );
            }
        }
        let named = facts
            .toml
            .as_ref()
            .and_then(|toml| toml.primary_region.as_ref());
        if let Some(named) = named.filter(|named| !seen.contains_key(*named)) {
            // By hand or by a source of its own (`set_primary_region`), since the last deploy.
            let has_moved = configured.len() == 1 && configured.contains_key(named);
            let regions: Vec<&str> = seen.keys().map(String::as_str).collect();
            let regions = regions.join(", ");
            if has_moved {
                let sentence =
                    format!("the primary was moved from {named}, as fly.toml has it, to {regions}");
                let cure =
                    "none is needed; if it is to stay there, change primary_region in fly.toml";
                self.add("primary", Level::Note, sentence, Some(cure));
            } else {
                let sentence = format!(
                    "fly.toml has primary_region = \"{named}\", the nodes see the primary in {regions}"
                );
                let cure = "deploy fly.toml, or correct it";
                self.add("primary", Level::Warning, sentence, Some(cure));
            }
        }
        if self.0.len() == before {
            let regions: Vec<&str> = seen.keys().map(String::as_str).collect();
            self.well(
                "primary",
                format!("every node sees the primary in {}", regions.join(", ")),
            );
        }
    }

    pub(super) fn clocks(&mut self, facts: &Facts) {
        let mut clocks: Vec<(i128, &str)> = facts
            .nodes
            .iter()
            .filter_map(|node| Some((node.skew?, node.id.as_str())))
            .collect();
        clocks.sort();
        let (Some((least, behind)), Some((most, ahead))) = (clocks.first(), clocks.last()) else {
            return;
        };
        let skew = Duration::from_micros(u64::try_from(most - least).unwrap_or(u64::MAX));
        let level = match skew {
            skew if skew >= BAD_SKEW => Level::Problem,
            skew if skew >= ODD_SKEW => Level::Warning,
            _ => {
                return self.well(
                    "clocks",
                    format!(
                        "the clocks of all nodes agree within {} ms",
                        skew.as_millis() + 1
                    ),
                );
            }
        };
        self.add(
            "clocks",
            level,
            format!(
                "the clock of {ahead} is {:.1} s ahead of that of {behind}; certificates allow for an hour",
                skew.as_secs_f64()
            ),
            Some("let both follow a time server (chrony, systemd-timesyncd)"),
        );
    }

    pub(super) fn draining(&mut self, facts: &Facts) {
        let is_on_fly = facts.local.app.is_some()
            || facts.toml.is_some()
            || facts.nodes.iter().any(NodeFacts::is_on_fly);
        if !is_on_fly {
            return;
        }
        let before = self.0.len();
        let written = facts.toml.as_ref().and_then(|toml| toml.kill_timeout);
        let kill = written.unwrap_or(KILL_TIMEOUT);
        let origin = if written.is_some() {
            "in fly.toml"
        } else {
            "by default"
        };
        for node in &facts.nodes {
            if let Some(drain) = node.status.drain_timeout.filter(|drain| *drain >= kill) {
                let seconds = drain.as_secs_f64();
                self.add(
                    "drain",
                    Level::Problem,
                    format!(
                        "{} drains for up to {seconds} s, and Fly kills it after {} s ({origin})",
                        node.id,
                        kill.as_secs_f64()
                    ),
                    Some("raise kill_timeout in fly.toml above the drain timeout, or lower NodeBuilder::drain_timeout"),
                );
            }
        }
        let signal = facts
            .toml
            .as_ref()
            .and_then(|toml| toml.kill_signal.as_deref());
        if let Some(signal @ ("SIGKILL" | "SIGSTOP")) = signal {
            self.add(
                "drain",
                Level::Problem,
                format!("kill_signal = \"{signal}\" gives a node no time to drain"),
                Some("kill_signal = \"SIGTERM\" in fly.toml, and Node::shutdown() when it comes"),
            );
        }
        if self.0.len() == before {
            self.well(
                "drain",
                format!(
                    "every drain ends before Fly's {} s ({origin})",
                    kill.as_secs_f64()
                ),
            );
        }
    }

    pub(super) fn functions(&mut self, facts: &Facts) {
        let before = self.0.len();
        /// The regions that serve a function, by the contract that it has there.
        type Contracts<'a> = BTreeMap<[u8; 16], BTreeSet<&'a str>>;

        let mut offers: BTreeMap<&(String, u32), Contracts<'_>> = BTreeMap::new();
        // Those that are about to stop make room for others.
        let staying = || facts.nodes.iter().filter(|node| !node.draining);
        for node in staying() {
            for (identity, fingerprint) in &node.functions {
                let contracts = offers.entry(identity).or_default();
                contracts
                    .entry(*fingerprint)
                    .or_default()
                    .insert(&node.region);
            }
        }
        let regions: BTreeSet<&str> = staying().map(|node| node.region.as_str()).collect();
        for ((name, version), contracts) in offers {
            if contracts.len() > 1 {
                self.add(
                    "functions",
                    Level::Problem,
                    format!("{name}@{version} has {} contracts: nodes that differ do not call each other's", contracts.len()),
                    Some("raise the version of the changed one; fly-rpc catalogue shows who has which"),
                );
            }
            let there: BTreeSet<&str> = contracts.into_values().flatten().collect();
            let missing: Vec<&str> = regions.difference(&there).copied().collect();
            if !missing.is_empty() {
                self.add(
                    "functions",
                    Level::Warning,
                    format!("{name}@{version} is served by no node in {}", missing.join(", ")),
                    Some("let the roll-out end; after it, see that the crate is linked there (use that_crate as _;)"),
                );
            }
        }
        if self.0.len() == before {
            self.well(
                "functions",
                "every function is served in every region, under one contract",
            );
        }
    }

    pub(super) fn meshed(&mut self, facts: &Facts) {
        // With gossip not everybody is connected with everybody.
        let nodes: Vec<&NodeFacts> = facts
            .nodes
            .iter()
            .filter(|node| !node.status.gossip && !node.draining)
            .collect();
        let before = self.0.len();
        for (place, one) in nodes.iter().enumerate() {
            for other in &nodes[place + 1..] {
                let sees = |one: &NodeFacts, other: &NodeFacts| {
                    one.connected
                        .as_ref()
                        .is_none_or(|seen| seen.contains(&other.id))
                };
                if !sees(one, other) && !sees(other, one) {
                    self.add(
                        "mesh",
                        Level::Problem,
                        format!("{} ({}) and {} ({}) are not connected with each other", one.id, one.region, other.id, other.region),
                        Some("name one to the other (FLY_RPC_PEERS, or DNS), and let UDP through between them"),
                    );
                }
            }
        }
        if self.0.len() == before && nodes.len() > 1 {
            self.well("mesh", "every node is connected with every other one");
        }
    }
}

/// Nodes by what they have in common.
fn grouped<'a>(
    nodes: impl Iterator<Item = (String, &'a NodeFacts)>,
) -> BTreeMap<String, Vec<&'a str>> {
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (key, node) in nodes {
        groups.entry(key).or_default().push(&node.id);
    }
    groups
}

fn spread(groups: &BTreeMap<String, Vec<&str>>) -> String {
    let shown = groups.iter().map(|(key, nodes)| {
        let some = nodes
            .iter()
            .take(SHOWN)
            .copied()
            .collect::<Vec<_>>()
            .join(", ");
        let more = nodes.len().saturating_sub(SHOWN);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        format!("{key} ({some}{more})")
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// Ids of one group that are shown.
const SHOWN: usize = 3;
/// Fly's own.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);
/// More than clocks that follow a server ever differ.
const ODD_SKEW: Duration = Duration::from_secs(2);
/// Half of what certificates allow for.
const BAD_SKEW: Duration = Duration::from_secs(1_800);
