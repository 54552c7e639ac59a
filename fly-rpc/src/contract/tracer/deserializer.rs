//! The [`Deserializer`] through which serde drives a [`Tracer`]: it answers as postcard would, with made-up values.

use std::any::type_name;

use serde::{
    Deserializer,
    de::{
        DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
    },
};

use super::{Fault, Refusal, Tracer};
use crate::contract::{
    samples::{BYTES, CHARS, FLOATS, INTEGERS, LENGTHS, STRINGS},
    shape::{FULL, Form, Kind},
};

/// Whole numbers: the samples that fit the type.
macro_rules! integers {
    ($($deserialize:ident $visit:ident $integer:ident)*) => {$(
        fn $deserialize<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Refusal> {
            self.meet::<V>(Kind::Leaf(stringify!($integer)))?;
            let fitting = || INTEGERS.iter().filter_map(|&sample| $integer::try_from(sample).ok());
            let draw = self.draw(fitting().count());
            visitor.$visit(fitting().nth(draw).unwrap_or_default())
        }
    )*};
}

/// Requests that only a self-describing format can answer.
macro_rules! refused {
    ($($deserialize:ident)*) => {$(
        fn $deserialize<V: Visitor<'static>>(self, _visitor: V) -> Result<V::Value, Refusal> {
            Err(self.stop(Fault::NeedsSelfDescribing(type_name::<V::Value>())))
        }
    )*};
}

impl Deserializer<'static> for &mut Tracer {
    type Error = Refusal;

    fn is_human_readable(&self) -> bool {
        false
    }

    integers! {
        deserialize_i8 visit_i8 i8
        deserialize_i16 visit_i16 i16
        deserialize_i32 visit_i32 i32
        deserialize_i64 visit_i64 i64
        deserialize_i128 visit_i128 i128
        deserialize_u8 visit_u8 u8
        deserialize_u16 visit_u16 u16
        deserialize_u32 visit_u32 u32
        deserialize_u64 visit_u64 u64
        deserialize_u128 visit_u128 u128
    }

    refused! { deserialize_any deserialize_identifier }

    fn deserialize_ignored_any<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Refusal> {
        if self.is_surplus_slot() {
            return visitor.visit_unit();
        }
        Err(self.stop(Fault::NeedsSelfDescribing(type_name::<V::Value>())))
    }

    fn deserialize_bool<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.meet::<V>(Kind::Leaf("bool"))?;
        let draw = self.draw(2);
        visitor.visit_bool(draw == 0)
    }

    fn deserialize_f32<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.meet::<V>(Kind::Leaf("f32"))?;
        let draw = self.draw(FLOATS.len());
        visitor.visit_f32(FLOATS[draw] as f32)
    }

    fn deserialize_f64<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.meet::<V>(Kind::Leaf("f64"))?;
        let draw = self.draw(FLOATS.len());
        visitor.visit_f64(FLOATS[draw])
    }

    fn deserialize_char<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.meet::<V>(Kind::Leaf("char"))?;
        let draw = self.draw(CHARS.len());
        visitor.visit_char(CHARS[draw])
    }

    fn deserialize_str<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.meet::<V>(Kind::Leaf("str"))?;
        let draw = self.draw(STRINGS.len());
        visitor.visit_borrowed_str(STRINGS[draw])
    }

    fn deserialize_string<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.meet::<V>(Kind::Leaf("bytes"))?;
        let draw = self.draw(BYTES.len());
        visitor.visit_borrowed_bytes(BYTES[draw])
    }

    fn deserialize_byte_buf<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_unit<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.meet::<V>(Kind::Leaf("()"))?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'static>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.meet::<V>(Kind::UnitStruct(name))?;
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.visit::<V>(Kind::Option, |tracer, arm| match arm {
            FULL => tracer.edge(0, type_name::<V::Value>(), |tracer| {
                visitor.visit_some(tracer)
            }),
            _ => visitor.visit_none(),
        })
    }

    fn deserialize_newtype_struct<V: Visitor<'static>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.visit::<V>(Kind::Newtype(name), |tracer, _| {
            tracer.edge(0, type_name::<V::Value>(), |tracer| {
                visitor.visit_newtype_struct(tracer)
            })
        })
    }

    fn deserialize_seq<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.visit::<V>(Kind::Seq, |tracer, arm| {
            let len = match arm {
                FULL => LENGTHS[tracer.draw(LENGTHS.len())],
                _ => 0,
            };
            tracer.repeated |= len > 1;
            visitor.visit_seq(Elements { tracer, left: len })
        })
    }

    fn deserialize_map<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.visit::<V>(Kind::Map, |tracer, arm| {
            visitor.visit_map(Entry {
                tracer,
                left: usize::from(arm == FULL),
            })
        })
    }

    fn deserialize_tuple<V: Visitor<'static>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.visit::<V>(Kind::Tuple(len), |tracer, _| {
            visitor.visit_seq(Parts {
                tracer,
                next: 0,
                len,
            })
        })
    }

    fn deserialize_tuple_struct<V: Visitor<'static>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.visit::<V>(Kind::TupleStruct(name, len), |tracer, _| {
            visitor.visit_seq(Parts {
                tracer,
                next: 0,
                len,
            })
        })
    }

    fn deserialize_struct<V: Visitor<'static>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.visit::<V>(Kind::Struct(name, fields), |tracer, _| {
            tracer.fields(fields, visitor)
        })
    }

    fn deserialize_enum<V: Visitor<'static>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.visit::<V>(Kind::Enum(name, variants), |tracer, arm| {
            visitor.visit_enum(Variant { tracer, arm })
        })
    }
}

