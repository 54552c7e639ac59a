//! A contract's graph as bytes and back (PROTOCOL.md, *The tree of a contract*).
//!
//! The fingerprint is the hash of these bytes. So whoever is given a tree can tell whether it is that of a
//! fingerprint, and what is encoded by the one is read as what the other says. Everything has its length in
//! front, so that no two graphs give the same bytes.

use super::canonical::{Content, Graph, Label};

#[cfg(any(test, feature = "cli"))]
mod read;

#[cfg(any(test, feature = "cli"))]
pub(crate) use self::read::decode;

/// The bytes of a graph whose nodes are numbered from the root: each node's label and the numbers of its parts.
pub(super) fn encode(graph: &Graph) -> Vec<u8> {
    let mut tree = Tree(Vec::new());
    tree.text(DOMAIN);
    tree.count(graph.nodes.len());
    for node in &graph.nodes {
        tree.label(&node.label);
        tree.count(node.parts.len());
        for &part in &node.parts {
            tree.count(part);
        }
    }
    tree.0
}

struct Tree(Vec<u8>);

impl Tree {
    fn count(&mut self, count: usize) {
        self.0.extend((count as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend(text.bytes());
    }

    fn texts(&mut self, texts: &[String]) {
        self.count(texts.len());
        texts.iter().for_each(|text| self.text(text));
    }

    fn label(&mut self, label: &Label) {
        let tag = match label {
            Label::Function(_) => "function",
            Label::Leaf(_) => "leaf",
            Label::UnitStruct(_) => "unit struct",
            Label::Newtype(_) => "newtype",
            Label::Option => "option",
            Label::Seq => "seq",
            Label::Map => "map",
            Label::Tuple => "tuple",
            Label::TupleStruct(_) => "tuple struct",
            Label::Struct(..) => "struct",
            Label::Enum(..) => "enum",
            Label::Opaque(_) => "opaque",
        };
        self.text(tag);
        match label {
            Label::Option | Label::Seq | Label::Map | Label::Tuple => {}
            Label::Leaf(name) => self.text(name),
            Label::UnitStruct(name)
            | Label::Newtype(name)
            | Label::TupleStruct(name)
            | Label::Opaque(name) => {
                self.text(name);
            }
            Label::Function(names) => self.texts(names),
            Label::Struct(name, fields) => {
                self.text(name);
                self.texts(fields);
            }
            Label::Enum(name, variants) => {
                self.text(name);
                self.count(variants.len());
                for variant in variants {
                    self.text(&variant.name);
                    self.content(&variant.content);
                    self.count(variant.parts);
                }
            }
        }
    }

    fn content(&mut self, content: &Content) {
        match content {
            Content::Unknown => self.text("unknown"),
            Content::Unit => self.text("unit"),
            Content::Newtype => self.text("newtype"),
            Content::Tuple => self.text("tuple"),
            Content::Struct(fields) => {
                self.text("struct");
                self.texts(fields);
            }
        }
    }
}

/// Names the way of writing; another way needs another name, or builds would take each other's types for changed ones.
const DOMAIN: &str = "fly-rpc contract 1";

/// The number of that way, for those who keep fingerprints longer than a process lives.
pub(crate) const SCHEME: u32 = 1;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use super::{super::Fingerprint, *};
    use crate::contract::{trace, tree};

    #[derive(Serialize, Deserialize)]
    struct Unit;

    #[derive(Serialize, Deserialize)]
    struct Pair(u8, i128);

    #[derive(Serialize, Deserialize)]
    enum Shape {
        Empty,
        One(Box<Self>),
        Two(char, Option<f32>),
        Named { unit: Unit, pair: Pair },
    }

    type Arguments = (Shape, BTreeMap<String, Vec<(bool, ())>>);

    fn bytes() -> Vec<u8> {
        tree::<Arguments, Result<Vec<u8>, Pair>>("f", 1, &["shape", "map"]).expect("sound")
    }

    #[test]
    fn the_scheme_is_the_number_in_the_domain() {
        assert_eq!(DOMAIN, format!("fly-rpc contract {SCHEME}"));
    }

    #[test]
    fn a_tree_comes_back_and_its_hash_is_the_fingerprint() {
        let bytes = bytes();
        let contract = trace::<Arguments, Result<Vec<u8>, Pair>>("f", 1, &["shape", "map"]);
        assert_eq!(
            Fingerprint::of(&bytes),
            contract.expect("sound").fingerprint()
        );
        assert_eq!(encode(&decode(&bytes).expect("sound")), bytes);
    }

    #[test]
    fn a_damaged_tree_is_refused_or_another_one_and_never_a_panic() {
        let whole = bytes();
        for end in 0..whole.len() {
            assert!(decode(&whole[..end]).is_err(), "cut at {end}");
        }
        for place in 0..whole.len() {
            for flipped in [0x01, 0x40, 0xff] {
                let mut damaged = whole.clone();
                damaged[place] ^= flipped;
                if let Ok(graph) = decode(&damaged) {
                    assert_eq!(encode(&graph), damaged);
                }
            }
        }
    }
}
