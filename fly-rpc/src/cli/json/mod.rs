//! Values as JSON, spelled by the contract of the function that takes or returns them.
//!
//! Postcard writes no names and no types, so only the contract's tree says what the bytes mean. What people write
//! is made into the bytes that serde would write (`encode.rs`), and an answer into what people read (`decode.rs`).
//! Both are exact: what JSON cannot tell apart has a spelling of its own, and what does not fit is refused with the
//! place, what was expected there and what came.
//!
//! The forms are those of `serde_json`, with these differences:
//!
//! | type | form |
//! |---|---|
//! | bytes, also a `Vec<u8>` | base64; an array of numbers is taken too |
//! | an option of what may be `null` itself | `null`, or `{"Some": …}` |
//! | a map whose keys are no texts, numbers or names | an array of pairs |
//! | a float that is no number | `"NaN"`, `"Infinity"`, `"-Infinity"` |

use crate::contract::Graph;

mod base64;
mod decode;
mod encode;
mod misfit;
mod parse;
mod shape;
mod value;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use self::{
    decode::output, encode::arguments, parse::parse, value::Json, write::is_obeyed,
};

/// True if the function returns a `Result`.
pub(crate) fn is_result(graph: &Graph) -> bool {
    shape::Types(graph).is_result()
}

/// Levels of nesting, in JSON and in a contract: more than any node takes (`Limits::decode_depth`).
const DEPTH: usize = 128;
