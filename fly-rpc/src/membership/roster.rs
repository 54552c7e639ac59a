//! Who is in the cluster, as the last news had it: what the rest of the node looks at.

use std::{collections::BTreeMap, net::SocketAddr};

use fly_rpc_transport::NodeId;
use foca::State;

use super::member::{Facts, Member};

/// Everybody who is known by gossip, this node not included. Replaced as a whole.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    members: BTreeMap<NodeId, Known>,
}

/// A member, and what is said of it.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    member: Member,
    is_suspect: bool,
}

impl Known {
    pub(crate) fn facts(&self) -> &Facts {
        self.member.facts()
    }

    /// True if somebody says that it does not answer.
    pub(crate) fn is_suspect(&self) -> bool {
        self.is_suspect
    }
}

impl Roster {
    /// Those who are not dead.
    pub(super) fn of(known: &BTreeMap<NodeId, foca::Member<Member>>) -> Self {
        let living = known
            .iter()
            .filter(|(_, member)| member.state() != State::Down);
        let members = living.map(|(node, member)| {
            let known = Known {
                member: member.id().clone(),
                is_suspect: member.state() == State::Suspect,
            };
            (node.clone(), known)
        });
        Self {
            members: members.collect(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&NodeId, &Known)> {
        self.members.iter()
    }

    pub(crate) fn get(&self, node: &NodeId) -> Option<&Known> {
        self.members.get(node)
    }

    /// Where a node says that it can be dialled.
    pub(crate) fn address(&self, node: &NodeId) -> Option<SocketAddr> {
        self.get(node)?.facts().address
    }
}
