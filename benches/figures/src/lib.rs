//! How figures are taken, compared, judged and shown, whatever they measure.
//!
//! The machine under a benchmark is never quiet, so nothing here compares two figures that were
//! taken one after the other: what is compared runs in turns, round by round, and the figure is the
//! median of the rounds beside its spread.

mod rounds;
mod runtime;
mod verdict;

pub use rounds::{Effort, Figure, median_of};
pub use runtime::Runtime;
pub use verdict::Promise;
