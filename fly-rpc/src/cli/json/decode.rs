//! From an answer's bytes to JSON, by the contract. A peer wrote both: what is made of them is bounded by the length of
//! the bytes, whatever names the contract has.

use std::collections::HashSet;

use super::{
    DEPTH, base64,
    encode::SOME,
    misfit::Path,
    shape::{self, Keys, Types},
    value::Json,
};
use crate::contract::{Content, Graph, Label, Variant};

/// An answer that cannot be shown. The function ran.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub(crate) struct Unreadable {
    path: String,
    reason: String,
}

/// The value that a function's encoded answer stands for.
///
/// # Errors
/// [`Unreadable`].
pub(crate) fn output(graph: &Graph, bytes: &[u8]) -> Result<Json, Unreadable> {
    let types = Types(graph);
    let mut decoder = Decoder {
        types,
        rest: bytes,
        path: Path::default(),
        depth: 0,
        left: (bytes.len().saturating_mul(FOR_EACH_BYTE) + BESIDE).min(MOST),
    };
    let Some(id) = types.output() else {
        return Err(decoder.fail("its contract has no value"));
    };
    let value = decoder.value(id)?;
    if decoder.rest.is_empty() {
        Ok(value)
    } else {
        Err(decoder.fail("it is longer than its contract says"))
    }
}

struct Decoder<'g, 'b> {
    types: Types<'g>,
    rest: &'b [u8],
    path: Path,
    depth: usize,
    /// Bytes of memory that may be taken: some values take no bytes of the answer.
    left: usize,
}

