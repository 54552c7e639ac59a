//! What fly-rpc and its peers carry between two processes of one machine.
//!
//! A closed loop: so many callers, each of which makes its next call when it has the answer of the
//! last. All peers take turns in each round, in an order that moves on from round to round; their
//! processes live through the whole run, and idle ones do nothing. A peer that fails is named with
//! its reason, and has no figure.

mod beside;
mod driver;
mod missing;
mod placement;
mod program;
mod run;
mod scenario;
mod server;
mod side;
mod tables;
mod targets;

pub use beside::Beside;
pub use missing::Missing;
pub use placement::Placement;
pub use program::program;
pub use run::{Cell, Near, measure};
pub use scenario::{Scenario, Work, scenarios};
pub use server::serve_if_asked;
pub use side::Side;
