//! What stands at a position of a contract, in the words and forms of JSON.

use crate::contract::{Content, Graph, Label, Node, Variant};

/// The types of a contract, looked at for JSON.
#[derive(Clone, Copy, Debug)]
pub(super) struct Types<'g>(pub(super) &'g Graph);

/// How the keys of a map are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// As names of members.
    Names,
    /// Each with its value in an array of two.
    Pairs,
}

impl<'g> Types<'g> {
    /// The parameters, and the types of the arguments.
    pub(super) fn arguments(self) -> (&'g [String], &'g [usize]) {
        match self.0.nodes.first() {
            Some(Node {
                label: Label::Function(names),
                parts,
            }) => (names, parts.get(..names.len()).unwrap_or_default()),
            _ => (&[], &[]),
        }
    }

    /// The type of the value, if the contract has one.
    pub(super) fn output(self) -> Option<usize> {
        let (names, _) = self.arguments();
        self.0.nodes.first()?.parts.get(names.len()).copied()
    }

    /// True if the value is a `Result`.
    pub(super) fn is_result(self) -> bool {
        let node = self.output().and_then(|id| self.of(id));
        node.is_some_and(|node| match &node.label {
            Label::Enum(name, variants) => {
                let names: Vec<&str> = variants.iter().map(|it| it.name.as_str()).collect();
                name == "Result" && names == ["Ok", "Err"]
            }
            _ => false,
        })
    }

    /// What stands there, behind newtypes, which are nothing in either form; `None` for newtypes of themselves.
    pub(super) fn of(self, mut id: usize) -> Option<&'g Node> {
        for _ in 0..=self.0.nodes.len() {
            let node = self.0.nodes.get(id)?;
            match (&node.label, node.parts.as_slice()) {
                (Label::Newtype(_), &[inner]) => id = inner,
                _ => return Some(node),
            }
        }
        None
    }

    /// True if `null` can stand there, so that it does not say that an option is empty.
    pub(super) fn may_be_null(self, id: usize) -> bool {
        self.of(id).is_some_and(|node| {
            matches!(
                node.label,
                Label::Option | Label::UnitStruct(_) | Label::Leaf("()")
            )
        })
    }

    /// How a map with these keys is written.
    pub(super) fn keys(self, id: usize) -> Keys {
        let is_name = self.of(id).is_some_and(|node| match &node.label {
            Label::Leaf(name) => !matches!(*name, "()" | "bytes" | "f32" | "f64"),
            Label::Enum(_, variants) => variants
                .iter()
                .all(|variant| variant.content == Content::Unit),
            _ => false,
        });
        if is_name { Keys::Names } else { Keys::Pairs }
    }

    /// What is expected there.
    pub(super) fn words(self, id: usize) -> String {
        let Some(node) = self.of(id) else {
            return "a value that ends".to_owned();
        };
        match (&node.label, node.parts.as_slice()) {
            (Label::Leaf(name), _) => leaf(name),
            (Label::UnitStruct(_), _) => "null".to_owned(),
            (Label::Option, &[inner]) if self.may_be_null(inner) => {
                "null or {\"Some\": …}".to_owned()
            }
            (Label::Option, &[inner]) => format!("null or {}", self.words_inside(inner)),
            (Label::Seq, _) => "an array".to_owned(),
            (Label::Map, &[key, _]) if self.keys(key) == Keys::Names => "an object".to_owned(),
            (Label::Map, _) => "an array of [key, value] pairs".to_owned(),
            (Label::Tuple | Label::TupleStruct(_), parts) => format!("an array of {}", parts.len()),
            (Label::Struct(name, fields), _) if fields.is_empty() => {
                format!("an empty object ({name})")
            }
            (Label::Struct(name, fields), _) => {
                format!("an object with {} ({name})", fields.join(", "))
            }
            (Label::Enum(name, variants), _) => {
                format!("{} ({name})", alternatives(variants))
            }
            _ => "a value".to_owned(),
        }
    }

    /// The same for the value of an option: no option again, so it ends.
    fn words_inside(self, id: usize) -> String {
        match self.of(id).map(|node| &node.label) {
            Some(Label::Option) | None => "a value".to_owned(),
            Some(_) => self.words(id),
        }
    }
}

/// How many parts of an enum are those of the variants before this one. A peer wrote the numbers.
pub(super) fn parts_before(variants: &[Variant], number: usize) -> usize {
    let before = variants.iter().take(number);
    before.fold(0, |sum, variant| sum.saturating_add(variant.parts))
}

fn leaf(name: &str) -> String {
    let whole = |low: String, high: String| format!("a whole number from {low} to {high} ({name})");
    macro_rules! range {
        ($integer:ident) => {
            whole($integer::MIN.to_string(), $integer::MAX.to_string())
        };
    }
    match name {
        "bool" => "true or false".to_owned(),
        "u8" => range!(u8),
        "u16" => range!(u16),
        "u32" => range!(u32),
        "u64" => range!(u64),
        "u128" => range!(u128),
        "i8" => range!(i8),
        "i16" => range!(i16),
        "i32" => range!(i32),
        "i64" => range!(i64),
        "i128" => range!(i128),
        "f32" | "f64" => format!("a number ({name})"),
        "char" => "a text of one letter (char)".to_owned(),
        "str" => "a text".to_owned(),
        "bytes" => "a text in base64, or an array of bytes".to_owned(),
        _ => "null".to_owned(),
    }
}

/// How the variants of an enum are spelled.
fn alternatives(variants: &[Variant]) -> String {
    let spelled: Vec<String> = variants
        .iter()
        .map(|variant| match variant.content {
            Content::Unit => format!("\"{}\"", variant.name),
            _ => format!("{{\"{}\": …}}", variant.name),
        })
        .collect();
    match spelled.as_slice() {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