impl<'b> Decoder<'_, 'b> {
    fn fail(&self, reason: impl Into<String>) -> Unreadable {
        Unreadable {
            path: self.path.or("the value"),
            reason: reason.into(),
        }
    }

    fn take(&mut self, count: usize) -> Result<&'b [u8], Unreadable> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or_else(|| self.fail("it ends early"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| self.fail("it ends early"))
    }

    fn pay(&mut self, bytes: usize) -> Result<(), Unreadable> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or_else(|| self.fail("it would take too much memory"))?;
        Ok(())
    }

    /// A number of at most so many bits.
    fn number(&mut self, bits: u32) -> Result<u128, Unreadable> {
        let mut value = 0_u128;
        for shift in (0..bits).step_by(7) {
            let [byte] = self.array()?;
            let part = u128::from(byte & 0x7f);
            if shift + 7 > bits && part >> (bits - shift) != 0 {
                break;
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.fail("a number in it has too many bits"))
    }

    fn signed(&mut self, bits: u32) -> Result<Json, Unreadable> {
        let number = self.number(bits)?;
        let value = (number >> 1) as i128 ^ -((number & 1) as i128);
        Ok(Json::Number(value.to_string()))
    }

    fn unsigned(&mut self, bits: u32) -> Result<Json, Unreadable> {
        Ok(Json::Number(self.number(bits)?.to_string()))
    }

    fn count(&mut self) -> Result<usize, Unreadable> {
        let count = self.number(u64::BITS)?;
        usize::try_from(count).map_err(|_| self.fail("it ends early"))
    }

    fn bytes(&mut self) -> Result<&'b [u8], Unreadable> {
        let count = self.count()?;
        self.take(count)
    }

    fn text(&mut self) -> Result<&'b str, Unreadable> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| self.fail("a text in it is not UTF-8"))
    }

    fn bool(&mut self) -> Result<bool, Unreadable> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(self.fail("a byte in it is neither 0 nor 1")),
        }
    }

    /// A value of the type `id`.
    fn value(&mut self, id: usize) -> Result<Json, Unreadable> {
        if self.depth > DEPTH {
            return Err(self.fail("it is nested more than 128 levels deep"));
        }
        self.pay(VALUE)?;
        self.depth += 1;
        let value = self.nested(id);
        self.depth -= 1;
        value
    }

    fn nested(&mut self, id: usize) -> Result<Json, Unreadable> {
        let Some(node) = self.types.of(id) else {
            return Err(self.fail("its type never ends"));
        };
        match (&node.label, node.parts.as_slice()) {
            (Label::Leaf(name), _) => self.leaf(name),
            (Label::UnitStruct(_), _) => Ok(Json::Null),
            (Label::Option, &[inner]) => {
                if !self.bool()? {
                    return Ok(Json::Null);
                }
                if self.types.may_be_null(inner) {
                    return Ok(Json::object([(SOME, self.member(SOME, inner)?)]));
                }
                self.value(inner)
            }
            (Label::Seq, &[item]) => {
                let count = self.count()?;
                self.items((0..count).map(|_| item))
            }
            (Label::Map, &[key, value]) => self.map(key, value),
            (Label::Tuple | Label::TupleStruct(_), parts) => self.items(parts.iter().copied()),
            (Label::Struct(_, names), parts) => self.fields(names, parts),
            (Label::Enum(_, variants), parts) => self.variant(variants, parts),
            (Label::Opaque(name), _) => Err(self.fail(format!(
                "it cannot be spelled in JSON: the contract does not show what {name} is made of"
            ))),
            _ => Err(self.fail("its contract is incomplete")),
        }
    }

    fn member(&mut self, name: &str, id: usize) -> Result<Json, Unreadable> {
        self.path.enter(name);
        let value = self.value(id)?;
        self.path.leave();
        Ok(value)
    }

    fn items(&mut self, parts: impl Iterator<Item = usize>) -> Result<Json, Unreadable> {
        let mut items = Vec::new();
        for (place, part) in parts.enumerate() {
            self.path.enter_place(place);
            items.push(self.value(part)?);
            self.path.leave();
        }
        Ok(Json::List(items))
    }

    fn fields(&mut self, names: &[String], parts: &[usize]) -> Result<Json, Unreadable> {
        if names.len() != parts.len() {
            return Err(self.fail("its contract is incomplete"));
        }
        let members = names.iter().zip(parts).map(|(name, part)| {
            self.pay(name.len())?;
            let value = self.member(name, *part)?;
            Ok((name.clone(), value))
        });
        Ok(Json::Object(members.collect::<Result<_, _>>()?))
    }

    fn map(&mut self, key: usize, value: usize) -> Result<Json, Unreadable> {
        let count = self.count()?;
        let mut pairs = Vec::new();
        for place in 0..count {
            self.path.enter_place(place);
            pairs.push((self.value(key)?, self.value(value)?));
            self.path.leave();
        }
        let mut names = HashSet::new();
        let has_names = self.types.keys(key) == Keys::Names
            // A list of pairs may travel as a map: then a name may come twice.
            && pairs.iter().all(|(key, _)| names.insert(name(key)));
        if has_names {
            let members = pairs.into_iter().map(|(key, value)| (name(&key), value));
            return Ok(Json::Object(members.collect()));
        }
        let pairs = pairs
            .into_iter()
            .map(|(key, value)| Json::List(vec![key, value]));
        Ok(Json::List(pairs.collect()))
    }

    fn variant(&mut self, variants: &[Variant], parts: &[usize]) -> Result<Json, Unreadable> {
        let number = usize::try_from(self.number(u32::BITS)?).unwrap_or(usize::MAX);
        let Some(variant) = variants.get(number) else {
            return Err(self.fail(format!(
                "it has variant {number}, its type has {}",
                variants.len()
            )));
        };
        let before = shape::parts_before(variants, number);
        let own = parts.get(before..before.saturating_add(variant.parts));
        let own = own.unwrap_or_default();
        self.pay(variant.name.len())?;
        if variant.content == Content::Unit {
            return Ok(Json::text(&variant.name));
        }
        self.path.enter(&variant.name);
        let content = match (&variant.content, own) {
            (Content::Newtype, &[inner]) => self.value(inner)?,
            (Content::Tuple, own) if own.len() == variant.parts => {
                self.items(own.iter().copied())?
            }
            (Content::Struct(names), own) => self.fields(names, own)?,
            _ => return Err(self.fail("the contract does not show what it is made of")),
        };
        self.path.leave();
        Ok(Json::Object(vec![(variant.name.clone(), content)]))
    }

    fn leaf(&mut self, name: &str) -> Result<Json, Unreadable> {
        Ok(match name {
            "bool" => Json::Bool(self.bool()?),
            "u8" => Json::number(self.array::<1>()?[0]),
            "u16" => self.unsigned(16)?,
            "u32" => self.unsigned(32)?,
            "u64" => self.unsigned(64)?,
            "u128" => self.unsigned(128)?,
            "i8" => Json::number(i8::from_le_bytes(self.array()?)),
            "i16" => self.signed(16)?,
            "i32" => self.signed(32)?,
            "i64" => self.signed(64)?,
            "i128" => self.signed(128)?,
            "f32" => {
                let value = f32::from_le_bytes(self.array()?);
                float(value.into(), || format!("{value:?}"))
            }
            "f64" => {
                let value = f64::from_le_bytes(self.array()?);
                float(value, || format!("{value:?}"))
            }
            "str" => Json::text(self.text()?),
            "char" => {
                let text = self.text()?;
                if text.chars().count() != 1 {
                    return Err(self.fail("a letter in it is none"));
                }
                Json::text(text)
            }
            "bytes" => Json::Text(base64::encode(self.bytes()?)),
            _ => Json::Null,
        })
    }
}

fn float(value: f64, digits: impl FnOnce() -> String) -> Json {
    let is_it = |special: f64| special == value || special.is_nan() && value.is_nan();
    match SPECIAL.iter().find(|(_, special)| is_it(*special)) {
        Some((name, _)) => Json::text(*name),
        None => Json::Number(digits()),
    }
}

/// A key as the name of a member.
fn name(key: &Json) -> String {
    match key {
        Json::Text(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Floats that are no numbers, and how they are spelled (as in the JSON form of protocol buffers).
pub(super) const SPECIAL: [(&str, f64); 3] = [
    ("NaN", f64::NAN),
    ("Infinity", f64::INFINITY),
    ("-Infinity", f64::NEG_INFINITY),
];

/// What a value takes: itself, what holds it, and the digits of a number.
const VALUE: usize = 96;
/// Bytes of memory that one byte may stand for: a struct of structs of one byte is several values.
const FOR_EACH_BYTE: usize = 512;
/// Beside those: units, which take no bytes.
const BESIDE: usize = 16 << 20;
/// Of any answer.
const MOST: usize = 1 << 30;
