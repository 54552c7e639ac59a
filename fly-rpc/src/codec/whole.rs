//! Large values that are nothing but a byte string, without a copy.
//!
//! A function that takes one [`Bytes`], or returns one, is given a part of the message and gives away
//! what it has. Serde shows a byte string only as a slice, which leaves no choice but to copy it;
//! so these few types are recognised by themselves. What travels is the same.

use std::any::Any;

use bytes::Bytes;

/// The value that is encoded, if its type is one of these and it is [large](LEAST) and sound. All
/// others are decoded.
pub(crate) fn share<T: 'static>(encoded: &Bytes) -> Option<T> {
    let mut value: Option<T> = None;
    let place: &mut dyn Any = &mut value;
    if let Some(whole) = place.downcast_mut::<Option<Bytes>>() {
        *whole = bytes_of(encoded);
    } else if let Some(arguments) = place.downcast_mut::<Option<(Bytes,)>>() {
        *arguments = bytes_of(encoded).map(|bytes| (bytes,));
    }
    value
}

/// The bytes that a value consists of, if its type is one of these and it is [large](LEAST). What is
/// encoded is their number, and then they.
pub(crate) fn bytes_in<T: 'static>(value: &T) -> Option<&Bytes> {
    let value: &dyn Any = value;
    let bytes = value.downcast_ref::<Bytes>();
    bytes.filter(|bytes| bytes.len() >= LEAST)
}

fn bytes_of(encoded: &Bytes) -> Option<Bytes> {
    let (length, bytes) = postcard::take_from_bytes::<usize>(encoded).ok()?;
    (length == bytes.len() && length >= LEAST).then(|| encoded.slice_ref(bytes))
}

/// Bytes from which on a copy is spared. A part keeps the whole in memory: that of what is as large
/// as this is a message of its own, what is smaller may be a part of a packet among others.
const LEAST: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{codec::encode, registry::ByteSlice};

    fn encoded(size: usize) -> Bytes {
        encode(&ByteSlice(&vec![7; size])).expect("bytes")
    }

    #[test]
    fn a_large_byte_string_is_a_part_of_what_it_came_in() {
        let encoded = encoded(LEAST);
        let (shared,) = share::<(Bytes,)>(&encoded).expect("large");
        assert_eq!(shared, vec![7; LEAST]);
        assert!(encoded.as_ptr_range().contains(&shared.as_ptr()));
        assert_eq!(share::<Bytes>(&encoded), Some(shared));
    }

    #[test]
    fn what_is_small_of_another_type_or_broken_is_left_to_the_decoder() {
        let (small, large) = (encoded(LEAST - 1), encoded(LEAST));
        assert_eq!(share::<Bytes>(&small), None);
        assert_eq!(share::<Vec<u8>>(&large), None);
        assert_eq!(share::<(Bytes, u8)>(&large), None);
        assert_eq!(share::<Bytes>(&large.slice(..LEAST)), None);
        assert_eq!(share::<Bytes>(&[&large[..], &[0]].concat().into()), None);
        assert_eq!(share::<Bytes>(&Bytes::from(vec![0xff; 2 * LEAST])), None);
    }

    #[test]
    fn only_a_large_byte_string_is_given_away() {
        let (small, large) = (vec![7; LEAST - 1], vec![7; LEAST]);
        assert_eq!(bytes_in(&Bytes::from(small)), None);
        assert_eq!(bytes_in(&large), None);
        let large = Bytes::from(large);
        assert_eq!(bytes_in(&large), Some(&large));
    }
}
