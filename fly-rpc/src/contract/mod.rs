//! What two builds must agree on before one calls the other: the types of a function, found by watching serde read them.
//!
//! Postcard writes values and nothing else. Whoever reads bytes as a type other than the one they were written from gets a
//! wrong answer, not an error. So beside a function's name and version travels a [`Fingerprint`] of its whole type tree. It needs no
//! derive of ours and covers types of other crates: a tracing `Deserializer` hands made-up values to each type's
//! `Deserialize` and notes what it asks for. The result says what serde sees, which is exactly what travels.
//!
//! # What is in the fingerprint
//!
//! Kinds, order and nesting, and serde's names of structs, fields and variants. Names do not travel, but they alone
//! show that two fields of one type changed places, or that a `Metres` became a `Feet`. The same holds for **parameter
//! names**, which are therefore in it too: renaming a parameter is a change of the contract, and needs a new version.
//!
//! Not in it: the function's name and version (they travel beside it), the Rust path of a type, `Box`, `Arc`, `Cow` and references, and
//! which collection a sequence or map is read into. A sequence of `u8` is a byte string, since their bytes are the same.
//!
//! # What it cannot see
//!
//! A type that accepts none of the samples is *opaque*: known by its Rust path and the kind that it asks for. The other fields
//! of a struct around it are still seen, and so are the other arguments; of a tuple, what stands behind it is known only by
//! its Rust type's name. Such a position says `opaque` in the text of the contract. What `Serialize` writes is compared with
//! what `Deserialize` reads for every value that could be built (`mirror.rs`); a difference is refused when a node starts.
//!
//! # How it is made
//!
//! `arguments.rs` takes the arguments apart, `tracer.rs` walks (serde drives it through `tracer/deserializer.rs`, with
//! `samples.rs`), `shape.rs` holds what it finds, `canonical.rs` reduces that to one form, `tree.rs` writes that down as bytes, of which `fingerprint.rs` is
//! the hash, and `text.rs` spells it.

use std::{fmt, panic::resume_unwind, thread};

use serde::{Serialize, de::DeserializeOwned};

use self::place::Identified;

mod arguments;
mod canonical;
mod error;
mod fingerprint;
mod mirror;
mod place;
mod recorder;
mod samples;
mod shape;
mod text;
mod tracer;
mod tree;

pub(crate) use self::{arguments::Arguments, canonical::Graph, tree::SCHEME};
#[cfg(any(test, feature = "cli"))]
pub(crate) use self::{
    canonical::{Content, Label, Node, Variant},
    tree::decode as decode_tree,
};
pub use self::{error::ContractError, fingerprint::Fingerprint};

/// The types of one function: what is compared, and how it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    fingerprint: Fingerprint,
    text: String,
}

impl Contract {
    /// What is compared before a call: equal fingerprints read each other's bytes.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The same for people: `create_post@2(author: u64, body: str) -> Result<Post { id: u64 }, PostError { Empty | TooLong(u64) }>`.
    ///
    /// A type is shown in full once and by its name afterwards; `^1` stands for a nameless type so many levels further out.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The contract of the function `name@version`, whose arguments are the tuple `A` (`()` if there are none), named by
/// `parameters`, and whose return value is an `R`.
///
/// It is the same in every process and build that has these types, whatever else is in it.
///
/// # Errors
///
/// A type that postcard would misread or fail on; see [`ContractError`].
pub(crate) fn trace<A, R>(
    name: &str,
    version: u32,
    parameters: &[&'static str],
) -> Result<Contract, ContractError>
where
    A: Arguments<'static>,
    R: DeserializeOwned + Serialize,
{
    let types = Types::of::<A, R>();
    types.described(name, version, parameters, |graph, function| Contract {
        fingerprint: Fingerprint::of(&tree::encode(graph)),
        text: text::render(graph, function),
    })
}

/// The tree of the same function, for who spells values by it (PROTOCOL.md, *The tree of a contract*). Its
/// hash is the fingerprint.
///
/// # Errors
/// As [`trace`].
pub(crate) fn tree<A, R>(
    name: &str,
    version: u32,
    parameters: &[&'static str],
) -> Result<Vec<u8>, ContractError>
where
    A: Arguments<'static>,
    R: DeserializeOwned + Serialize,
{
    let types = Types::of::<A, R>();
    types.described(name, version, parameters, |graph, _| tree::encode(graph))
}

/// A function's types, behind one pointer: what is done with them is compiled once, and not for each function.
struct Types {
    arguments: Vec<&'static str>,
    output: &'static str,
    read: tracer::Read,
}

impl Types {
    fn of<A, R>() -> Self
    where
        A: Arguments<'static>,
        R: DeserializeOwned + Serialize,
    {
        Self {
            arguments: arguments::type_names::<A>(),
            output: std::any::type_name::<R>(),
            read: tracer::read::<A, R>,
        }
    }

    /// What `describe` makes of them.
    fn described<T: Send>(
        &self,
        name: &str,
        version: u32,
        parameters: &[&'static str],
        describe: fn(&Graph, Identified<'_>) -> T,
    ) -> Result<T, ContractError> {
        let function = Identified {
            name,
            version,
            parameters,
            types: &self.arguments,
            output: self.output,
        };
        let walk = || {
            let table = tracer::walk(self.read, function)?;
            Ok(describe(&Graph::new(&table, function), function))
        };
        thread::scope(|scope| {
            let thread = thread::Builder::new()
                .name("fly-rpc contract".to_owned())
                .stack_size(STACK);
            match thread.spawn_scoped(scope, walk) {
                Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                // No thread to be had: nearly every type is content with the stack that is left here.
                Err(_) => walk(),
            }
        })
    }
}

/// Stack for one walk, which is as deep as the deepest type (up to `tracer::MAX_DEPTH` levels). Without optimisation, a level of
/// an enum with hundreds of variants takes tens of kilobytes, and the caller's thread may be small. Only what is used is paid for.
const STACK: usize = 32 << 20;

#[cfg(test)]
mod tests;
