//! The table of definitions that a walk fills: one entry per type, positions that refer to it.
//!
//! A table and not a tree, because types share and recurse: a tree would be exponential for the first and endless
//! for the second. How many entries a type gets does not matter to the result (`canonical.rs` merges equal ones), so
//! the key errs on the side of telling types apart.

use std::{any::type_name, collections::HashMap};

use serde::de::Visitor;

/// Index of a definition in its [`Table`].
pub(super) type Id = usize;

/// What one `deserialize_*` call of serde asked for, without what is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// The root: one arm holds the arguments, the other one the return value.
    Function,
    /// A value without parts, named as Rust names it.
    Leaf(&'static str),
    UnitStruct(&'static str),
    Newtype(&'static str),
    Option,
    Seq,
    Map,
    Tuple(usize),
    TupleStruct(&'static str, usize),
    Struct(&'static str, &'static [&'static str]),
    Enum(&'static str, &'static [&'static str]),
}

impl Kind {
    /// Whether it is known by what is in it.
    pub(super) fn is_container(self) -> bool {
        matches!(
            self,
            Self::Option | Self::Seq | Self::Map | Self::Newtype(_)
        )
    }
}

/// The arm of an option, sequence or map that has something in it; the other one has nothing.
pub(super) const FULL: usize = 0;

/// Two calls with one identity are taken for the same type.
///
/// `type_name` alone may lie (two versions of one crate, types inside closures, a visitor whose `Value` is not the type),
/// hence the rest. Where all of it agrees and the parts still differ, the walk notices and tells the two apart by place. What
/// remains is a pair of enums that share all this and differ only inside a variant that is not opened twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    kind: Kind,
    /// The Rust name of what is read.
    pub(super) value: &'static str,
    visitor: &'static str,
    size: usize,
}

impl Identity {
    pub(super) fn of<V: Visitor<'static>>(kind: Kind) -> Self {
        Self {
            kind,
            value: type_name::<V::Value>(),
            visitor: type_name::<V>(),
            size: size_of::<V::Value>(),
        }
    }
}

/// A position inside a definition: this slot of this arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Spot {
    pub(super) definition: Id,
    pub(super) arm: usize,
    pub(super) slot: usize,
}

/// An identity, and where it stands if the identity alone was found not to be enough.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) identity: Identity,
    pub(super) place: Option<Vec<(usize, usize)>>,
}

/// One type: its kind, and the alternatives a value of it can take.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) kind: Kind,
    /// The Rust name of the type, for errors and opaque leaves only.
    pub(super) rust_name: &'static str,
    /// `None` for the root, which is not asked for by any visitor.
    pub(super) key: Option<Key>,
    /// Variants of an enum, [`FULL`] and empty of a container, one arm of a product, none of a leaf.
    pub(super) arms: Vec<Arm>,
    /// No value of it can be built from samples.
    pub(super) barren: bool,
    /// Steps to the nearest arm that was not walked yet.
    pub(super) distance: Option<u32>,
}

/// How the content of an arm is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Form {
    #[default]
    Unseen,
    Unit,
    Newtype,
    Tuple(usize),
    Struct(&'static [&'static str]),
}

/// One alternative of a type.
#[derive(Debug, Default)]
pub(super) struct Arm {
    pub(super) form: Form,
    pub(super) edges: Vec<Edge>,
    /// The variant's name as serializing spells it.
    pub(super) serialized: Option<&'static str>,
    /// Walked to its end at least once, in a pass that gave a value (or can never give one).
    pub(super) explored: bool,
    /// The type does not take this alternative at all.
    pub(super) refused: bool,
    /// Cannot be built: refused, or something in it cannot be built.
    pub(super) dead: bool,
    /// Depth of the shallowest value built through this arm.
    pub(super) height: Option<u32>,
    /// How often it was chosen.
    pub(super) turns: u32,
    /// The last pass that came through here on its way to an unexplored arm.
    pub(super) routed: u32,
    distance: Option<u32>,
}

/// One position: what stands there and what is known about finding a value for it.
#[derive(Debug, Default)]
pub(super) struct Edge {
    pub(super) target: Option<Id>,
    /// The field's name as serializing spells it.
    pub(super) serialized: Option<&'static str>,
    /// How many ways of choosing samples were refused here.
    pub(super) attempt: usize,
    /// The last attempt that was accepted.
    pub(super) accepted: usize,
    /// Every attempt was refused: the Rust name of the type that did it.
    pub(super) opaque: Option<&'static str>,
}

/// All definitions of one function; the root is number 0.
#[derive(Debug)]
pub(super) struct Table {
    definitions: Vec<Definition>,
    ids: HashMap<Key, Id>,
}

impl Table {
    /// The function itself.
    pub(super) const ROOT: Id = 0;
    /// The arm of the root with a slot for each argument.
    pub(super) const ARGUMENTS: usize = 0;
    /// The arm of the root whose slot is the return value.
    pub(super) const OUTPUT: usize = 1;

    pub(super) fn new() -> Self {
        let root = Definition::new(Kind::Function, "function", None);
        Self {
            definitions: vec![root],
            ids: HashMap::new(),
        }
    }

    pub(super) fn definition(&self, id: Id) -> &Definition {
        &self.definitions[id]
    }

    /// The definition of `key`, made if it is new.
    pub(super) fn intern(&mut self, key: Key) -> Id {
        if let Some(&id) = self.ids.get(&key) {
            return id;
        }
        let id = self.definitions.len();
        let Identity { kind, value, .. } = key.identity;
        self.definitions
            .push(Definition::new(kind, value, Some(key.clone())));
        self.ids.insert(key, id);
        id
    }

    pub(super) fn arm(&self, id: Id, arm: usize) -> &Arm {
        &self.definitions[id].arms[arm]
    }

