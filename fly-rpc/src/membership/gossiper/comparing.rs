//! Comparing pictures: two nodes find out what one of them lacks, and tell that and little else.
//!
//! News is told once, to those who are there to hear it; whoever comes later, or was cut off, finds by
//! comparing. A question has a digest of each part of the picture, and the answer those parts that
//! differ: a picture of a thousand nodes has 80 kB.

use std::time::Duration;

use bytes::BufMut;
use fly_rpc_transport::NodeId;

use super::{Actions, Gossiper, QUESTION, tell};
use crate::membership::{member::Member, swim::part_of};

impl Gossiper {
    /// News goes to `node` and comes from it from now on; what was told before neither end knows.
    pub(super) fn befriend(&mut self, node: &NodeId, now: Duration) {
        let due = (now + QUIET, now + UNREST);
        self.fresh.entry(node.clone()).or_insert(due);
    }

    /// Compares pictures with those whom that is due with: once no news has come for a moment, so that
    /// what is on its way anyway is not told twice.
    pub(super) fn compare_with_fresh(&mut self, now: Duration, actions: &mut Actions) {
        if self.fresh.is_empty() {
            return;
        }
        let quiet = self.last_change + QUIET;
        let mut due = Vec::new();
        self.fresh.retain(|node, (at, latest)| {
            if *at <= now && quiet > now && *latest > now {
                *at = quiet.min(*latest);
            } else if *at <= now {
                due.push(node.clone());
                return false;
            }
            true
        });
        let audience = self.audience();
        for node in due.iter().filter(|node| audience.contains(*node)) {
            self.ask(node, now, actions);
        }
    }

    pub(super) fn ask(&mut self, node: &NodeId, now: Duration, actions: &mut Actions) {
        let first = self.swim.known().is_empty();
        self.next_question = now + if first { FIRST_QUESTIONS } else { QUESTIONS };
        let mut message = vec![QUESTION];
        let (whole, parts) = self.swim.digests(parts_for(self.swim.known().len()));
        message.put_u64_le(whole);
        for part in parts {
            message.put_u16_le(part);
        }
        actions.messages.push((node.clone(), message.into()));
    }

    /// Tells who knows something else what is in those parts of the picture that differ, but not all the
    /// time. An older build asks for all parts.
    pub(super) fn answer(
        &mut self,
        from: &NodeId,
        digest: u64,
        asked: &[[u8; 2]],
        now: Duration,
        actions: &mut Actions,
    ) {
        let is_early = self
            .answered
            .get(from)
            .is_some_and(|answered| now < *answered + ANSWERS);
        if is_early {
            return;
        }
        let (whole, parts) = self.swim.digests(asked.len());
        if digest == whole {
            return;
        }
        self.answered.insert(from.clone(), now);
        let differs = |member: &foca::Member<Member>| {
            let part = part_of(member.id().node(), parts.len());
            part.is_none_or(|part| asked[part] != parts[part].to_le_bytes())
        };
        let me = foca::Member::alive(self.me().clone());
        let known = self.swim.known().values().chain([&me]);
        tell(from, known.filter(|member| differs(member)), actions);
    }
}

/// Parts of a picture of so many members that are compared one by one: of some four members each.
fn parts_for(members: usize) -> usize {
    (members / 4).clamp(1, PARTS)
}

/// How often the picture is compared with a neighbour's.
pub(super) const QUESTIONS: Duration = Duration::from_secs(20);
/// The same, as long as nobody is known.
pub(super) const FIRST_QUESTIONS: Duration = Duration::from_secs(1);
/// How often everything is told to one neighbour.
const ANSWERS: Duration = Duration::from_secs(2);
/// Parts of a picture that are asked about at most: their digests fill half a message.
const PARTS: usize = 1_024;
/// How long no news has come before pictures are compared with who is new.
const QUIET: Duration = Duration::from_millis(500);
/// After which that is done although news keeps coming.
const UNREST: Duration = Duration::from_secs(5);
