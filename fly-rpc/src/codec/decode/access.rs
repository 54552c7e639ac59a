//! The parts of what is nested: of sequences and maps, which say how many they are and are charged
//! for it, and of products, whose place is paid for.

use serde::de::{DeserializeSeed, MapAccess, SeqAccess};

use super::{Decoder, Result, allocation};
use crate::codec::DecodeError;

/// The elements of a sequence.
pub(super) struct Elements<'d, 'de> {
    rest: Rest<'d, 'de>,
    /// What the place of each element that is left was charged.
    paid: usize,
    /// The same, once no element costs more than its place.
    settled: usize,
}

impl<'d, 'de> Elements<'d, 'de> {
    /// As many as the sequence begins by saying.
    #[inline]
    pub(super) fn announced(decoder: &'d mut Decoder<'de>) -> Result<Self> {
        let rest = Rest::announced(decoder)?;
        Ok(Self {
            rest,
            paid: 0,
            settled: 0,
        })
    }

    fn settle(&mut self, size: usize) -> Result<()> {
        self.rest.next()?;
        if self.paid < size.max(1) {
            self.paid = self.rest.charge(size, self.rest.count)?;
        } else if self.rest.beyond == Beyond::Each(0) {
            self.settled = self.paid;
        }
        // What is read within puts it back.
        self.rest.decoder.covered = size;
        Ok(())
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Box<DecodeError>;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.rest.count == 0 {
            return Ok(None);
        }
        let size = size_of::<T::Value>();
        if self.settled < size.max(1) {
            self.settle(size)?;
        }
        self.rest.count -= 1;
        seed.deserialize(&mut *self.rest.decoder).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.rest.size_hint()
    }
}

/// The entries of a map.
pub(super) struct Entries<'d, 'de> {
    rest: Rest<'d, 'de>,
    /// What the place of each key that is left was charged.
    keys_paid: usize,
    /// What the place of each value that is left was charged.
    values_paid: usize,
}

impl<'d, 'de> Entries<'d, 'de> {
    /// As many as the map begins by saying.
    #[inline]
    pub(super) fn announced(decoder: &'d mut Decoder<'de>) -> Result<Self> {
        let rest = Rest::announced(decoder)?;
        Ok(Self {
            rest,
            keys_paid: 0,
            values_paid: 0,
        })
    }
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = Box<DecodeError>;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if self.rest.count == 0 {
            return Ok(None);
        }
        let size = size_of::<K::Value>();
        self.rest.next()?;
        if self.keys_paid < size.max(1) {
            self.keys_paid = self.rest.charge(size, self.rest.count.max(NODE))?;
        }
        self.rest.count -= 1;
        self.rest.decoder.covered = size;
        seed.deserialize(&mut *self.rest.decoder).map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let size = size_of::<V::Value>();
        if self.values_paid < size.max(1) {
            let count = self.rest.count.saturating_add(1);
            self.values_paid = self.rest.charge(size, count.max(NODE))?;
        }
        self.rest.decoder.covered = size;
        seed.deserialize(&mut *self.rest.decoder)
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

/// What was announced and is still to be read. What a type leaves unread, it would take for the
/// next value.
struct Rest<'d, 'de> {
    decoder: &'d mut Decoder<'de>,
    /// Elements, or entries, that are left.
    count: usize,
    /// There were bytes for all of them, at one each.
    is_believable: bool,
    beyond: Beyond,
    /// What the decoder knew of the element around these.
    outer: (usize, usize),
}

/// What each element costs beyond its place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beyond {
    /// None has been read.
    Unknown,
    /// The first has been read, and the decoder knows.
    Read,
    /// All that are left are paid for.
    Each(usize),
}

impl<'d, 'de> Rest<'d, 'de> {
    #[inline]
    fn announced(decoder: &'d mut Decoder<'de>) -> Result<Self> {
        let count = decoder.leaf()?;
        Ok(Self {
            is_believable: decoder.has_bytes_for(count),
            beyond: Beyond::Unknown,
            outer: (decoder.beyond, decoder.prepaid),
            decoder,
            count,
        })
    }

    /// Before an element, or an entry. What the first must have behind pointers the others have
    /// too: before the second is read, all are paid for.
    #[inline]
    fn next(&mut self) -> Result<()> {
        match self.beyond {
            Beyond::Unknown => {
                self.beyond = Beyond::Read;
                self.decoder.is_choice = false;
                (self.decoder.beyond, self.decoder.prepaid) = (0, 0);
            }
            Beyond::Read => {
                let each = self.decoder.beyond;
                self.decoder.charge(each.saturating_mul(self.count))?;
                self.beyond = Beyond::Each(each);
                self.decoder.prepaid = each;
            }
            Beyond::Each(each) => self.decoder.prepaid = each,
        }
        Ok(())
    }

    /// Charges room for as many parts of `size` bytes, and says what each of them cost.
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
