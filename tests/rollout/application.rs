//! The application of the roll-out test: what both builds share.

mod process;
mod shop;
mod traffic;

pub(crate) use process::run;
pub(crate) use shop::{FUNCTIONS, Receipt, Shop};
pub(crate) use traffic::Traffic;
