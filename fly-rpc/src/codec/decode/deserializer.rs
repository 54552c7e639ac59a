//! The [`Deserializer`] that serde drives: leaves are read by postcard, the rest one level down.

use serde::{Deserializer, de::Visitor};

use super::{
    Decoder, Result,
    access::{Account, Elements, Entries, Fields},
    allocation,
};
use crate::codec::DecodeError;

macro_rules! leaves {
    ($($deserialize:ident $visit:ident $leaf:ty)*) => {$(
        #[inline]
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            let leaf = self.leaf::<$leaf>()?;
            visitor.$visit(leaf)
        }
    )*};
}

/// Leaves that are copied: what is lent out by the name of these is as good as owned.
macro_rules! owned {
    ($($deserialize:ident $visit:ident $leaf:ty)*) => {$(
        #[inline]
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            let leaf = self.leaf::<$leaf>()?;
            self.charge(allocation(leaf.len()))?;
            visitor.$visit(leaf)
        }
    )*};
}

/// What only a format that describes itself can answer.
macro_rules! refused {
    ($($deserialize:ident)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value> {
            Err(self.refuse(postcard::Error::WontImplement.into()))
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Decoder<'de> {
    type Error = Box<DecodeError>;

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    leaves! {
        deserialize_bool visit_bool bool
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
        deserialize_f32 visit_f32 f32
        deserialize_f64 visit_f64 f64
        deserialize_char visit_char char
        deserialize_str visit_borrowed_str &'de str
        deserialize_bytes visit_borrowed_bytes &'de [u8]
    }

    owned! {
        deserialize_string visit_str &'de str
        deserialize_byte_buf visit_bytes &'de [u8]
    }

    refused! { deserialize_any deserialize_identifier deserialize_ignored_any }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.nested(size_of::<V::Value>(), |decoder| {
            match decoder.leaf::<u8>()? {
                0 => visitor.visit_none(),
                1 => {
                    decoder.is_choice = true;
                    visitor.visit_some(decoder)
                }
                _ => Err(decoder.refuse(postcard::Error::DeserializeBadOption.into())),
            }
        })
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        self.nested(size_of::<V::Value>(), |decoder| {
            visitor.visit_newtype_struct(decoder)
        })
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.nested(size_of::<V::Value>(), |decoder| {
            let mut account = Account::open(decoder)?;
            visitor.visit_seq(Elements::new(decoder, &mut account))
        })
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.nested(size_of::<V::Value>(), |decoder| {
            let mut account = Account::open(decoder)?;
            visitor.visit_map(Entries::new(decoder, &mut account))
        })
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        self.nested(size_of::<V::Value>(), |decoder| {
            visitor.visit_seq(Fields::new(decoder, len))
        })
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_tuple(len, visitor)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.nested(size_of::<V::Value>(), |decoder| visitor.visit_enum(decoder))
    }
}
