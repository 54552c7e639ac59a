//! The parts of what is nested: of sequences and maps, which say how many they are and are charged
//! for it, and of products, whose place is paid for.

use serde::de::{DeserializeSeed, MapAccess, SeqAccess};

use super::{Decoder, Result, allocation};
use crate::codec::DecodeError;

/// The elements of a sequence.
pub(super) struct Elements<'d, 'de> {
    rest: Rest<'d, 'de>,
    paid: Paid,
}

impl<'d, 'de> Elements<'d, 'de> {
    /// As many as the sequence begins by saying.
    #[inline]
    pub(super) fn announced(decoder: &'d mut Decoder<'de>) -> Result<Self> {
        let rest = Rest::announced(decoder)?;
        let paid = Paid::default();
        Ok(Self { rest, paid })
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Box<DecodeError>;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some(left) = self.rest.count.checked_sub(1) else {
            return Ok(None);
        };
        let room = self.rest.count;
        self.rest.count = left;
        self.rest.read(&mut self.paid, room, seed).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.rest.size_hint()
    }
}

/// The entries of a map.
pub(super) struct Entries<'d, 'de> {
    rest: Rest<'d, 'de>,
    keys: Paid,
    values: Paid,
}

impl<'d, 'de> Entries<'d, 'de> {
    /// As many as the map begins by saying.
    #[inline]
    pub(super) fn announced(decoder: &'d mut Decoder<'de>) -> Result<Self> {
        let rest = Rest::announced(decoder)?;
        Ok(Self {
            rest,
            keys: Paid::default(),
            values: Paid::default(),
        })
    }
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = Box<DecodeError>;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let Some(left) = self.rest.count.checked_sub(1) else {
            return Ok(None);
        };
        let room = self.rest.count.max(NODE);
        self.rest.count = left;
        self.rest.read(&mut self.keys, room, seed).map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let room = self.rest.count.saturating_add(1).max(NODE);
        self.rest.read(&mut self.values, room, seed)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.rest.size_hint()
    }
}

/// The fields of a product, whose number its type knows.
pub(super) struct Fields<'d, 'de> {
    decoder: &'d mut Decoder<'de>,
    count: usize,
}

impl<'d, 'de> Fields<'d, 'de> {
    /// `count` of them; if some have aliases, serde counts those too and leaves them unread.
    #[inline]
    pub(super) fn new(decoder: &'d mut Decoder<'de>, count: usize) -> Self {
        Self { decoder, count }
    }
}

impl<'de> SeqAccess<'de> for Fields<'_, 'de> {
    type Error = Box<DecodeError>;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.count == 0 {
            return Ok(None);
        }
        self.count -= 1;
        self.decoder.covered = size_of::<T::Value>();
        seed.deserialize(&mut *self.decoder).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.count)
    }
}

/// What each part of a kind that is left was charged: each element, each key or each value.
#[derive(Default)]
struct Paid {
    /// For its place.
    place: usize,
    /// For what stands behind pointers in it.
    beyond: usize,
}

/// What was announced and is still to be read. What a type leaves unread, it would take for the
/// next value.
struct Rest<'d, 'de> {
    decoder: &'d mut Decoder<'de>,
    /// Elements, or entries, behind the one that is being read.
    count: usize,
    /// There were bytes for all of them, at one each.
    is_believable: bool,
    /// What the parts around these were charged so far.
    outer: (usize, usize),
}

impl<'d, 'de> Rest<'d, 'de> {
    #[inline]
    fn announced(decoder: &'d mut Decoder<'de>) -> Result<Self> {
        let count = decoder.leaf()?;
        Ok(Self {
            is_believable: decoder.has_bytes_for(count),
            outer: (decoder.beyond, decoder.prepaid),
            decoder,
            count,
        })
    }

    /// Reads one part. When it is the first of its kind, those that are left are paid for with it:
    /// there is `room` for so many.
    #[inline]
    fn read<T: DeserializeSeed<'de>>(
        &mut self,
        paid: &mut Paid,
        room: usize,
        seed: T,
    ) -> Result<T::Value> {
        let size = size_of::<T::Value>();
        let is_first = paid.place < size.max(1);
        if is_first {
            paid.place = self.charge(size, room)?;
            // Every part of the sequence has what is no choice within the part.
            self.decoder.is_choice = false;
            (self.decoder.beyond, self.decoder.prepaid) = (0, 0);
        } else if paid.beyond > 0 {
            self.decoder.prepaid = paid.beyond;
        }
        self.decoder.covered = size;
        let value = seed.deserialize(&mut *self.decoder)?;
        if is_first && self.decoder.beyond > 0 {
            paid.beyond = self.decoder.beyond;
            self.decoder
                .charge(paid.beyond.saturating_mul(self.count))?;
        }
        Ok(value)
    }

    /// Charges room for as many parts of `size` bytes, and says what each of them cost.
    #[inline]
    fn charge(&mut self, size: usize, room: usize) -> Result<usize> {
        let cost = if size == 0 || !self.is_believable {
            size.max(TIME)
        } else {
            size
        };
        self.decoder.charge(allocation(cost.saturating_mul(room)))?;
        Ok(cost)
    }

    /// Collections make room for as many before their type is known here. Those of the standard
    /// library stop at 1 MiB.
    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.is_believable.then_some(self.count)
    }
}

impl Drop for Rest<'_, '_> {
    #[inline]
    fn drop(&mut self) {
        self.decoder.unread = self.decoder.unread.saturating_add(self.count);
        (self.decoder.beyond, self.decoder.prepaid) = self.outer;
    }
}

/// What an element without memory, or without bytes, is charged for its time: of 16 MiB, a quarter
/// of a million can be had. They take about a millisecond.
const TIME: usize = 64;

/// Entries for which the smallest `BTreeMap` that is not empty has room.
const NODE: usize = 11;
