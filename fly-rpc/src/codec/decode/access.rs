//! The parts of what is nested: of sequences and maps, which say how many they are and are charged
//! for it, and of products, whose place is paid for.

use serde::de::{DeserializeSeed, MapAccess, SeqAccess};

use super::{Decoder, Result, allocation};
use crate::codec::DecodeError;

/// The elements of a sequence. All that is kept of them in the loop are numbers, which stay in
/// registers; the account is kept elsewhere.
pub(super) struct Elements<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    account: &'a mut Account,
    /// How many are left.
    count: usize,
    /// What the place of each was charged, once it is known that none costs more than that.
    settled: usize,
}

impl<'a, 'de> Elements<'a, 'de> {
    /// As many as the sequence began by saying.
    #[inline]
    pub(super) fn new(decoder: &'a mut Decoder<'de>, account: &'a mut Account) -> Self {
        Self {
            decoder,
            count: account.count,
            settled: 0,
            account,
        }
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Box<DecodeError>;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.count == 0 {
            return Ok(None);
        }
        let size = size_of::<T::Value>();
        if self.settled < size.max(1) {
            self.settled = self.account.element(self.decoder, size, self.count)?;
        }
        self.count -= 1;
        seed.deserialize(&mut *self.decoder).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.account.is_believable.then_some(self.count)
    }
}

impl Drop for Elements<'_, '_> {
    #[inline]
    fn drop(&mut self) {
        self.account.close(self.decoder, self.count);
    }
}

/// The entries of a map.
pub(super) struct Entries<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    account: &'a mut Account,
    count: usize,
}

impl<'a, 'de> Entries<'a, 'de> {
    /// As many as the map began by saying.
    #[inline]
    pub(super) fn new(decoder: &'a mut Decoder<'de>, account: &'a mut Account) -> Self {
        Self {
            decoder,
            count: account.count,
            account,
        }
    }
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = Box<DecodeError>;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if self.count == 0 {
            return Ok(None);
        }
        let size = size_of::<K::Value>();
        self.account.key(self.decoder, size, self.count)?;
        self.count -= 1;
        seed.deserialize(&mut *self.decoder).map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let size = size_of::<V::Value>();
        let count = self.count.saturating_add(1);
        self.account.value(self.decoder, size, count)?;
        seed.deserialize(&mut *self.decoder)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.account.is_believable.then_some(self.count)
    }
}

impl Drop for Entries<'_, '_> {
    #[inline]
    fn drop(&mut self) {
        self.account.close(self.decoder, self.count);
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

/// What was announced, and what was charged for it.
pub(super) struct Account {
    /// Elements, or entries, that were announced.
    count: usize,
    /// There were bytes for all of them, at one each. Collections make room for as many as they are
    /// told before their type is known here; those of the standard library stop at 1 MiB.
    is_believable: bool,
    /// What the place of each element, or key, was charged.
    places: usize,
    /// What the place of each value was charged.
    values: usize,
    beyond: Beyond,
    /// What the decoder knew of the element around these.
    outer: (usize, usize),
}

/// What each element costs beyond its place.
#[derive(Clone, Copy)]
enum Beyond {
    /// None has been read.
    Unknown,
    /// The first has been read, and the decoder knows.
    Read,
    /// All that are left are paid for.
    Each(usize),
}

impl Account {
    /// Of as many as a sequence or map begins by saying.
    #[inline]
    pub(super) fn open(decoder: &mut Decoder<'_>) -> Result<Self> {
        let count = decoder.leaf()?;
        Ok(Self {
            count,
            is_believable: decoder.has_bytes_for(count),
            places: 0,
            values: 0,
            beyond: Beyond::Unknown,
            outer: (decoder.beyond, decoder.prepaid),
        })
    }

    /// What a type leaves unread, it would take for the next value.
    #[inline]
    fn close(&self, decoder: &mut Decoder<'_>, unread: usize) {
        decoder.unread = decoder.unread.saturating_add(unread);
        (decoder.beyond, decoder.prepaid) = self.outer;
    }

    /// Before an element: those that are left are paid for. Says what the place of each cost once
    /// they cost no more than that.
    fn element(&mut self, decoder: &mut Decoder<'_>, size: usize, left: usize) -> Result<usize> {
        self.next(decoder, left)?;
        // What is read within puts it back.
        decoder.covered = size;
        if self.places < size.max(1) {
            self.places = self.charge(decoder, size, left)?;
            return Ok(0);
        }
        Ok(match self.beyond {
            Beyond::Each(0) => self.places,
            _ => 0,
        })
    }

    /// Before a key.
    #[inline]
    fn key(&mut self, decoder: &mut Decoder<'_>, size: usize, left: usize) -> Result<()> {
        self.next(decoder, left)?;
        if self.places < size.max(1) {
            self.places = self.charge(decoder, size, left.max(NODE))?;
        }
        decoder.covered = size;
        Ok(())
    }

    /// Before a value.
    #[inline]
    fn value(&mut self, decoder: &mut Decoder<'_>, size: usize, left: usize) -> Result<()> {
        if self.values < size.max(1) {
            self.values = self.charge(decoder, size, left.max(NODE))?;
        }
        decoder.covered = size;
        Ok(())
    }

    /// Before an element, or an entry. What the first must have behind pointers the others have
    /// too: before the second is read, all are paid for.
    #[inline]
    fn next(&mut self, decoder: &mut Decoder<'_>, left: usize) -> Result<()> {
        match self.beyond {
            Beyond::Unknown => {
                self.beyond = Beyond::Read;
                decoder.is_choice = false;
                (decoder.beyond, decoder.prepaid) = (0, 0);
            }
            Beyond::Read => {
                let each = decoder.beyond;
                decoder.charge(each.saturating_mul(left))?;
                self.beyond = Beyond::Each(each);
                decoder.prepaid = each;
            }
            Beyond::Each(each) => decoder.prepaid = each,
        }
        Ok(())
    }

    /// Charges room for as many parts of `size` bytes, and says what each of them cost.
    fn charge(&self, decoder: &mut Decoder<'_>, size: usize, room: usize) -> Result<usize> {
        let cost = if size == 0 || !self.is_believable {
            size.max(TIME)
        } else {
            size
        };
        decoder.charge(allocation(cost.saturating_mul(room)))?;
        Ok(cost)
    }
}

/// What an element without memory, or without bytes, is charged for its time: of 16 MiB, a quarter
/// of a million can be had. They take about a millisecond.
const TIME: usize = 64;

/// Entries for which the smallest `BTreeMap` that is not empty has room.
const NODE: usize = 11;
