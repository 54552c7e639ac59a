//! The functions of this program: what the attribute registered, checked once and found by name and
//! version.

mod answers;
mod entry;
mod function;
mod hashing;
mod states;
mod table;

pub use entry::{Entry, Pin, Spec};
pub use function::{ByteSlice, Function, Scope};
pub use states::StateType;
pub(crate) use states::States;
pub(crate) use table::{Registered, Registry, Served, registered, registered_of};
