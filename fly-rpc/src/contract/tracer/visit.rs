//! What a pass does at each type that it meets: which definition it is, which arm to take, and what came of it.

use std::any::type_name;

use serde::de;

use super::{End, Failure, Fault, Frame, MAX_DEPTH, MAX_STEPS, Position, Refusal, Tracer};
use crate::contract::shape::{FULL, Form, Id, Identity, Key, Kind, Spot};

impl Tracer {
    /// Something of this kind was asked for at the open position.
    pub(super) fn meet<V: de::Visitor<'static>>(&mut self, kind: Kind) -> Result<Id, Refusal> {
        self.note(Identity::of::<V>(kind), type_name::<V::Value>())
    }

    fn note(&mut self, identity: Identity, rust_name: &'static str) -> Result<Id, Refusal> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(self.stop(Fault::TooLarge(rust_name)));
        }
        let Some(&Position { spot, .. }) = self.open.last() else {
            return Err(Refusal);
        };
        let is_split = self.split.iter().any(|name| identity.value.contains(name));
        let place = is_split.then(|| {
            self.open
                .iter()
                .map(|open| (open.spot.arm, open.spot.slot))
                .collect()
        });
        let id = self.table.intern(Key { identity, place });
        let within = self.table.definition(spot.definition).kind.is_container();
        let target = &mut self.table.edge_mut(spot).target;
        self.fresh =
            target.is_none() || (within && self.stack.last().is_some_and(|frame| frame.fresh));
        if *target.get_or_insert(id) == id {
            Ok(id)
        } else {
            Err(self.part(spot))
        }
    }

    /// The definition at `spot` turned out to have two shapes.
    fn part(&mut self, spot: Spot) -> Refusal {
        let definition = self.table.definition(spot.definition);
        match &definition.key {
            Some(Key {
                identity,
                place: None,
            }) => {
                self.split.push(identity.value);
                self.end.get_or_insert(End::Split);
                Refusal
            }
            _ => self.stop(Fault::Changing(definition.rust_name)),
        }
    }

    /// Meets a definition with arms, chooses one, and lets `read` go through it.
    pub(super) fn visit<V: de::Visitor<'static>>(
        &mut self,
        kind: Kind,
        read: impl FnOnce(&mut Self, usize) -> Result<V::Value, Refusal>,
    ) -> Result<V::Value, Refusal> {
        let id = self.meet::<V>(kind)?;
        let (arm, depth) = self.enter_arm(id)?;
        let result = read(self, arm);
        if result.is_ok() {
            self.stack.truncate(depth);
        }
        self.settle(id, arm, result.is_ok());
        result
    }

    /// Chooses an arm and opens it; also how deep it stands.
    fn enter_arm(&mut self, id: Id) -> Result<(usize, usize), Refusal> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(self.fail(Failure::Deep));
        }
        let Some(arm) = self.choose(id) else {
            return Err(self.fail(Failure::Expected));
        };
        self.stack.push(Frame {
            definition: id,
            arm,
            journal: self.journal.len(),
            height: 0,
            fresh: self.fresh,
        });
        Ok((arm, self.stack.len()))
    }

    /// Which alternative to take.
    fn choose(&mut self, id: Id) -> Option<usize> {
        let inside_itself = self.stack.iter().any(|frame| frame.definition == id);
        let definition = self.table.definition(id);
        let mut choice = None;
        if !inside_itself {
            // What has the name of a known type is opened at each new place: it may be another.
            let opens = self.fresh && definition.kind.is_container() && !definition.arms[FULL].dead;
            choice = opens
                .then_some(FULL)
                .or_else(|| definition.unexplored())
                .or_else(|| definition.route(self.pass));
            if choice.is_none() && definition.arms.len() > 1 && self.draw.attempt > 0 {
                let draw = self.draw(usize::MAX);
                choice = self.table.definition(id).varied(draw);
            }
        }
        let definition = self.table.definition(id);
        let choice = choice
            .or_else(|| definition.shortest())
            .or_else(|| definition.next_in_turn())?;
        let arm = self.table.arm_mut(id, choice);
        arm.turns += 1;
        arm.routed = self.pass;
        Some(choice)
    }

    /// Notes how the reading of an arm ended.
    fn settle(&mut self, id: Id, arm: usize, has_value: bool) {
        let is_enum = matches!(self.table.definition(id).kind, Kind::Enum(..));
        let entry = self.table.arm_mut(id, arm);
        if has_value {
            let height = self.stack.pop().map_or(1, |frame| frame.height + 1);
            entry.height = Some(entry.height.map_or(height, |known| known.min(height)));
            if let Some(outer) = self.stack.last_mut() {
                outer.height = outer.height.max(height);
            }
        }
        if self.end.is_some() {
            return;
        }
        match (has_value, self.failure) {
            (false, None) if is_enum && entry.form == Form::Unseen => {
                // It did not even look inside: there is no such variant (an alias, or another platform's).
                entry.refused = true;
                self.failure = Some(Failure::Refused);
            }
            (_, None) if !entry.explored => {
                entry.explored = true;
                self.journal.push((id, arm));
            }
            (false, Some(Failure::Expected)) if entry.dead => {
                entry.explored = true;
                let frame = self.stack.iter().rev().find(|frame| frame.definition == id);
                self.keep_from =
                    frame.map_or(self.keep_from, |frame| self.keep_from.min(frame.journal));
            }
            _ => {}
        }
    }

    /// The form of the enum arm that is being read.
    pub(super) fn form(&mut self, form: Form) -> Result<(), Refusal> {
        let Some(&Frame {
            definition, arm, ..
        }) = self.stack.last()
        else {
            return Err(Refusal);
        };
        let known = &mut self.table.arm_mut(definition, arm).form;
        if *known == Form::Unseen {
            *known = form;
        }
        if *known == form {
            return Ok(());
        }
        let spot = Spot {
            definition,
            arm,
            slot: 0,
        };
        Err(self.part(spot))
    }

    /// The slots of a dead struct that can still be seen, the last of which may be the end of the pass;
    /// `None` if the arm that is being read is not dead, or not a struct.
    pub(super) fn salvage(&self) -> Option<Vec<usize>> {
        let frame = self.stack.last()?;
        let arm = self.table.arm(frame.definition, frame.arm);
        let (true, Form::Struct(fields)) = (arm.dead, arm.form) else {
            return None;
        };
        let is_dead = |slot: &usize| {
            arm.edges
                .get(*slot)
                .is_some_and(|edge| self.table.is_dead(edge))
        };
        let spot = |slot| Spot {
            definition: frame.definition,
            arm: frame.arm,
            slot,
        };
        let (dead, live): (Vec<usize>, Vec<usize>) = (0..fields.len()).partition(is_dead);
        let promising = dead
            .into_iter()
            .find(|&slot| self.is_worth_reading(spot(slot)));
        Some(live.into_iter().chain(promising).collect())
    }

    /// A salvaged struct that gives no value is no news.
    pub(super) fn expect_failure(&mut self) {
        if self.end.is_none() {
            self.fail(Failure::Expected);
        }
    }

    /// A salvaged struct ignores this slot: its list of fields has aliases in it, and it has fewer fields than names.
    pub(super) fn is_surplus_slot(&self) -> bool {
        let open = self.open.last();
        self.salvage().is_some()
            && open.is_some_and(|open| self.table.edge(open.spot).target.is_none())
    }
}
