//! The elements of a sequence, of which those that are a byte each are gathered without the
//! bookkeeping of a value: `Vec<u8>` is then written nearly as fast as a string of bytes.
//!
//! serde hands over elements one by one and does not say of what type they are; that is only seen
//! when one is written. So each is asked to write itself here, where a byte is given back to the
//! loop, and all else goes to the [`Encoder`]. Once the compiler knows the type, one of the two is left.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{Encoder, parts::Parts};
use crate::codec::EncodeError;

/// Takes one element. Gives back a byte that is still to be written, and nothing of what is.
pub(super) struct Element<'e, 'o> {
    pub(super) encoder: &'e mut Encoder<'o>,
    /// Bytes of the block that are filled, and of which the encoder does not know.
    pub(super) filled: usize,
}

impl<'e, 'o> Element<'e, 'o> {
    /// Where everything goes that is no byte.
    #[inline]
    fn encoder(self) -> &'e mut Encoder<'o> {
        self.encoder.output().set_filled(self.filled);
        self.encoder
    }
}

/// Values that go on to the encoder.
macro_rules! onwards {
    ($($serialize:ident($($name:ident: $value:ty),*))*) => {$(
        #[inline]
        fn $serialize(self, $($name: $value),*) -> Result<Option<u8>, EncodeError> {
            self.encoder().$serialize($($name),*)?;
            Ok(None)
        }
    )*};
}

/// Wholes whose parts go on to the encoder.
macro_rules! wholes {
    ($($serialize:ident($($name:ident: $value:ty),*))*) => {$(
        #[inline]
        fn $serialize(self, $($name: $value),*) -> Result<Parts<'e, 'o, Option<u8>>, EncodeError> {
            Ok(self.encoder().$serialize($($name),*)?.inside())
        }
    )*};
}

impl<'e, 'o> Serializer for Element<'e, 'o> {
    type Ok = Option<u8>;
    type Error = EncodeError;
    type SerializeSeq = Parts<'e, 'o, Option<u8>>;
    type SerializeTuple = Parts<'e, 'o, Option<u8>>;
    type SerializeTupleStruct = Parts<'e, 'o, Option<u8>>;
    type SerializeTupleVariant = Parts<'e, 'o, Option<u8>>;
    type SerializeMap = Parts<'e, 'o, Option<u8>>;
    type SerializeStruct = Parts<'e, 'o, Option<u8>>;
    type SerializeStructVariant = Parts<'e, 'o, Option<u8>>;

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<Option<u8>, EncodeError> {
        Ok(Some(value.into()))
    }

    #[inline]
    fn serialize_i8(self, value: i8) -> Result<Option<u8>, EncodeError> {
        Ok(Some(value.cast_unsigned()))
    }

    #[inline]
    fn serialize_u8(self, value: u8) -> Result<Option<u8>, EncodeError> {
        Ok(Some(value))
    }

    onwards! {
        serialize_i16(value: i16)
        serialize_i32(value: i32)
        serialize_i64(value: i64)
        serialize_i128(value: i128)
        serialize_u16(value: u16)
        serialize_u32(value: u32)
        serialize_u64(value: u64)
        serialize_u128(value: u128)
        serialize_f32(value: f32)
        serialize_f64(value: f64)
        serialize_char(value: char)
        serialize_str(value: &str)
        serialize_bytes(value: &[u8])
        serialize_unit()
        serialize_unit_struct(name: &'static str)
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str)
        serialize_none()
    }

    wholes! {
        serialize_seq(len: Option<usize>)
        serialize_map(len: Option<usize>)
        serialize_tuple(len: usize)
        serialize_tuple_struct(name: &'static str, len: usize)
        serialize_struct(name: &'static str, len: usize)
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Option<u8>, EncodeError> {
        self.encoder().serialize_some(value)?;
        Ok(None)
    }

    /// What wraps a byte is that byte.
    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<Option<u8>, EncodeError> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Option<u8>, EncodeError> {
        self.encoder()
            .serialize_newtype_variant(name, index, variant, value)?;
        Ok(None)
    }

    #[inline]
    fn collect_seq<I>(self, elements: I) -> Result<Option<u8>, EncodeError>
    where
        I: IntoIterator<Item: Serialize>,
    {
        self.encoder().collect_seq(elements)?;
        Ok(None)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<Option<u8>, EncodeError> {
        self.encoder().collect_str(value)?;
        Ok(None)
    }
}
