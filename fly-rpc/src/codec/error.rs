//! Why a value cannot be encoded or decoded. For logs: callers learn which side failed, not more.

use std::fmt;

/// Why a value cannot be encoded. It never left this process.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EncodeError {
    /// `skip_serializing_if`, or a `Serialize` like it.
    #[error(
        "field `{field}` of {whole} is left out, and the other side would read what follows in its place. \
         Cure: no `skip_serializing_if`"
    )]
    LeftOut { whole: Whole, field: &'static str },

    /// Fewer parts than were announced.
    #[error("{whole} announces {announced} parts and has {written}")]
    TooFew {
        whole: Whole,
        announced: usize,
        written: usize,
    },

    /// More parts than were announced.
    #[error("{whole} announces {announced} parts and has more")]
    TooMany { whole: Whole, announced: usize },

    /// Postcard writes the number of elements first.
    #[error("{whole} does not know its length. Cure: collect it into a `Vec` first")]
    UnknownLength { whole: Whole },

    /// A key where a value belongs, or the other way round.
    #[error("a map does not alternate between keys and values")]
    Unpaired,

    /// The type's own refusal.
    #[error("{0}")]
    Refused(Box<str>),

    /// A part was refused, and whoever writes the whole went on as if it had not been.
    #[error("an error inside of {whole} was swallowed")]
    Swallowed { whole: Whole },

    /// Postcard's refusal.
    #[error(transparent)]
    Postcard(#[from] postcard::Error),
}

/// What has parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    Sequence,
    Map,
    Tuple,
    Struct(&'static str),
    Variant(&'static str, &'static str),
}

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence => f.write_str("a sequence"),
            Self::Map => f.write_str("a map"),
            Self::Tuple => f.write_str("a tuple"),
            Self::Struct(name) => write!(f, "`{name}`"),
            Self::Variant(name, variant) => write!(f, "`{name}::{variant}`"),
        }
    }
}

impl serde::ser::Error for EncodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Refused(message.to_string().into())
    }
}

/// Why bytes are not the value that was asked for, or would cost too much to find out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    /// More levels of nesting than the stack is trusted with.
    #[error("the value is nested deeper than {limit} levels")]
    TooDeep { limit: usize },

    /// More memory than the value may take, or more elements that take none.
    #[error("the value asks for more than {limit} bytes of memory")]
    TooMuchMemory { limit: usize },

    /// The other side encoded something else.
    #[error("bytes left behind the value: {count}")]
    TrailingBytes { count: usize },

    /// The type stopped before the end of a sequence or map: what follows would be misread.
    #[error("elements of a sequence or map that were not read: {count}")]
    Unread { count: usize },

    /// The bytes are no such value.
    #[error("the bytes are malformed: {0}")]
    Malformed(#[from] postcard::Error),

    /// The type's own refusal.
    #[error("{0}")]
    Refused(Box<str>),
}

impl serde::de::Error for Box<DecodeError> {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(DecodeError::Refused(message.to_string().into()))
    }
}