impl Tracer {
    /// The fields of a struct or of a variant: in order, as postcard has them; of one that cannot be built because one field
    /// is opaque, by number, which lets the others be seen all the same.
    fn fields<V: Visitor<'static>>(
        &mut self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        let Some(slots) = self.salvage() else {
            return visitor.visit_seq(Parts {
                tracer: self,
                next: 0,
                len: fields.len(),
            });
        };
        let result = visitor.visit_map(Salvage {
            tracer: self,
            slots: slots.into_iter(),
            slot: 0,
        });
        if result.is_err() {
            self.expect_failure();
        }
        result
    }
}

/// The elements of a sequence: all of one type, all in slot 0.
struct Elements<'t> {
    tracer: &'t mut Tracer,
    left: usize,
}

impl SeqAccess<'static> for Elements<'_> {
    type Error = Refusal;

    fn next_element_seed<S: DeserializeSeed<'static>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refusal> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        self.tracer
            .edge(0, type_name::<S::Value>(), |tracer| {
                seed.deserialize(tracer)
            })
            .map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The parts of a product, each in its own slot.
struct Parts<'t> {
    tracer: &'t mut Tracer,
    next: usize,
    len: usize,
}

impl SeqAccess<'static> for Parts<'_> {
    type Error = Refusal;

    fn next_element_seed<S: DeserializeSeed<'static>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refusal> {
        if self.next == self.len {
            return Ok(None);
        }
        let slot = self.next;
        self.next += 1;
        self.tracer
            .edge(slot, type_name::<S::Value>(), |tracer| {
                seed.deserialize(tracer)
            })
            .map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.len - self.next)
    }
}

/// The entry of a map, or none: the key in slot 0, the value in slot 1.
struct Entry<'t> {
    tracer: &'t mut Tracer,
    left: usize,
}

impl MapAccess<'static> for Entry<'_> {
    type Error = Refusal;

    fn next_key_seed<S: DeserializeSeed<'static>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refusal> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        self.tracer
            .edge(0, type_name::<S::Value>(), |tracer| {
                seed.deserialize(tracer)
            })
            .map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'static>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, Refusal> {
        self.tracer.edge(1, type_name::<S::Value>(), |tracer| {
            seed.deserialize(tracer)
        })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// What can be seen of a struct that cannot be built.
struct Salvage<'t> {
    tracer: &'t mut Tracer,
    slots: std::vec::IntoIter<usize>,
    slot: usize,
}

impl MapAccess<'static> for Salvage<'_> {
    type Error = Refusal;

    fn next_key_seed<S: DeserializeSeed<'static>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refusal> {
        let Some(slot) = self.slots.next() else {
            return Ok(None);
        };
        self.slot = slot;
        seed.deserialize((slot as u64).into_deserializer())
            .map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'static>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, Refusal> {
        self.tracer
            .edge(self.slot, type_name::<S::Value>(), |tracer| {
                seed.deserialize(tracer)
            })
    }
}

/// The variant that was chosen.
struct Variant<'t> {
    tracer: &'t mut Tracer,
    arm: usize,
}

impl EnumAccess<'static> for Variant<'_> {
    type Error = Refusal;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'static>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self), Refusal> {
        let variant = seed.deserialize((self.arm as u32).into_deserializer())?;
        Ok((variant, self))
    }
}

impl VariantAccess<'static> for Variant<'_> {
    type Error = Refusal;

    fn unit_variant(self) -> Result<(), Refusal> {
        self.tracer.form(Form::Unit)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'static>>(
        self,
        seed: S,
    ) -> Result<S::Value, Refusal> {
        self.tracer.form(Form::Newtype)?;
        self.tracer.edge(0, type_name::<S::Value>(), |tracer| {
            seed.deserialize(tracer)
        })
    }

    fn tuple_variant<V: Visitor<'static>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.tracer.form(Form::Tuple(len))?;
        visitor.visit_seq(Parts {
            tracer: self.tracer,
            next: 0,
            len,
        })
    }

    fn struct_variant<V: Visitor<'static>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.tracer.form(Form::Struct(fields))?;
        self.tracer.fields(fields, visitor)
    }
}
