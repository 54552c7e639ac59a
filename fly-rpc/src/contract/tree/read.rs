//! A tree from bytes that a peer sent: bounded by their length, and every number of a part that of a node.

use super::DOMAIN;
use crate::contract::canonical::{Content, Graph, Label, Node, Variant};

/// The graph that these bytes are the tree of.
///
/// # Errors
/// What is wrong with them. A graph that comes out may still promise parts that it does not have: who follows
/// it must look.
pub(crate) fn decode(bytes: &[u8]) -> Result<Graph, &'static str> {
    let mut rest = Rest(bytes);
    if rest.text()? != DOMAIN {
        return Err("it is written in a way that this build does not know");
    }
    let count = rest.count()?;
    let mut nodes = Vec::new();
    for _ in 0..count {
        let label = rest.label()?;
        let parts = rest.count()?;
        let parts = (0..parts).map(|_| rest.count().map(|part| (part < count).then_some(part)));
        let parts: Option<Vec<usize>> = parts.collect::<Result<_, _>>()?;
        let parts = parts.ok_or("a part of it is not there")?;
        nodes.push(Node { label, parts });
    }
    if !rest.0.is_empty() {
        return Err("something follows it");
    }
    match nodes.first() {
        Some(Node {
            label: Label::Function(_),
            ..
        }) => Ok(Graph { nodes }),
        _ => Err("it is not that of a function"),
    }
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(ENDS)?;
        self.0 = rest;
        Ok(taken)
    }

    /// A number of things, each of which takes a byte at least.
    fn count(&mut self) -> Result<usize, &'static str> {
        let (number, rest) = self.0.split_first_chunk().ok_or(ENDS)?;
        self.0 = rest;
        usize::try_from(u64::from_le_bytes(*number)).map_err(|_| ENDS)
    }

    fn text(&mut self) -> Result<&'a str, &'static str> {
        let length = self.count()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| "a text of it is not UTF-8")
    }

    fn owned(&mut self) -> Result<String, &'static str> {
        self.text().map(str::to_owned)
    }

    fn texts(&mut self) -> Result<Vec<String>, &'static str> {
        (0..self.count()?).map(|_| self.owned()).collect()
    }

    fn label(&mut self) -> Result<Label, &'static str> {
        Ok(match self.text()? {
            "function" => Label::Function(self.texts()?),
            "leaf" => {
                let name = self.text()?;
                let known = LEAVES.iter().find(|leaf| **leaf == name);
                Label::Leaf(known.ok_or("a kind of value in it is not known to this build")?)
            }
            "unit struct" => Label::UnitStruct(self.owned()?),
            "newtype" => Label::Newtype(self.owned()?),
            "option" => Label::Option,
            "seq" => Label::Seq,
            "map" => Label::Map,
            "tuple" => Label::Tuple,
            "tuple struct" => Label::TupleStruct(self.owned()?),
            "struct" => Label::Struct(self.owned()?, self.texts()?),
            "enum" => {
                let name = self.owned()?;
                let variants = (0..self.count()?).map(|_| self.variant());
                Label::Enum(name, variants.collect::<Result<_, _>>()?)
            }
            "opaque" => Label::Opaque(self.owned()?),
            _ => return Err("a kind of type in it is not known to this build"),
        })
    }

    fn variant(&mut self) -> Result<Variant, &'static str> {
        Ok(Variant {
            name: self.owned()?,
            content: match self.text()? {
                "unknown" => Content::Unknown,
                "unit" => Content::Unit,
                "newtype" => Content::Newtype,
                "tuple" => Content::Tuple,
                "struct" => Content::Struct(self.texts()?),
                _ => return Err("a kind of variant in it is not known to this build"),
            },
            parts: self.count()?,
        })
    }
}

const ENDS: &str = "it ends early";

/// The values without parts, as Rust names them.
const LEAVES: [&str; 17] = [
    "bool", "i8", "i16", "i32", "i64", "i128", "u8", "u16", "u32", "u64", "u128", "f32", "f64",
    "char", "str", "bytes", "()",
];
