//! From JSON to the bytes that serde and postcard would write, by the contract. Strict: nothing is guessed, cut or
//! left out.

use super::{
    DEPTH, base64,
    misfit::{Misfit, Path},
    shape::{self, Keys, Types},
    value::Json,
};
use crate::contract::{Content, Graph, Label, Variant};

/// The encoded arguments that `json` spells: an object by the parameters' names, or an array in their order.
///
/// # Errors
/// [`Misfit`]: the first thing that does not fit.
pub(crate) fn arguments(graph: &Graph, json: &Json) -> Result<Vec<u8>, Misfit> {
    let types = Types(graph);
    let (names, parts) = types.arguments();
    let mut encoder = Encoder {
        types,
        out: Vec::new(),
        path: Path::default(),
        depth: 0,
    };
    match json {
        Json::Object(members) => encoder.fields(names, parts, members)?,
        Json::List(items) if items.len() == parts.len() => encoder.items(parts, items)?,
        other => {
            let expected = match names {
                [] => "an empty object, or nothing".to_owned(),
                names => format!(
                    "an object with {}, or an array of {}",
                    names.join(", "),
                    names.len()
                ),
            };
            return Err(encoder.wrong(expected, other.words()));
        }
    }
    Ok(encoder.out)
}

struct Encoder<'g> {
    types: Types<'g>,
    out: Vec<u8>,
    path: Path,
    depth: usize,
}

