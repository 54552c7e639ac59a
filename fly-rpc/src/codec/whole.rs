//! Values that are nothing but a byte string, with one copy at most.
//!
//! A function that takes one [`Bytes`], or returns one, is given a part of the message and gives away
//! what it has, if that is large; what its caller passes is sent as it is then. Serde shows a byte string only as a slice, which leaves no choice but to
//! copy it; and a `Vec<u8>` byte by byte, as any other sequence. So these few types are recognised by
//! themselves. What travels is the same.

use std::{
    any::{Any, TypeId},
    mem,
};

use bytes::Bytes;

use super::{encode, encoded::Encoded};
use crate::{fence::discard, registry::ByteSlice};

/// The value that is encoded, if its type is one of these and it is sound, and [large](LEAST) where it is
/// shared. All others are decoded.
pub(crate) fn whole<T: 'static>(encoded: &Bytes) -> Option<T> {
    if !is_bytes::<T>() {
        return None;
    }
    let mut value = None;
    fill(encoded, &mut value);
    value
}

/// True for these types. The optimizer knows, and leaves out for all others what they have no need of.
pub(crate) fn is_bytes<T: 'static>() -> bool {
    let types = [
        TypeId::of::<Bytes>(),
        TypeId::of::<(Bytes,)>(),
        TypeId::of::<Vec<u8>>(),
        TypeId::of::<(Vec<u8>,)>(),
    ];
    types.contains(&TypeId::of::<T>())
}

/// Puts the value into its place, which is an `Option` of one of these types.
fn fill(encoded: &Bytes, place: &mut dyn Any) {
    if let Some(shared) = place.downcast_mut::<Option<Bytes>>() {
        *shared = share(encoded);
    } else if let Some(arguments) = place.downcast_mut::<Option<(Bytes,)>>() {
        *arguments = share(encoded).map(|bytes| (bytes,));
    } else if let Some(owned) = place.downcast_mut::<Option<Vec<u8>>>() {
        *owned = bytes_of(encoded).map(<[u8]>::to_vec);
    } else if let Some(arguments) = place.downcast_mut::<Option<(Vec<u8>,)>>() {
        *arguments = bytes_of(encoded).map(|bytes| (bytes.to_vec(),));
    }
}

/// The bytes that a value consists of, if it is a lone `Bytes` or `Vec<u8>` and [large](LEAST). What is
/// encoded is their number, and then they; the value has done its work.
pub(crate) fn bytes_in<T: 'static>(value: &mut T) -> Option<Bytes> {
    if !is_bytes::<T>() {
        return None;
    }
    let value: &mut dyn Any = value;
    if let Some(bytes) = value.downcast_ref::<Bytes>() {
        return given_away(bytes);
    }
    emptied(value.downcast_mut::<Vec<u8>>()?)
}

/// A function's lone argument as it is sent, if it is a `Bytes` or a `Vec<u8>`: a [large](LEAST) one is not
/// copied. The argument has done its work.
pub(crate) fn arguments_in(arguments: &mut dyn Any) -> Option<Encoded> {
    let (shared, few) = if let Some((bytes,)) = arguments.downcast_ref::<(Bytes,)>() {
        (given_away(bytes), &bytes[..])
    } else {
        let (bytes,) = arguments.downcast_mut::<(Vec<u8>,)>()?;
        (emptied(bytes), &bytes[..])
    };
    match shared {
        Some(bytes) => Some(Encoded::counted(bytes)),
        None => encode(&ByteSlice(few)).ok().map(Encoded::from),
    }
}

fn given_away(bytes: &Bytes) -> Option<Bytes> {
    (bytes.len() >= LEAST).then(|| Bytes::from_owner(Fenced(bytes.clone())))
}

fn emptied(bytes: &mut Vec<u8>) -> Option<Bytes> {
    // What has much room to spare would keep it until all is sent.
    let is_worth_it = bytes.len() >= LEAST && bytes.capacity() / 2 <= bytes.len();
    is_worth_it.then(|| mem::take(bytes).into())
}

/// The application's bytes on their way: who owns them may panic when the last of them are sent, which is inside of
/// QUIC.
struct Fenced(Bytes);

