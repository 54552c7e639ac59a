//! The parts of what has parts, counted as they are written.

use std::marker::PhantomData;

use serde::{
    Serialize,
    ser::{
        SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant,
    },
};

use super::Encoder;
use crate::codec::{EncodeError, error::Whole};

/// What has begun and must get as many parts as it announced.
pub(in crate::codec) struct Parts<'e, 'o, E = ()> {
    encoder: &'e mut Encoder<'o>,
    whole: Whole,
    announced: usize,
    left: usize,
    /// A map's key was written, and its value was not.
    is_value_due: bool,
    /// A part was refused: whoever goes on all the same must not get to the end.
    is_broken: bool,
    /// What the end gives: nothing, which is written as a default.
    end: PhantomData<E>,
}

impl<'e, 'o> Parts<'e, 'o> {
    #[inline]
    pub(super) fn new(encoder: &'e mut Encoder<'o>, whole: Whole, announced: usize) -> Self {
        Self {
            encoder,
            whole,
            announced,
            left: announced,
            is_value_due: false,
            is_broken: false,
            end: PhantomData,
        }
    }

    /// The same, inside of something else.
    #[inline]
    pub(super) fn inside<E>(self) -> Parts<'e, 'o, E> {
        Parts {
            encoder: self.encoder,
            whole: self.whole,
            announced: self.announced,
            left: self.left,
            is_value_due: self.is_value_due,
            is_broken: self.is_broken,
            end: PhantomData,
        }
    }
}

impl<E: Default> Parts<'_, '_, E> {
    #[inline]
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        let Some(left) = self.left.checked_sub(1) else {
            self.is_broken = true;
            return Err(self.too_many());
        };
        self.left = left;
        self.write(value)
    }

    #[inline]
    fn write<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        let written = value.serialize(&mut *self.encoder);
        self.is_broken |= written.is_err();
        written
    }

    #[inline]
    fn finish(self) -> Result<E, EncodeError> {
        if self.is_broken {
            Err(EncodeError::Swallowed { whole: self.whole })
        } else if self.left == 0 {
            Ok(E::default())
        } else {
            Err(self.too_few())
        }
    }

    #[cold]
    fn too_many(&self) -> EncodeError {
        EncodeError::TooMany {
            whole: self.whole,
            announced: self.announced,
        }
    }

    #[cold]
    fn too_few(&self) -> EncodeError {
        EncodeError::TooFew {
            whole: self.whole,
            announced: self.announced,
            written: self.announced - self.left,
        }
    }

    #[cold]
    fn left_out(&self, field: &'static str) -> EncodeError {
        EncodeError::LeftOut {
            whole: self.whole,
            field,
        }
    }
}

/// Wholes whose parts have no names.
macro_rules! nameless {
    ($($whole:ident $serialize:ident)*) => {$(
        impl<E: Default> $whole for Parts<'_, '_, E> {
            type Ok = E;
            type Error = EncodeError;

            #[inline]
            fn $serialize<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
                self.part(value)
            }

            #[inline]
            fn end(self) -> Result<E, EncodeError> {
                self.finish()
            }
        }
    )*};
}

/// Wholes whose parts have names, and can therefore say that one is missing.
macro_rules! named {
    ($($whole:ident)*) => {$(
        impl<E: Default> $whole for Parts<'_, '_, E> {
            type Ok = E;
            type Error = EncodeError;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                _field: &'static str,
                value: &T,
            ) -> Result<(), EncodeError> {
                self.part(value)
            }

            #[inline]
            fn skip_field(&mut self, field: &'static str) -> Result<(), EncodeError> {
                // A part less: who goes on all the same has too few in the end.
                Err(self.left_out(field))
            }

            #[inline]
            fn end(self) -> Result<E, EncodeError> {
                self.finish()
            }
        }
    )*};
}

nameless! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

named! { SerializeStruct SerializeStructVariant }

impl<E: Default> SerializeMap for Parts<'_, '_, E> {
    type Ok = E;
    type Error = EncodeError;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        if self.is_value_due {
            return Err(EncodeError::Unpaired);
        }
        self.is_value_due = true;
        self.part(key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        if !self.is_value_due {
            return Err(EncodeError::Unpaired);
        }
        self.is_value_due = false;
        self.write(value)
    }

    #[inline]
    fn end(self) -> Result<E, EncodeError> {
        if self.is_value_due {
            return Err(EncodeError::Unpaired);
        }
        self.finish()
    }
}
