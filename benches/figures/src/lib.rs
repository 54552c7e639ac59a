//! How figures are taken, compared, judged and shown, whatever they measure.
//!
//! The machine under a benchmark is never quiet, so nothing here compares two figures that were
//! taken one after the other: what is compared runs in turns, round by round, and the figure is the
//! median of the rounds beside its spread. A ratio is taken within each round and only then summed
//! up, so that whatever slowed a round down slowed both sides.

mod effort;
mod figure;
mod plot;
mod rounds;
mod runtime;
mod table;
mod verdict;

pub use effort::Effort;
pub use figure::{Figure, median_of};
pub use plot::{Axis, Bars, Lines};
pub use rounds::Rounds;
pub use runtime::Runtime;
pub use table::{Align, Table};
pub use verdict::{Bound, Promise, Verdict};