impl AsRef<[u8]> for Fenced {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Fenced {
    fn drop(&mut self) {
        discard(mem::take(&mut self.0));
    }
}

fn share(encoded: &Bytes) -> Option<Bytes> {
    let bytes = bytes_of(encoded).filter(|bytes| bytes.len() >= LEAST)?;
    Some(encoded.slice_ref(bytes))
}

/// What follows its own length, if that is all.
fn bytes_of(encoded: &[u8]) -> Option<&[u8]> {
    let (length, bytes) = postcard::take_from_bytes::<usize>(encoded).ok()?;
    (length == bytes.len()).then_some(bytes)
}

/// Bytes from which on a copy is spared. A part keeps the whole in memory: that of what is as large
/// as this is a message of its own, what is smaller may be a part of a packet among others.
const LEAST: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Bounds, decode};

    const BOUNDS: Bounds = Bounds {
        depth: 8,
        memory: 1 << 20,
    };

    fn encoded(size: usize) -> Bytes {
        encode(&ByteSlice(&vec![7; size])).expect("bytes")
    }

    #[test]
    fn a_large_byte_string_is_a_part_of_what_it_came_in() {
        let encoded = encoded(LEAST);
        let (shared,) = whole::<(Bytes,)>(&encoded).expect("large");
        assert_eq!(shared, vec![7; LEAST]);
        assert!(encoded.as_ptr_range().contains(&shared.as_ptr()));
        assert_eq!(whole::<Bytes>(&encoded), Some(shared));
    }

    #[test]
    fn a_large_lone_argument_is_sent_as_it_is_but_for_room_that_nobody_needs() {
        let shared = Bytes::from(vec![7; LEAST]);
        let encoded = arguments_in(&mut (shared.clone(),)).expect("bytes");
        assert_eq!(sent(&encoded), (shared.as_ptr(), LEAST + 3));
        let full = vec![7; LEAST];
        let place = full.as_ptr();
        let encoded = arguments_in(&mut (full,)).expect("bytes");
        assert_eq!(sent(&encoded), (place, LEAST + 3));
        let mut roomy = Vec::with_capacity(LEAST * 4);
        roomy.extend([7; LEAST]);
        let few = shared.slice(..100);
        for (place, copied, size) in [
            (roomy.as_ptr(), arguments_in(&mut (roomy,)), LEAST + 3),
            (few.as_ptr(), arguments_in(&mut (few,)), 101),
        ] {
            let (copy, bytes) = sent(&copied.expect("bytes"));
            assert!(copy != place && bytes == size);
        }
        assert!(arguments_in(&mut (String::from("text"),)).is_none());
        assert!(arguments_in(&mut (shared, 7)).is_none());
    }

    /// Where its bytes are, and how many are sent.
    fn sent(encoded: &Encoded) -> (*const u8, usize) {
        let mut count = Default::default();
        (encoded.body(&mut count).rest.as_ptr(), encoded.len())
    }

    #[test]
    fn a_plain_vector_of_bytes_is_copied_as_one_and_what_the_decoder_makes_of_it() {
        for size in [0, 1, 127, 128, LEAST, 1 << 20] {
            let encoded = encoded(size);
            let (copy,) = whole::<(Vec<u8>,)>(&encoded).expect("sound");
            assert_eq!(copy, vec![7; size]);
            assert_eq!(whole(&encoded), Some(copy.clone()));
            let decoded: Vec<u8> = decode(&encoded, BOUNDS).expect("sound");
            assert_eq!(decoded, copy);
        }
    }

    #[test]
    fn what_is_small_of_another_type_or_broken_is_left_to_the_decoder() {
        let (small, large) = (encoded(LEAST - 1), encoded(LEAST));
        assert_eq!(whole::<Bytes>(&small), None);
        assert_eq!(whole::<Vec<i8>>(&large), None);
        assert_eq!(whole::<(Bytes, u8)>(&large), None);
        let cut = large.slice(..LEAST);
        let longer = Bytes::from([&large[..], &[0]].concat());
        let endless = Bytes::from(vec![0xff; 2 * LEAST]);
        for broken in [Bytes::new(), cut, longer, endless] {
            assert_eq!(whole::<Bytes>(&broken), None);
            assert_eq!(whole::<Vec<u8>>(&broken), None);
            assert_eq!(whole::<(Vec<u8>,)>(&broken), None);
        }
    }

    #[test]
    fn only_a_large_byte_string_is_given_away() {
        let (mut small, mut large) = (vec![7; LEAST - 1], vec![7; LEAST]);
        assert_eq!(bytes_in(&mut small), None);
        assert_eq!(bytes_in(&mut Bytes::from(small)), None);
        let place = large.as_ptr();
        let given = bytes_in(&mut large).expect("large");
        assert_eq!((&given[..], given.as_ptr()), (&[7; LEAST][..], place));
        assert_eq!(bytes_in(&mut given.clone()), Some(given));
        assert_eq!(bytes_in(&mut vec![7_i8; LEAST]), None);
        let mut roomy = Vec::with_capacity(3 * LEAST);
        roomy.resize(LEAST, 7_u8);
        assert_eq!(bytes_in(&mut roomy), None);
    }
}
