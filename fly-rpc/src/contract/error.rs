//! Why a function cannot have a contract.

/// A type that must not travel, found before anything is sent. Nothing ran.
///
/// Each variant names the function, the way from its argument or return value to the type, and the cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContractError {
    /// The type asks the format what comes next (`deserialize_any` and its kin), and postcard, which writes no names and no
    /// types, has no answer. Every call would fail, or read one thing as another.
    #[error(
        "{function}, {place}: `{rust_type}` can only be read from a format that describes itself, as JSON does. \
         Cure: write the enum without `untagged`, `tag` or `content`, and the struct without `flatten`; a type of another crate needs \
         `#[serde(with = ...)]` with its form for binary formats (for a decimal, its string)"
    )]
    NeedsSelfDescribing {
        /// The function, as `name@version`.
        function: String,
        /// The way to the type.
        place: String,
        /// The Rust name of the type.
        rust_type: String,
    },

    /// What `Serialize` writes is not what `Deserialize` reads.
    #[error(
        "{function}, {place}: `{rust_type}` is not written as it is read: {difference}. \
         Cure: let `Serialize` and `Deserialize` agree; no `skip_serializing_if`, `skip` and `with` in both directions or in none, skipped \
         variants last"
    )]
    ShapeDiffers {
        /// The function, as `name@version`.
        function: String,
        /// The way to the type.
        place: String,
        /// The Rust name of the type.
        rust_type: String,
        /// What was read and what was written.
        difference: String,
    },

    /// The type reads one thing in one value and another in the next, in a way that serde's data model does not show.
    #[error(
        "{function}, {place}: `{rust_type}` does not always read the same parts. \
         Cure: make what it depends on the variant of an enum"
    )]
    Changing {
        /// The function, as `name@version`.
        function: String,
        /// The way to the type.
        place: String,
        /// The Rust name of the type.
        rust_type: String,
    },

    /// No value of the type ends.
    #[error(
        "{function}, {place}: `{rust_type}` is nested more than {limit} levels deep, or never ends. \
         Cure: let the recursion pass through an `Option`, a `Vec` or a variant that ends it"
    )]
    TooDeep {
        /// The function, as `name@version`.
        function: String,
        /// The way to the type.
        place: String,
        /// The Rust name of the type.
        rust_type: String,
        /// The bound.
        limit: usize,
    },

    /// The type has more parts than a contract can describe.
    #[error(
        "{function}, {place}: `{rust_type}` has too many parts (describing it took more than {limit} steps). \
         Cure: send large tables as a `Vec` or as bytes"
    )]
    TooLarge {
        /// The function, as `name@version`.
        function: String,
        /// The way to the type.
        place: String,
        /// The Rust name of the type.
        rust_type: String,
        /// The bound.
        limit: usize,
    },
}