impl Encoder<'_> {
    fn wrong(&self, expected: String, came: String) -> Misfit {
        Misfit::Wrong {
            path: self.path.or(WHOLE),
            expected,
            came,
        }
    }

    fn misfit(&self, id: usize, json: &Json) -> Misfit {
        self.wrong(self.types.words(id), json.words())
    }

    fn unspellable(&self, reason: impl Into<String>) -> Misfit {
        Misfit::Unspellable {
            path: self.path.or(WHOLE),
            reason: reason.into(),
        }
    }

    fn number(&mut self, number: u128) {
        let mut rest = number;
        while rest >= 0x80 {
            self.out.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.out.push(rest as u8);
    }

    fn count(&mut self, count: usize) {
        self.number(count as u128);
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.out.extend(text.bytes());
    }

    /// A value of the type `id`.
    fn value(&mut self, id: usize, json: &Json) -> Result<(), Misfit> {
        if self.depth > 4 * DEPTH {
            return Err(self.unspellable("it is nested too deep"));
        }
        self.depth += 1;
        let encoded = self.nested(id, json);
        self.depth -= 1;
        encoded
    }

    fn nested(&mut self, id: usize, json: &Json) -> Result<(), Misfit> {
        let Some(node) = self.types.of(id) else {
            return Err(self.unspellable("its type never ends"));
        };
        match (&node.label, node.parts.as_slice(), json) {
            (Label::Leaf(name), _, json) => self.leaf(name, id, json),
            (Label::UnitStruct(_), _, Json::Null) => Ok(()),
            (Label::Option, &[_], Json::Null) => {
                self.out.push(0);
                Ok(())
            }
            (Label::Option, &[inner], json) => {
                self.out.push(1);
                match json {
                    Json::Object(members) if self.types.may_be_null(inner) => {
                        let [(name, value)] = members.as_slice() else {
                            return Err(self.misfit(id, json));
                        };
                        if name != SOME {
                            return Err(self.misfit(id, json));
                        }
                        self.member(name, inner, value)
                    }
                    json if self.types.may_be_null(inner) => Err(self.misfit(id, json)),
                    json => {
                        let here = self.path.or(WHOLE);
                        let encoded = self.value(inner, json);
                        // Nothing would have fitted, too.
                        encoded.map_err(|misfit| match misfit {
                            Misfit::Wrong { path, came, .. } if path == here => Misfit::Wrong {
                                path,
                                expected: self.types.words(id),
                                came,
                            },
                            other => other,
                        })
                    }
                }
            }
            (Label::Seq, &[item], Json::List(items)) => {
                self.count(items.len());
                self.items(std::iter::repeat_n(&item, items.len()), items)
            }
            (Label::Map, &[key, value], json) => self.map(id, key, value, json),
            (Label::Tuple | Label::TupleStruct(_), parts, Json::List(items))
                if parts.len() == items.len() =>
            {
                self.items(parts, items)
            }
            (Label::Struct(_, names), parts, Json::Object(members)) => {
                self.fields(names, parts, members)
            }
            (Label::Enum(_, variants), parts, json) => self.variant(id, variants, parts, json),
            (Label::Opaque(name), ..) => {
                Err(self.unspellable(format!("the contract does not show what {name} is made of")))
            }
            (Label::Option | Label::Seq | Label::Newtype(_) | Label::Function(_), ..)
                if node.parts.len() != 1 =>
            {
                Err(self.unspellable("its contract is incomplete"))
            }
            _ => Err(self.misfit(id, json)),
        }
    }

    fn member(&mut self, name: &str, id: usize, json: &Json) -> Result<(), Misfit> {
        self.path.enter(name);
        self.value(id, json)?;
        self.path.leave();
        Ok(())
    }

    fn items<'i>(
        &mut self,
        parts: impl IntoIterator<Item = &'i usize>,
        items: &[Json],
    ) -> Result<(), Misfit> {
        for (place, (part, item)) in parts.into_iter().zip(items).enumerate() {
            self.path.enter_place(place);
            self.value(*part, item)?;
            self.path.leave();
        }
        Ok(())
    }

    /// The fields of a struct, in the struct's order, whatever theirs is.
    fn fields(
        &mut self,
        names: &[String],
        parts: &[usize],
        members: &[(String, Json)],
    ) -> Result<(), Misfit> {
        if let Some((name, _)) = members.iter().find(|(name, _)| !names.contains(name)) {
            self.path.enter(name);
            return Err(Misfit::Unknown {
                path: self.path.to_string(),
                known: names.to_vec(),
            });
        }
        if names.len() != parts.len() {
            return Err(self.unspellable("its contract is incomplete"));
        }
        for (name, part) in names.iter().zip(parts) {
            let Some((_, value)) = members.iter().find(|(member, _)| member == name) else {
                self.path.enter(name);
                return Err(Misfit::Missing {
                    path: self.path.to_string(),
                    expected: self.types.words(*part),
                });
            };
            self.member(name, *part, value)?;
        }
        Ok(())
    }

    fn map(&mut self, id: usize, key: usize, value: usize, json: &Json) -> Result<(), Misfit> {
        match json {
            Json::Object(members) if self.types.keys(key) == Keys::Names => {
                self.count(members.len());
                for (name, json) in members {
                    self.path.enter(name);
                    self.key(key, name)?;
                    self.value(value, json)?;
                    self.path.leave();
                }
                Ok(())
            }
            Json::List(pairs) => {
                self.count(pairs.len());
                for (place, pair) in pairs.iter().enumerate() {
                    self.path.enter_place(place);
                    let Json::List(pair) = pair else {
                        return Err(self.wrong(PAIR.to_owned(), pair.words()));
                    };
                    if pair.len() != 2 {
                        return Err(
                            self.wrong(PAIR.to_owned(), format!("an array of {}", pair.len()))
                        );
                    }
                    self.items(&[key, value], pair)?;
                    self.path.leave();
                }
                Ok(())
            }
            other => Err(self.misfit(id, other)),
        }
    }

    /// A key that is written as the name of a member.
    fn key(&mut self, id: usize, name: &str) -> Result<(), Misfit> {
        let node = self.types.of(id);
        match node.map(|node| &node.label) {
            Some(Label::Leaf("bool")) if name == "true" || name == "false" => {
                self.value(id, &Json::Bool(name == "true"))
            }
            Some(Label::Leaf("str" | "char") | Label::Enum(..)) => {
                self.value(id, &Json::text(name))
            }
            Some(Label::Leaf(_)) if is_whole(name) => {
                self.value(id, &Json::Number(name.to_owned()))
            }
            _ => Err(self.misfit(id, &Json::text(name))),
        }
    }

    fn variant(
        &mut self,
        id: usize,
        variants: &[Variant],
        parts: &[usize],
        json: &Json,
    ) -> Result<(), Misfit> {
        let (name, content) = match json {
            Json::Text(name) => (name, None),
            Json::Object(members) => match members.as_slice() {
                [(name, content)] => (name, Some(content)),
                _ => return Err(self.misfit(id, json)),
            },
            _ => return Err(self.misfit(id, json)),
        };
        let Some(number) = variants.iter().position(|variant| variant.name == *name) else {
            return Err(self.misfit(id, json));
        };
        let before = shape::parts_before(variants, number);
        let variant = &variants[number];
        let own = parts.get(before..before.saturating_add(variant.parts));
        let own = own.unwrap_or_default();
        if own.len() != variant.parts {
            return Err(self.unspellable("its contract is incomplete"));
        }
        self.count(number);
        match (&variant.content, content, own) {
            (Content::Unit, None, _) => return Ok(()),
            (Content::Unknown, ..) => {
                self.path.enter(name);
                return Err(self.unspellable("the contract does not show what it is made of"));
            }
            (Content::Unit, Some(_), _) | (_, None, _) => return Err(self.misfit(id, json)),
            (Content::Newtype, Some(content), &[inner]) => self.member(name, inner, content)?,
            (Content::Tuple, Some(Json::List(items)), own) if items.len() == own.len() => {
                self.path.enter(name);
                self.items(own, items)?;
                self.path.leave();
            }
            (Content::Struct(fields), Some(Json::Object(members)), own) => {
                self.path.enter(name);
                self.fields(fields, own, members)?;
                self.path.leave();
            }
            (content, Some(json), own) => {
                self.path.enter(name);
                let expected = match content {
                    Content::Struct(fields) => format!("an object with {}", fields.join(", ")),
                    _ => format!("an array of {}", own.len()),
                };
                return Err(self.wrong(expected, json.words()));
            }
        }
        Ok(())
    }

    fn leaf(&mut self, name: &str, id: usize, json: &Json) -> Result<(), Misfit> {
        let written = match json {
            Json::Number(number) => self.numeric(name, number),
            Json::Bool(value) if name == "bool" => {
                self.out.push(u8::from(*value));
                Some(())
            }
            Json::Null if name == "()" => Some(()),
            Json::Text(text) => self.textual(name, text),
            Json::List(items) if name == "bytes" => return self.bytes(items),
            _ => None,
        };
        written.ok_or_else(|| self.misfit(id, json))
    }

    fn numeric(&mut self, name: &str, number: &str) -> Option<()> {
        macro_rules! unsigned {
            ($integer:ident) => {
                self.number(number.parse::<$integer>().ok()?.into())
            };
        }
        macro_rules! signed {
            ($integer:ident) => {{
                let value: i128 = number.parse::<$integer>().ok()?.into();
                self.number((value.wrapping_shl(1) ^ (value >> 127)) as u128);
            }};
        }
        match name {
            "f32" => {
                let value: f32 = number
                    .parse()
                    .ok()
                    .filter(|value: &f32| value.is_finite())?;
                self.out.extend(value.to_le_bytes());
            }
            "f64" => {
                let value: f64 = number
                    .parse()
                    .ok()
                    .filter(|value: &f64| value.is_finite())?;
                self.out.extend(value.to_le_bytes());
            }
            _ if !is_whole(number) => return None,
            "u8" => self.out.push(number.parse().ok()?),
            "u16" => unsigned!(u16),
            "u32" => unsigned!(u32),
            "u64" => unsigned!(u64),
            "u128" => unsigned!(u128),
            "i8" => self.out.extend(number.parse::<i8>().ok()?.to_le_bytes()),
            "i16" => signed!(i16),
            "i32" => signed!(i32),
            "i64" => signed!(i64),
            "i128" => signed!(i128),
            _ => return None,
        }
        Some(())
    }

    fn textual(&mut self, name: &str, text: &str) -> Option<()> {
        match name {
            "str" => self.text(text),
            "char" => {
                let mut letters = text.chars();
                letters.next()?;
                letters.next().is_none().then(|| self.text(text))?;
            }
            "bytes" => {
                let bytes = base64::decode(text)?;
                self.count(bytes.len());
                self.out.extend(bytes);
            }
            "f32" => self.out.extend((special(text)? as f32).to_le_bytes()),
            "f64" => self.out.extend(special(text)?.to_le_bytes()),
            _ => return None,
        }
        Some(())
    }

    fn bytes(&mut self, items: &[Json]) -> Result<(), Misfit> {
        self.count(items.len());
        for (place, item) in items.iter().enumerate() {
            let byte = match item {
                Json::Number(number) if is_whole(number) => number.parse().ok(),
                _ => None,
            };
            let Some(byte) = byte else {
                self.path.enter_place(place);
                let expected = "a whole number from 0 to 255 (u8)".to_owned();
                return Err(self.wrong(expected, item.words()));
            };
            self.out.push(byte);
        }
        Ok(())
    }
}

/// Digits, perhaps with a sign: Rust would take `+1` too.
fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
}

/// The floats that are no numbers, as they are spelled.
fn special(text: &str) -> Option<f64> {
    let mut known = super::decode::SPECIAL.iter();
    known.find_map(|(name, value)| (*name == text).then_some(*value))
}

/// What is around the value of an option that could be `null` itself.
pub(super) const SOME: &str = "Some";
const WHOLE: &str = "the arguments";
const PAIR: &str = "an array of two, a key and its value";
