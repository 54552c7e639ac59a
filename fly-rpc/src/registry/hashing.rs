//! How functions are looked up: by a type, which is a hash already, and by a name.
//!
//! Both tables hold what the program registered and nothing else. A peer chooses what is looked up,
//! but not what is there: it cannot make two keys collide, and the standard library's protection
//! against those who can would cost more than the rest of the look-up.

use std::hash::{BuildHasherDefault, Hasher};

use crate::fnv::Fnv;

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
}
