//! What the facts mean. Pure: every fact is an argument, so that each finding has its test.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{ask::Unanswered, nodes::count},
    fly_toml::FlyToml,
};
use crate::inquiry::Status;

mod cluster;

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Calls fail because of it, or will.
    Problem,
    /// It hurts when something else goes wrong.
    Warning,
    /// It could not be looked at, or is as it is meant to be for a while.
    Note,
    Well,
}

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// What was looked at, for programs.
    pub(super) check: &'static str,
    pub(super) level: Level,
    pub(super) sentence: String,
    pub(super) cure: Option<String>,
}

/// What is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) local: Local,
    /// Why no cluster could be looked at.
    pub(super) failure: Option<String>,
    pub(super) nodes: Vec<NodeFacts>,
    pub(super) unmet: Vec<UnmetFacts>,
    pub(super) toml: Option<FlyToml>,
}

/// An address at which nobody was met.
#[derive(Clone, Debug, Default)]
pub(super) struct UnmetFacts {
    pub(super) address: String,
    pub(super) reason: String,
    /// It may be otherwise a moment later.
    pub(super) is_passing: bool,
}

/// What this process sees.
#[derive(Clone, Debug, Default)]
pub(super) struct Local {
    /// If there is one: whether it can be used, or why not.
    pub(super) secret: Option<Result<(), String>>,
    /// The application's name, on Fly.
    pub(super) app: Option<String>,
    pub(super) primary: Option<String>,
    pub(super) bind: Option<String>,
    pub(super) ipv6: bool,
}

/// What a node says, and what is seen of it.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeFacts {
    pub(super) id: String,
    pub(super) region: String,
    /// Where it sees the primary.
    pub(super) primary: String,
    pub(super) draining: bool,
    /// Why it gave no status.
    pub(super) unanswered: Option<Unanswered>,
    pub(super) status: Status,
    /// Microseconds by which its clock is ahead of this one's.
    pub(super) skew: Option<i128>,
    /// The nodes that it is connected with, if it says.
    pub(super) connected: Option<BTreeSet<String>>,
    pub(super) functions: BTreeMap<(String, u32), [u8; 16]>,
}

impl NodeFacts {
    fn is_on_fly(&self) -> bool {
        let mut platform = self.status.platform.iter();
        platform.any(|fact| fact.starts_with("FLY_APP_NAME="))
    }
}

/// The worst first.
pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Findings(Vec::new());
    if let Some(failure) = &facts.failure {
        found.add("cluster", Level::Problem, failure.clone(), None);
    }
    found.secret(facts);
    found.addresses(facts);
    found.primary_here(facts);
    if !facts.nodes.is_empty() {
        found.reach(facts);
        found.status(facts);
        found.primary(facts);
        found.clocks(facts);
        found.draining(facts);
        found.functions(facts);
        found.meshed(facts);
    }
    found.autostop(facts);
    found.0.sort_by_key(|finding| finding.level);
    found.0
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, check: &'static str, level: Level, sentence: String, cure: Option<&str>) {
        self.0.push(Finding {
            check,
            level,
            sentence,
            cure: cure.map(str::to_owned),
        });
    }

    fn well(&mut self, check: &'static str, sentence: impl Into<String>) {
        self.add(check, Level::Well, sentence.into(), None);
    }

    fn secret(&mut self, facts: &Facts) {
        let Local { secret, app, .. } = &facts.local;
        match (secret, app) {
            (Some(Err(error)), _) => self.add(
                "secret",
                Level::Problem,
                format!("FLY_RPC_SECRET cannot be used: {error}"),
                Some("take the one that the nodes have, or make one for all of them with fly-rpc keygen"),
            ),
            (None, Some(app)) => self.add(
                "secret",
                Level::Problem,
                format!("FLY_RPC_SECRET is not set on Fly: each machine of {app} is alone, in development mode"),
                Some("fly secrets set FLY_RPC_SECRET=\"$(fly-rpc keygen)\""),
            ),
            (None, None) => self.well("secret", "there is no FLY_RPC_SECRET: development mode, on this machine"),
            (Some(Ok(())), _) => self.well("secret", "FLY_RPC_SECRET is set, and long enough"),
        }
        let rotating = facts
            .nodes
            .iter()
            .filter(|node| node.status.rotating)
            .count();
        if rotating > 0 {
            self.add(
                "secret",
                Level::Note,
                format!("{} a second secret: the secret is being changed", accepts(rotating)),
                Some("when every node presents the new one, unset FLY_RPC_SECRET_PREVIOUS and deploy"),
            );
        }
    }

    fn addresses(&mut self, facts: &Facts) {
        let Local {
            secret,
            app,
            bind,
            ipv6,
            ..
        } = &facts.local;
        let ip = bind
            .as_deref()
            .and_then(|bind| bind.rsplit_once(':'))
            .map(|(ip, _)| ip);
        let is_loopback = |ip: &str| ip.starts_with("127.") || ip == "[::1]";
        match ip {
            Some(ip) if secret.is_some() && is_loopback(ip) => self.add(
                "bind",
                Level::Problem,
                format!(
                    "FLY_RPC_BIND={} lets nobody in from other machines",
                    bind.as_deref().unwrap_or_default()
                ),
                Some("unset it: with a secret the default is [::]:7411"),
            ),
            Some(ip) if app.is_some() && !ip.starts_with('[') => self.add(
                "bind",
                Level::Problem,
                format!(
                    "FLY_RPC_BIND={} is IPv4, and Fly's private network is IPv6",
                    bind.as_deref().unwrap_or_default()
                ),
                Some("unset it: with a secret the default is [::]:7411"),
            ),
            _ => self.well("bind", "nothing is wrong with the address that nodes bind"),
        }
        if *ipv6 {
            self.well("ipv6", "this machine has IPv6");
        } else if app.is_some()
            || facts
                .unmet
                .iter()
                .any(|unmet| unmet.address.starts_with('['))
        {
            self.add(
                "ipv6",
                Level::Problem,
                "this machine has no IPv6, and nodes are to be reached by it".to_owned(),
                Some(
                    "run the command where the nodes run, or over WireGuard (fly wireguard create)",
                ),
            );
        } else {
            self.add(
                "ipv6",
                Level::Note,
                "this machine has no IPv6".to_owned(),
                None,
            );
        }
    }

    fn primary_here(&mut self, facts: &Facts) {
        if facts.local.app.is_some() && facts.local.primary.is_none() {
            self.add(
                "primary",
                Level::Problem,
                "PRIMARY_REGION is not set on Fly: a node does not start without it".to_owned(),
                Some("add primary_region = \"…\", where the writable database is, to fly.toml and deploy"),
            );
        }
    }

    fn autostop(&mut self, facts: &Facts) {
        match &facts.toml {
            Some(toml) if toml.autostop => self.add(
                "autostop",
                Level::Warning,
                "fly.toml lets Fly stop machines that its proxy sends nothing; calls between nodes are none to it".to_owned(),
                Some("auto_stop_machines = \"off\" for machines that serve other nodes"),
            ),
            Some(_) => self.well("autostop", "fly.toml does not let Fly stop machines that serve other nodes"),
            None if facts.local.app.is_some() => self.add(
                "autostop",
                Level::Note,
                "kill_timeout and auto_stop_machines were not looked at: no fly.toml lies here".to_owned(),
                Some("fly-rpc doctor --config path/to/fly.toml"),
            ),
            None => {}
        }
    }
}

fn accepts(nodes: usize) -> String {
    format!(
        "{} accept{}",
        count(nodes, "node"),
        if nodes == 1 { "s" } else { "" }
    )
}

#[cfg(test)]
mod tests;
