//! Where in a function's types something stands, in words.

use super::{
    ContractError,
    shape::{Kind, Spot, Table},
    tracer::{Fault, MAX_DEPTH, MAX_STEPS},
};

/// A function as it is written in errors and texts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identified<'a> {
    pub(super) name: &'a str,
    pub(super) version: u32,
    pub(super) parameters: &'a [&'static str],
    /// The Rust types of the arguments, in order.
    pub(super) types: &'a [&'static str],
    /// The Rust type of the return value.
    pub(super) output: &'static str,
}

/// The error for a fault that was met at the end of `path`.
pub(super) fn error(
    table: &Table,
    function: Identified<'_>,
    fault: Fault,
    path: &[Spot],
) -> ContractError {
    let place = words(table, function.parameters, path);
    let whole = whole_type(table, function, path);
    let function = format!("{}@{}", function.name, function.version);
    match fault {
        // Derived code reads into a type of serde's own first, which would tell nobody anything.
        Fault::NeedsSelfDescribing(name) => ContractError::NeedsSelfDescribing {
            function,
            place,
            rust_type: whole
                .filter(|_| name.contains("::private::"))
                .unwrap_or(name)
                .to_owned(),
        },
        Fault::ShapeDiffers(name, difference) => ContractError::ShapeDiffers {
            function,
            place,
            rust_type: name.to_owned(),
            difference,
        },
        Fault::Changing(name) => ContractError::Changing {
            function,
            place,
            rust_type: name.to_owned(),
        },
        Fault::TooDeep(name) => ContractError::TooDeep {
            function,
            place,
            rust_type: name.to_owned(),
            limit: MAX_DEPTH,
        },
        Fault::TooLarge(name) => ContractError::TooLarge {
            function,
            place,
            rust_type: name.to_owned(),
            limit: MAX_STEPS,
        },
    }
}

/// The Rust type at the end of `path`, if that is a whole argument or the return value.
fn whole_type(table: &Table, function: Identified<'_>, path: &[Spot]) -> Option<&'static str> {
    let spot = path.last()?;
    match table.definition(spot.definition).kind {
        Kind::Function if spot.arm == Table::OUTPUT => Some(function.output),
        Kind::Function => function.types.get(spot.slot).copied(),
        _ => None,
    }
}

/// `path` from the function inwards: "argument `post`, field `Post.author`, variant `Author::Known`".
pub(super) fn words(table: &Table, parameters: &[&str], path: &[Spot]) -> String {
    let mut words = Vec::new();
    for spot in path {
        let definition = table.definition(spot.definition);
        match definition.kind {
            Kind::Function if spot.arm == Table::OUTPUT => {
                words.push("the return value".to_owned())
            }
            Kind::Function => {
                let name = parameters.get(spot.slot).copied().unwrap_or("_");
                words.push(format!("argument `{name}`"));
            }
            Kind::Struct(name, fields) => {
                let field = table
                    .edge(*spot)
                    .serialized
                    .or(fields.get(spot.slot).copied())
                    .unwrap_or("_");
                words.push(format!("field `{name}.{field}`"));
            }
            Kind::TupleStruct(name, _) => words.push(format!("field `{name}.{}`", spot.slot)),
            Kind::Enum(name, variants) => {
                let variant = variants.get(spot.arm).copied().unwrap_or("_");
                words.push(format!("variant `{name}::{variant}`"));
            }
            _ => {}
        }
    }
    if words.is_empty() {
        return "the arguments".to_owned();
    }
    if words.len() > MAX_WORDS {
        words.truncate(MAX_WORDS);
        words.push("and so on".to_owned());
    }
    words.join(", ")
}

/// The name under which an opaque type is known: its own, without what is around it and does not travel. Where serde's derive
/// put a wrapper of its own around a `with` (called the same at every field), it is that of the type asked for.
pub(super) fn opaque_name(rust_name: &'static str, asked: Option<&'static str>) -> &'static str {
    if rust_name.contains("__DeserializeWith") {
        return asked.unwrap_or(rust_name);
    }
    let inside = |prefix: &&str| rust_name.strip_prefix(prefix)?.strip_suffix('>');
    match WRAPPERS.iter().find_map(inside) {
        Some(inner) => opaque_name(inner, asked),
        None => rust_name,
    }
}

/// Types that serde reads by reading what is inside.
const WRAPPERS: [&str; 4] = [
    "core::option::Option<",
    "alloc::boxed::Box<",
    "alloc::sync::Arc<",
    "alloc::rc::Rc<",
];

/// Steps of a path that are worth reading.
const MAX_WORDS: usize = 12;
