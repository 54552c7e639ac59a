//! Values that are nothing but a byte string, with one copy at most.
//!
//! A function that takes one [`Bytes`], or returns one, is given a part of the message and gives away
//! what it has, if that is large. Serde shows a byte string only as a slice, which leaves no choice but to
//! copy it; and a `Vec<u8>` byte by byte, as any other sequence. So these few types are recognised by
//! themselves. What travels is the same.

use std::{
    any::{Any, TypeId},
    mem,
};

use bytes::Bytes;

/// The value that is encoded, if its type is one of these and it is sound, and [large](LEAST) where it is
/// shared. All others are decoded.
pub(crate) fn whole<T: 'static>(encoded: &Bytes) -> Option<T> {
    // Known to the optimizer, which leaves out for all other types what follows.
    if !is_one_of::<T, 4>([
        TypeId::of::<Bytes>(),
        TypeId::of::<(Bytes,)>(),
        TypeId::of::<Vec<u8>>(),
        TypeId::of::<(Vec<u8>,)>(),
    ]) {
        return None;
    }
    let mut value = None;
    fill(encoded, &mut value);
    value
}

fn is_one_of<T: 'static, const N: usize>(types: [TypeId; N]) -> bool {
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

/// The bytes that a value consists of, if its type is one of these and it is [large](LEAST). What is
/// encoded is their number, and then they; the value has done its work.
pub(crate) fn bytes_in<T: 'static>(value: &mut T) -> Option<Bytes> {
    if !is_one_of::<T, 2>([TypeId::of::<Bytes>(), TypeId::of::<Vec<u8>>()]) {
        return None;
    }
    taken(value)
}

fn taken(value: &mut dyn Any) -> Option<Bytes> {
    if let Some(bytes) = value.downcast_ref::<Bytes>() {
        return (bytes.len() >= LEAST).then(|| bytes.clone());
    }
    let bytes = value.downcast_mut::<Vec<u8>>()?;
    // What has much room to spare would keep it until all is sent.
    let is_worth_it = bytes.len() >= LEAST && bytes.capacity() / 2 <= bytes.len();
    is_worth_it.then(|| mem::take(bytes).into())
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
    use crate::{
        codec::{Bounds, decode, encode},
        registry::ByteSlice,
    };

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