    pub(super) fn arm_mut(&mut self, id: Id, arm: usize) -> &mut Arm {
        &mut self.definitions[id].arms[arm]
    }

    pub(super) fn edge(&self, spot: Spot) -> &Edge {
        &self.arm(spot.definition, spot.arm).edges[spot.slot]
    }

    /// The edge at `spot`, made if the walk comes here for the first time.
    pub(super) fn edge_mut(&mut self, spot: Spot) -> &mut Edge {
        let edges = &mut self.arm_mut(spot.definition, spot.arm).edges;
        if edges.len() <= spot.slot {
            edges.resize_with(spot.slot + 1, Edge::default);
        }
        &mut edges[spot.slot]
    }

    /// Nothing can be built at this position.
    pub(super) fn is_dead(&self, edge: &Edge) -> bool {
        edge.opaque.is_some() || edge.target.is_some_and(|id| self.definitions[id].barren)
    }

    /// Brings `dead`, `barren` and `distance` up to date with what the passes found. Parts usually have larger numbers
    /// than what holds them, so going backwards a few rounds are enough.
    pub(super) fn survey(&mut self) {
        for definition in &mut self.definitions {
            definition.distance = None;
        }
        let mut changed = true;
        while changed {
            changed = false;
            for id in (0..self.definitions.len()).rev() {
                for arm in 0..self.definitions[id].arms.len() {
                    let (dead, distance) = self.prospects(&self.definitions[id].arms[arm]);
                    let arm = self.arm_mut(id, arm);
                    (arm.dead, arm.distance) = (dead, distance);
                }
                let definition = &mut self.definitions[id];
                let barren = definition.is_barren();
                let distance = definition.arms.iter().filter_map(|arm| arm.distance).min();
                changed |= (definition.barren, definition.distance) != (barren, distance);
                (definition.barren, definition.distance) = (barren, distance);
            }
        }
    }

    /// Whether an arm is dead, and how far it is through it to something new.
    fn prospects(&self, arm: &Arm) -> (bool, Option<u32>) {
        if arm.refused {
            return (true, None);
        }
        let dead = arm.edges.iter().position(|edge| self.is_dead(edge));
        if !arm.explored {
            return (dead.is_some(), Some(0));
        }
        // The fields of a struct can be asked for in any order; of a tuple nothing behind a dead element can be seen.
        let reach = match (arm.form, dead) {
            (Form::Struct(_), _) | (_, None) => arm.edges.len(),
            (_, Some(first)) => first + 1,
        };
        let open = arm.edges[..reach]
            .iter()
            .filter(|edge| edge.opaque.is_none());
        let distances = open.filter_map(|edge| self.definitions[edge.target?].distance);
        (
            dead.is_some(),
            distances.min().map(|steps| steps.saturating_add(1)),
        )
    }
}

impl Definition {
    fn new(kind: Kind, rust_name: &'static str, key: Option<Key>) -> Self {
        let form = |form| Arm {
            form,
            ..Arm::default()
        };
        let empty = Arm {
            form: Form::Unit,
            height: Some(1),
            ..Arm::default()
        };
        let arms = match kind {
            Kind::Leaf(_) | Kind::UnitStruct(_) => Vec::new(),
            Kind::Function => vec![form(Form::Newtype), form(Form::Newtype)],
            Kind::Newtype(_) => vec![form(Form::Newtype)],
            Kind::Option | Kind::Seq => vec![form(Form::Newtype), empty],
            Kind::Map => vec![form(Form::Tuple(2)), empty],
            Kind::Tuple(len) | Kind::TupleStruct(_, len) => vec![form(Form::Tuple(len))],
            Kind::Struct(_, fields) => vec![form(Form::Struct(fields))],
            Kind::Enum(_, variants) => variants.iter().map(|_| Arm::default()).collect(),
        };
        Self {
            kind,
            rust_name,
            key,
            arms,
            barren: false,
            distance: None,
        }
    }

    fn is_barren(&self) -> bool {
        match self.kind {
            Kind::Leaf(_) | Kind::UnitStruct(_) => false,
            _ => self.arms.iter().all(|arm| arm.dead),
        }
    }

    /// The first arm that was never walked.
    pub(super) fn unexplored(&self) -> Option<usize> {
        self.arms
            .iter()
            .position(|arm| !arm.explored && !arm.refused)
    }

    /// The arm that leads soonest to something new, unless this pass has been through it.
    pub(super) fn route(&self, pass: u32) -> Option<usize> {
        let arms = self
            .arms
            .iter()
            .enumerate()
            .filter(|(_, arm)| arm.routed != pass);
        let nearest = arms
            .filter_map(|(index, arm)| Some((arm.distance?, index)))
            .min();
        nearest.map(|(_, index)| index)
    }

    /// The arm that is known to end soonest.
    pub(super) fn shortest(&self) -> Option<usize> {
        let live = self.arms.iter().enumerate().filter(|(_, arm)| !arm.dead);
        live.filter_map(|(index, arm)| Some((arm.height?, index)))
            .min()
            .map(|(_, index)| index)
    }

    /// The arm that was chosen least often, live ones first.
    pub(super) fn next_in_turn(&self) -> Option<usize> {
        let arms = self.arms.iter().enumerate().filter(|(_, arm)| !arm.refused);
        arms.min_by_key(|(_, arm)| (arm.dead, arm.turns))
            .map(|(index, _)| index)
    }

    /// The live arm that the `draw`th attempt takes.
    pub(super) fn varied(&self, draw: usize) -> Option<usize> {
        let live: Vec<usize> = (0..self.arms.len())
            .filter(|&index| !self.arms[index].dead)
            .collect();
        live.get(draw.checked_rem(live.len())?).copied()
    }
}
