//! The contract itself: the graph of definitions reduced to what travels, in one form.
//!
//! Two graphs mean the same if they unfold to the same (maybe endless) tree. So equal parts are merged, however many Rust types
//! and modules they came from, and what is left is numbered from the root. The fingerprint then depends neither on the order in which
//! types were met, nor on how often the walk told them apart.

use std::collections::HashMap;

use super::{
    place::Identified,
    shape::{Arm, Edge, Form, Kind, Table},
};

/// A contract as a graph; node 0 is the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
}

/// One type: what it is, and the nodes of its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) label: Label,
    pub(crate) parts: Vec<usize>,
}

/// What a node is, without its parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Label {
    /// Parameters by name, then the return value.
    Function(Vec<String>),
    Leaf(&'static str),
    UnitStruct(String),
    Newtype(String),
    Option,
    Seq,
    Map,
    Tuple,
    TupleStruct(String),
    Struct(String, Vec<String>),
    Enum(String, Vec<Variant>),
    /// Known by its Rust name only; its part is what it asks for, as far as that was seen.
    Opaque(String),
}

/// A variant: its name and how many parts of the enum's are its.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Variant {
    pub(crate) name: String,
    pub(crate) content: Content,
    pub(crate) parts: usize,
}

/// How a variant's content is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Content {
    /// Never built: this build does not take the variant, or has no value for it.
    Unknown,
    Unit,
    Newtype,
    Tuple,
    Struct(Vec<String>),
}

impl Graph {
    pub(super) fn new(table: &Table, function: Identified<'_>) -> Self {
        let mut builder = Builder {
            table,
            nodes: Vec::new(),
            known: HashMap::new(),
        };
        builder.function(function);
        Self {
            nodes: builder.nodes,
        }
        .merged()
        .numbered()
    }

    /// One node for each set of equal ones: told apart by label first, then by the sets of their parts, until that
    /// tells no more apart.
    fn merged(self) -> Self {
        let mut classes = classify(self.nodes.iter().map(|node| &node.label));
        loop {
            let parts = |node: &Node| {
                node.parts
                    .iter()
                    .map(|&part| classes.of[part])
                    .collect::<Vec<_>>()
            };
            let finer = classify(
                self.nodes
                    .iter()
                    .enumerate()
                    .map(|(id, node)| (classes.of[id], parts(node))),
            );
            if finer.count == classes.count {
                break;
            }
            classes = finer;
        }
        let mut nodes = vec![None; classes.count];
        for (id, Node { label, parts }) in self.nodes.into_iter().enumerate() {
            let parts = parts.into_iter().map(|part| classes.of[part]).collect();
            nodes[classes.of[id]].get_or_insert(Node { label, parts });
        }
        Self {
            nodes: nodes.into_iter().flatten().collect(),
        }
    }

    /// Numbers in the order in which a walk from the root, depth first, comes to the nodes.
    fn numbered(self) -> Self {
        let mut order = Vec::new();
        let mut number = vec![None; self.nodes.len()];
        let mut ahead = vec![0];
        while let Some(id) = ahead.pop() {
            if number[id].is_none() {
                number[id] = Some(order.len());
                order.push(id);
                ahead.extend(self.nodes[id].parts.iter().rev());
            }
        }
        let nodes = order.into_iter().map(|id| {
            let Node { label, parts } = &self.nodes[id];
            Node {
                label: label.clone(),
                parts: parts.iter().filter_map(|&part| number[part]).collect(),
            }
        });
        Self {
            nodes: nodes.collect(),
        }
    }
}

/// Which class each node is in; classes are numbered as they first appear.
struct Classes {
    of: Vec<usize>,
    count: usize,
}

fn classify<T: Eq + std::hash::Hash>(marks: impl Iterator<Item = T>) -> Classes {
    let mut known = HashMap::new();
    let of = marks.map(|mark| {
        let next = known.len();
        *known.entry(mark).or_insert(next)
    });
    let of = of.collect();
    Classes {
        of,
        count: known.len(),
    }
}

/// Turns definitions into nodes.
struct Builder<'t> {
    table: &'t Table,
    nodes: Vec<Node>,
    known: HashMap<usize, usize>,
}

