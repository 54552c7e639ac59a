//! Who has no figure, where, and for which reason.

use std::fmt;

use bench_figures::Runtime;

use crate::{placement::Placement, scenario::Work, side::Side};

/// Something that was not measured.
#[derive(Clone, Debug)]
pub struct Missing {
    pub(crate) side: Option<Side>,
    pub(crate) runtime: Runtime,
    pub(crate) placement: Placement,
    /// The only work that it is missing from, if it is missing from one only.
    pub(crate) work: Option<Work>,
    /// Why.
    pub reason: String,
}

impl Missing {
    /// True if this is why one of `sides` has no figure in `work`.
    pub(crate) fn explains(&self, work: Work, sides: &[Side]) -> bool {
        (self.runtime, self.placement) == (work.runtime, work.placement)
            && self.work.is_none_or(|only| only == work)
            && self.side.is_none_or(|side| sides.contains(&side))
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.side {
            Some(side) => write!(f, "{side}, ")?,
            None => f.write_str("all, ")?,
        }
        match self.work {
            Some(work) => write!(f, "{work}")?,
            None => write!(f, "{}, {}", self.runtime, self.placement)?,
        }
        write!(f, ": {}", self.reason)
    }
}
