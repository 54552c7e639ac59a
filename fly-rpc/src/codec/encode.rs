//! Strict encoding: a value that would be misread is refused here, before it leaves.
//!
//! Postcard writes no names and no lengths of structs, and so takes it on trust that as many parts
//! are written as were announced. `skip_serializing_if` breaks that silently, and the reader takes
//! one field for another. Here the parts are counted, which for derived types the compiler does.

use std::fmt::{self, Write as _};

use bytes::{Bytes, BytesMut};
use serde::{Serialize, Serializer};

use self::{
    element::Element,
    output::{BLOCK, Output},
    parts::Parts,
};
use super::{EncodeError, error::Whole};

mod element;
mod output;
mod parts;

/// Postcard that trusts nobody.
pub(super) struct Encoder<'o> {
    postcard: postcard::Serializer<Output<'o>>,
}

impl<'o> Encoder<'o> {
    /// An encoder that writes behind what is in `out`, part of it only when it is finished.
    #[inline]
    pub(super) fn new(out: &'o mut BytesMut) -> Self {
        let output = Output::new(out);
        Self {
            postcard: postcard::Serializer { output },
        }
    }

    /// Writes what is not yet in `out`.
    #[inline]
    pub(super) fn finish(&mut self) {
        self.postcard.output.flush();
    }

    /// Takes all that was written, if `out` was empty. It is not given `self`, because the compiler
    /// would copy the block.
    #[inline]
    pub(super) fn take(&mut self) -> Bytes {
        self.postcard.output.take()
    }

    #[inline]
    fn output(&mut self) -> &mut Output<'o> {
        &mut self.postcard.output
    }

    /// Writes what comes out of an iterator that said how much it is. Bytes go right into the block,
    /// in a loop that ends with it and has nothing else to do, so that the compiler takes many at
    /// once; they are counted when it ends.
    #[inline]
    fn elements<I>(&mut self, announced: usize, mut elements: I) -> Result<(), EncodeError>
    where
        I: Iterator<Item: Serialize>,
    {
        let whole = Whole::Sequence;
        let too_many = EncodeError::TooMany { whole, announced };
        let mut left = announced;
        loop {
            let mut begin = self.output().make_room(left);
            let mut filled = begin;
            while filled < BLOCK {
                let Some(element) = elements.next() else {
                    self.output().set_filled(filled);
                    return match left.checked_sub(filled - begin) {
                        None => Err(too_many),
                        Some(0) => Ok(()),
                        Some(left) => Err(EncodeError::TooFew {
                            whole,
                            announced,
                            written: announced - left,
                        }),
                    };
                };
                let encoder = &mut *self;
                if let Some(byte) = element.serialize(Element { encoder, filled })? {
                    self.output().put(filled, byte);
                    filled += 1;
                } else {
                    left = left
                        .checked_sub(filled - begin + 1)
                        .ok_or_else(|| too_many.clone())?;
                    begin = self.output().filled();
                    filled = begin;
                }
            }
            self.output().set_filled(filled);
            left = left
                .checked_sub(filled - begin)
                .ok_or_else(|| too_many.clone())?;
        }
    }

    /// Begins what writes its length first.
    #[inline]
    fn counted(&mut self, whole: Whole, len: Option<usize>) -> Result<Parts<'_, 'o>, EncodeError> {
        let len = len.ok_or(EncodeError::UnknownLength { whole })?;
        len.serialize(&mut *self)?;
        Ok(Parts::new(self, whole, len))
    }

    /// Begins a variant.
    #[inline]
    fn variant(
        &mut self,
        index: u32,
        whole: Whole,
        len: usize,
    ) -> Result<Parts<'_, 'o>, EncodeError> {
        index.serialize(&mut *self)?;
        Ok(Parts::new(self, whole, len))
    }
}

/// Numbers of which most are small, and are then a byte. Postcard has a loop for all, and no idea
/// how long what comes out of it is.
macro_rules! numbers {
    ($($serialize:ident $number:ty)*) => {$(
        #[inline]
        fn $serialize(self, number: $number) -> Result<(), EncodeError> {
            match u8::try_from(number) {
                Ok(byte) if byte < 0x80 => self.output().push(byte),
                _ => self.postcard.$serialize(number)?,
            }
            Ok(())
        }
    )*};
}

/// Values that postcard writes alone.
macro_rules! leaves {
    ($($serialize:ident $leaf:ty)*) => {$(
        #[inline]
        fn $serialize(self, leaf: $leaf) -> Result<(), EncodeError> {
            Ok(self.postcard.$serialize(leaf)?)
        }
    )*};
}

impl<'e, 'o> Serializer for &'e mut Encoder<'o> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Parts<'e, 'o>;
    type SerializeTuple = Parts<'e, 'o>;
    type SerializeTupleStruct = Parts<'e, 'o>;
    type SerializeTupleVariant = Parts<'e, 'o>;
    type SerializeMap = Parts<'e, 'o>;
    type SerializeStruct = Parts<'e, 'o>;
    type SerializeStructVariant = Parts<'e, 'o>;

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    numbers! {
        serialize_u16 u16
        serialize_u32 u32
        serialize_u64 u64
    }

    leaves! {
        serialize_bool bool
        serialize_i8 i8
        serialize_i16 i16
        serialize_i32 i32
        serialize_i64 i64
        serialize_i128 i128
        serialize_u8 u8
        serialize_u128 u128
        serialize_f32 f32
        serialize_f64 f64
        serialize_char char
        serialize_str &str
        serialize_bytes &[u8]
        serialize_unit_struct &'static str
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), EncodeError> {
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Result<(), EncodeError> {
        Ok(self.postcard.serialize_none()?)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        self.postcard.serialize_u8(1)?;
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
    ) -> Result<(), EncodeError> {
        self.serialize_u32(index)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        index.serialize(&mut *self)?;
        value.serialize(self)
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Parts<'e, 'o>, EncodeError> {
        self.counted(Whole::Sequence, len)
    }

    #[inline]
    fn collect_seq<I>(self, elements: I) -> Result<(), EncodeError>
    where
        I: IntoIterator<Item: Serialize>,
    {
        let elements = elements.into_iter();
        let announced = match elements.size_hint() {
            (least, Some(most)) if least == most => least,
            _ => {
                return Err(EncodeError::UnknownLength {
                    whole: Whole::Sequence,
                });
            }
        };
        announced.serialize(&mut *self)?;
        self.elements(announced, elements)
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Parts<'e, 'o>, EncodeError> {
        self.counted(Whole::Map, len)
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Parts<'e, 'o>, EncodeError> {
        Ok(Parts::new(self, Whole::Tuple, len))
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Parts<'e, 'o>, EncodeError> {
        Ok(Parts::new(self, Whole::Struct(name), len))
    }

    #[inline]
    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Parts<'e, 'o>, EncodeError> {
        Ok(Parts::new(self, Whole::Struct(name), len))
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Parts<'e, 'o>, EncodeError> {
        self.variant(index, Whole::Variant(name, variant), len)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Parts<'e, 'o>, EncodeError> {
        self.variant(index, Whole::Variant(name, variant), len)
    }

    /// Postcard formats twice, first for the length, and trusts that both are equal.
    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        let mut text = String::new();
        write!(text, "{value}").map_err(|_| postcard::Error::CollectStrError)?;
        self.serialize_str(&text)
    }
}
