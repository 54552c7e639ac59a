//! Bounded decoding: what a peer sends is refused before it costs more than it may.
//!
//! Postcard reads the leaves (`deserializer.rs` hands them on). Whatever holds other values is read
//! here (`access.rs`, `variant.rs`), so that each level of nesting is counted, and memory is
//! charged to a budget before it is filled.
//!
//! # What is charged
//!
//! - The elements of a sequence or map, all at once, when the first of them is asked for and its
//!   type is therefore known. Refusing a lie costs nothing then, and an honest sequence one
//!   multiplication. Elements without memory, or without bytes, are charged for the time they take.
//! - What stands inside a place is paid for with it. What is larger than the place that it is read
//!   for must stand behind a pointer, and is charged by itself. If the first element of a sequence
//!   has such parts, and it is no choice of the sender that it has them, the others have them too:
//!   they are charged before the second is read.
//! - Owned strings are charged their length.
//! - Each of these that is an allocation of its own is charged an allocator's header too.
//!
//! # What is not
//!
//! What allocators round up, and the spare room of collections. They are a constant factor: two for
//! a string of a single byte. A pointer to what is no larger than itself cannot be seen here at all:
//! a `Box` around a single byte takes five times what it is charged. The smallest node of a B-tree
//! has room for eleven entries, so a map pays for as many; a `BTreeSet` of one element cannot be
//! told from a `Vec` and does not.

use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};

use super::DecodeError;

mod access;
mod deserializer;
mod variant;

/// What decoding one value may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Levels of nesting.
    pub(crate) depth: usize,
    /// Bytes of memory; of a large message eight times its own size, if that is more.
    pub(crate) memory: usize,
}

impl From<&fly_rpc_transport::Limits> for Bounds {
    fn from(limits: &fly_rpc_transport::Limits) -> Self {
        Self {
            depth: limits.decode_depth,
            memory: limits.decode_memory,
        }
    }
}

/// Boxed, because a result that fits into registers makes decoding 5 % faster.
type Result<T> = std::result::Result<T, Box<DecodeError>>;

/// Postcard with a budget.
pub(super) struct Decoder<'de> {
    /// What is still to be read.
    input: postcard::Deserializer<'de, postcard::de_flavors::Slice<'de>>,
    /// The bounds of this value.
    bounds: Bounds,
    /// What is left of them.
    left: Bounds,
    /// How much of what is read next is paid for, because the place it is read for is.
    covered: usize,
    /// What is read next is there because of what was sent, not because of its type alone.
    is_choice: bool,
    /// What the element that is being read was charged beyond its place, and must be: no choice.
    beyond: usize,
    /// How much of that was charged with the first element.
    prepaid: usize,
    /// Elements that were announced and not read.
    unread: usize,
    /// The first refusal. Some types take an error for an answer and go on; after one of these,
    /// nothing they find is right.
    refusal: Option<DecodeError>,
}

impl<'de> Decoder<'de> {
    /// A decoder for a value of `size` bytes, the place for which its reader has.
    pub(super) fn new(input: &'de [u8], bounds: Bounds, size: usize) -> Self {
        let bounds = Bounds {
            memory: bounds.memory.max(input.len().saturating_mul(EXPANSION)),
            ..bounds
        };
        Self {
            input: postcard::Deserializer::from_bytes(input),
            bounds,
            left: bounds,
            covered: size,
            is_choice: false,
            beyond: 0,
            prepaid: 0,
            unread: 0,
            refusal: None,
        }
    }

    /// The value, if nothing was refused on the way and everything was read.
    pub(super) fn finish<T>(self, value: Result<T>) -> std::result::Result<T, DecodeError> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        let value = value.map_err(|error| *error)?;
        match (self.unread, self.input.finalize()?.len()) {
            (0, 0) => Ok(value),
            (0, count) => Err(DecodeError::TrailingBytes { count }),
            (count, _) => Err(DecodeError::Unread { count }),
        }
    }

    /// Reads what postcard reads alone.
    #[inline]
    fn leaf<T: Deserialize<'de>>(&mut self) -> Result<T> {
        T::deserialize(&mut self.input).map_err(|error| self.refuse(error.into()))
    }

    /// Goes one level down, into a value of `size` bytes.
    #[inline]
    fn nested<T>(&mut self, size: usize, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let Some(depth) = self.left.depth.checked_sub(1) else {
            let limit = self.bounds.depth;
            return Err(self.refuse(DecodeError::TooDeep { limit }));
        };
        if size > self.covered {
            self.charge_beyond(allocation(size))?;
        }
        let outer = (self.covered, self.left.depth, self.is_choice);
        (self.covered, self.left.depth) = (size, depth);
        let value = read(self);
        (self.covered, self.left.depth, self.is_choice) = outer;
        value
    }

    /// Charges what stands behind a pointer.
    fn charge_beyond(&mut self, bytes: usize) -> Result<()> {
        if self.is_choice {
            return self.charge(bytes);
        }
        self.beyond = self.beyond.saturating_add(bytes);
        let due = bytes.saturating_sub(self.prepaid);
        self.prepaid = self.prepaid.saturating_sub(bytes);
        self.charge(due)
    }

    #[inline]
    fn charge(&mut self, bytes: usize) -> Result<()> {
        let Some(left) = self.left.memory.checked_sub(bytes) else {
            let limit = self.bounds.memory;
            return Err(self.refuse(DecodeError::TooMuchMemory { limit }));
        };
        self.left.memory = left;
        Ok(())
    }

    /// Whether there are bytes for so many elements, at one each. Postcard knows: then it gives a
    /// size hint.
    #[inline]
    fn has_bytes_for(&mut self, count: usize) -> bool {
        matches!(self.input.deserialize_tuple(count, Hint), Ok(Some(_)))
    }

    /// From here on everything is refused.
    #[cold]
    fn refuse(&mut self, reason: DecodeError) -> Box<DecodeError> {
        self.input = postcard::Deserializer::from_bytes(&[]);
        self.left.memory = 0;
        Box::new(self.refusal.get_or_insert(reason).clone())
    }
}

/// Asks for a size hint and reads nothing.
struct Hint;

impl<'de> Visitor<'de> for Hint {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a number of elements")
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(
        self,
        elements: A,
    ) -> std::result::Result<Option<usize>, A::Error> {
        Ok(elements.size_hint())
    }
}

/// What an allocation of so many bytes is charged.
#[inline]
fn allocation(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        _ => bytes.saturating_add(HEADER),
    }
}

/// What an allocator keeps beside each allocation: a word, in that of glibc.
const HEADER: usize = 8;

/// Memory that an honest value may take for each of its bytes: that of a `Vec<u64>` of small
/// numbers.
const EXPANSION: usize = 8;
