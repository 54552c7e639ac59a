//! What the attribute costs when a program is built: time and bytes per function.
//!
//! Crates of 10, 100 and 1 000 functions are written, each three times: without the attribute, with
//! it, and with it and one call of every stub. All else is alike: the same types, the same use of
//! every function, the same node in `main`; so what differs is the attribute's. What a function costs
//! is the slope between the sizes, in which everything that is paid once is absent.

mod measure;
mod project;
mod report;
mod source;

pub use measure::measure;
pub use project::{Built, Profile, Project};
pub use report::{Cell, Price};
pub use source::{Variant, program};
