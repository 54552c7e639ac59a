//! A contract for people: what the fingerprint covers, spelled like Rust.

use std::collections::HashMap;

use super::{
    canonical::{Content, Graph, Label, Variant},
    place::Identified,
};

/// The text of a function's contract. A type with a name is shown in full once and by its name afterwards; different
/// types of one name are numbered.
pub(super) fn render(graph: &Graph, function: Identified<'_>) -> String {
    let mut text = Text {
        graph,
        out: String::new(),
        names: HashMap::new(),
        shown: HashMap::new(),
        open: Vec::new(),
    };
    text.out += &format!("{}@{}(", function.name, function.version);
    let [root, ..] = graph.nodes.as_slice() else {
        return text.out;
    };
    if let Label::Function(names) = &root.label {
        text.fields(names, &root.parts);
        text.out += ") -> ";
        root.parts[names.len().min(root.parts.len())..]
            .iter()
            .for_each(|&output| text.node(output));
    }
    text.out
}

struct Text<'g> {
    graph: &'g Graph,
    out: String,
    /// How many different types have this name.
    names: HashMap<&'g str, usize>,
    /// The spelling of each type that was shown.
    shown: HashMap<usize, String>,
    /// The types that are being shown, outermost first.
    open: Vec<usize>,
}

impl<'g> Text<'g> {
    fn node(&mut self, id: usize) {
        if let Some(levels) = self.open.iter().rev().position(|&open| open == id) {
            // A type without a name inside itself: so many levels further out.
            return match self.shown.get(&id) {
                Some(name) => self.out += name,
                None => self.out += &format!("^{levels}"),
            };
        }
        self.open.push(id);
        self.type_of(id);
        self.open.pop();
    }

    fn type_of(&mut self, id: usize) {
        let node = &self.graph.nodes[id];
        match (&node.label, node.parts.as_slice()) {
            (Label::Leaf(name), _) => self.out += name,
            (Label::Opaque(name), _) => self.out += &format!("opaque {name}"),
            (Label::Option, &[inner]) => self.around("Option<", &[inner], ">"),
            (Label::Seq, &[inner]) => self.around("[", &[inner], "]"),
            (Label::Map, &[key, value]) => {
                self.around("{", &[key], ": ");
                self.around("", &[value], "}");
            }
            (Label::Tuple, parts @ [first, ..])
                if parts.len() >= ARRAY && parts.iter().all(|part| part == first) =>
            {
                self.around("[", &[*first], &format!("; {}]", parts.len()));
            }
            (Label::Tuple, &[only]) => self.around("(", &[only], ",)"),
            (Label::Tuple, parts) => self.around("(", parts, ")"),
            (Label::Enum(name, variants), &[ok, err]) if is_result(name, variants) => {
                self.around("Result<", &[ok, err], ">");
            }
            (label, parts) => self.named(id, label, parts),
        }
    }

    fn named(&mut self, id: usize, label: &'g Label, parts: &[usize]) {
        let (Label::UnitStruct(name)
        | Label::Newtype(name)
        | Label::TupleStruct(name)
        | Label::Struct(name, _)
        | Label::Enum(name, _)) = label
        else {
            return self.around("(", parts, ")");
        };
        if let Some(name) = self.shown.get(&id) {
            self.out += name;
            return;
        }
        let count = self.names.entry(name).or_default();
        *count += 1;
        let name = if *count == 1 {
            name.clone()
        } else {
            format!("{name}#{count}")
        };
        self.out += &name;
        self.shown.insert(id, name);
        match label {
            Label::Newtype(_) | Label::TupleStruct(_) => self.around("(", parts, ")"),
            Label::Struct(_, fields) => self.braced(fields, parts),
            Label::Enum(_, variants) => self.variants(variants, parts),
            _ => {}
        }
    }

    fn variants(&mut self, variants: &'g [Variant], parts: &[usize]) {
        let mut parts = parts;
        self.out += " {";
        for (index, variant) in variants.iter().enumerate() {
            self.out += if index == 0 { " " } else { " | " };
            self.out += &variant.name;
            let (own, rest) = parts.split_at(variant.parts.min(parts.len()));
            parts = rest;
            match &variant.content {
                Content::Unit => {}
                Content::Unknown => self.out += "(?)",
                Content::Newtype | Content::Tuple => self.around("(", own, ")"),
                Content::Struct(fields) => self.braced(fields, own),
            }
        }
        self.out += " }";
    }

    fn braced(&mut self, fields: &[String], parts: &[usize]) {
        if parts.is_empty() {
            self.out += " {}";
            return;
        }
        self.out += " { ";
        self.fields(fields, parts);
        self.out += " }";
    }

    fn fields(&mut self, names: &[String], parts: &[usize]) {
        for (index, (name, &part)) in names.iter().zip(parts).enumerate() {
            if index > 0 {
                self.out += ", ";
            }
            self.out += &format!("{name}: ");
            self.node(part);
        }
    }

    fn around(&mut self, before: &str, parts: &[usize], after: &str) {
        self.out += before;
        for (index, &part) in parts.iter().enumerate() {
            if index > 0 {
                self.out += ", ";
            }
            self.node(part);
        }
        self.out += after;
    }
}

fn is_result(name: &str, variants: &[Variant]) -> bool {
    let [ok, err] = variants else { return false };
    name == "Result" && ok.name == "Ok" && err.name == "Err"
}

/// From this length on, a tuple of one type is shown as an array, which it is on the wire and probably in the source.
const ARRAY: usize = 4;
