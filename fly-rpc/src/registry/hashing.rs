//! How functions are looked up: by a type, which is a hash already, and by a name.
//!
//! Both tables hold what the program registered and nothing else. A peer chooses what is looked up,
//! but not what is there: it cannot make two keys collide, and the standard library's protection
//! against those who can would cost more than the rest of the look-up.

use std::hash::{BuildHasherDefault, Hasher};

/// Hashes a `TypeId` as it is.
pub(super) type AsItIs = BuildHasherDefault<Taken>;
/// Hashes a short text.
pub(super) type ByText = BuildHasherDefault<Fnv>;

/// The last number that was written.
#[derive(Debug, Default)]
pub(super) struct Taken(u64);

impl Hasher for Taken {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    /// A `TypeId` writes one number of 64 bits. Should that change, this is right too, and slower.
    fn write(&mut self, bytes: &[u8]) {
        let mut hasher = Fnv::default();
        hasher.write(bytes);
        self.0 ^= hasher.finish();
    }
}

/// FNV-1a of 64 bits.
#[derive(Debug)]
pub(super) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        any::TypeId,
        hash::{BuildHasher, Hash},
    };

    use super::*;

    #[test]
    fn a_type_is_its_own_hash() {
        struct Numbers(usize);

        impl Hasher for Numbers {
            fn finish(&self) -> u64 {
                0
            }
            fn write(&mut self, _bytes: &[u8]) {
                panic!("a type writes something else than one number: it would be hashed again");
            }
            fn write_u64(&mut self, _number: u64) {
                self.0 += 1;
            }
        }

        let mut numbers = Numbers(0);
        TypeId::of::<String>().hash(&mut numbers);
        assert_eq!(numbers.0, 1);
        let hash = |id: TypeId| AsItIs::default().hash_one(id);
        assert_ne!(hash(TypeId::of::<String>()), hash(TypeId::of::<u8>()));
    }

    #[test]
    fn texts_hash_as_the_definition_says() {
        // Test vectors of draft-eastlake-fnv.
        for (text, hash) in [
            ("", 0xcbf2_9ce4_8422_2325),
            ("a", 0xaf63_dc4c_8601_ec8c),
            ("foobar", 0x8594_4171_f739_67e8),
        ] {
            let mut hasher = Fnv::default();
            hasher.write(text.as_bytes());
            assert_eq!(hasher.finish(), hash, "{text}");
        }
    }
}