impl Builder<'_> {
    fn push(&mut self, label: Label, parts: Vec<usize>) -> usize {
        self.nodes.push(Node { label, parts });
        self.nodes.len() - 1
    }

    fn function(&mut self, function: Identified<'_>) {
        let root = self.push(Label::Function(Vec::new()), Vec::new());
        let [arguments, output] = [Table::ARGUMENTS, Table::OUTPUT]
            .map(|arm| self.table.arm(Table::ROOT, arm).edges.as_slice());
        let mut parts: Vec<usize> = arguments.iter().map(|edge| self.edge(edge)).collect();
        let names = (0..parts.len()).map(|slot| {
            function
                .parameters
                .get(slot)
                .copied()
                .unwrap_or("_")
                .to_owned()
        });
        let names = names.collect();
        parts.extend(output.iter().map(|edge| self.edge(edge)));
        self.nodes[root] = Node {
            label: Label::Function(names),
            parts,
        };
    }

    fn edge(&mut self, edge: &Edge) -> usize {
        let target = edge.target.map(|id| self.definition(id));
        match (edge.opaque, target) {
            (Some(name), asked) => {
                self.push(Label::Opaque(name.to_owned()), asked.into_iter().collect())
            }
            (None, Some(target)) => target,
            (None, None) => self.push(Label::Leaf("()"), Vec::new()),
        }
    }

    /// The parts of an arm that has `len` of them; those behind an opaque one have but the name of the whole.
    fn product(&mut self, arm: &Arm, len: usize, rust_name: &str) -> Vec<usize> {
        let mut parts: Vec<usize> = arm.edges.iter().map(|edge| self.edge(edge)).collect();
        if arm.dead && !matches!(arm.form, Form::Struct(_)) {
            for hidden in parts.len()..len {
                parts.push(self.push(
                    Label::Opaque(format!("part {hidden} of {rust_name}")),
                    Vec::new(),
                ));
            }
        }
        parts
    }

    fn definition(&mut self, id: usize) -> usize {
        if let Some(&node) = self.known.get(&id) {
            return node;
        }
        let node = self.push(Label::Leaf("()"), Vec::new());
        self.known.insert(id, node);
        self.nodes[node] = self.node(id);
        node
    }

    fn node(&mut self, id: usize) -> Node {
        let table = self.table;
        let definition = table.definition(id);
        let first = definition.arms.first();
        let full = || first.map(|arm| arm.edges.as_slice()).unwrap_or_default();
        let (label, len) = match definition.kind {
            Kind::Enum(name, variants) => {
                return self.enumeration(name, variants, definition.rust_name, &definition.arms);
            }
            Kind::Leaf(name) => (Label::Leaf(name), 0),
            Kind::Seq if table.is_byte(full().first()) => {
                return Node {
                    label: Label::Leaf("bytes"),
                    parts: Vec::new(),
                };
            }
            Kind::UnitStruct(name) => (Label::UnitStruct(name.to_owned()), 0),
            Kind::Newtype(name) => (Label::Newtype(name.to_owned()), 1),
            Kind::Option => (Label::Option, 1),
            Kind::Seq => (Label::Seq, 1),
            Kind::Map => (Label::Map, 2),
            Kind::Tuple(len) => (Label::Tuple, len),
            Kind::TupleStruct(name, len) => (Label::TupleStruct(name.to_owned()), len),
            Kind::Struct(name, fields) => {
                (Label::Struct(name.to_owned(), names(full(), fields)), 0)
            }
            Kind::Function => (Label::Function(Vec::new()), 0),
        };
        let parts = first
            .map(|arm| self.product(arm, len, definition.rust_name))
            .unwrap_or_default();
        Node { label, parts }
    }

    fn enumeration(
        &mut self,
        name: &str,
        names_read: &[&str],
        rust_name: &str,
        arms: &[Arm],
    ) -> Node {
        // Refused numbers at the end are those of aliases, which are names and no variants.
        let count = arms
            .iter()
            .rposition(|arm| !arm.refused)
            .map_or(0, |last| last + 1);
        let mut variants = Vec::new();
        let mut parts = Vec::new();
        for (arm, read) in arms.iter().zip(names_read).take(count) {
            let (content, len) = match arm.form {
                Form::Unseen => (Content::Unknown, 0),
                Form::Unit => (Content::Unit, 0),
                Form::Newtype => (Content::Newtype, 1),
                Form::Tuple(len) => (Content::Tuple, len),
                Form::Struct(fields) => (Content::Struct(names(&arm.edges, fields)), 0),
            };
            let own = self.product(arm, len, rust_name);
            let name = arm.serialized.unwrap_or(read).to_owned();
            variants.push(Variant {
                name,
                content,
                parts: own.len(),
            });
            parts.extend(own);
        }
        Node {
            label: Label::Enum(name.to_owned(), variants),
            parts,
        }
    }
}

impl Table {
    fn is_byte(&self, edge: Option<&Edge>) -> bool {
        let target = edge
            .filter(|edge| edge.opaque.is_none())
            .and_then(|edge| edge.target);
        target.is_some_and(|id| self.definition(id).kind == Kind::Leaf("u8"))
    }
}

/// The names of the fields at `edges`: as they are written, if that was seen, since the list for reading may have aliases in it.
fn names(edges: &[Edge], fields: &[&str]) -> Vec<String> {
    let name = |(slot, edge): (usize, &Edge)| {
        edge.serialized
            .or(fields.get(slot).copied())
            .unwrap_or("_")
            .to_owned()
    };
    edges.iter().enumerate().map(name).collect()
}
