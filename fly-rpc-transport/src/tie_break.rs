//! Which of two connections between the same two nodes stays. Pure, and the same on both sides.
//!
//! Two nodes that dial each other at once end up with two connections. Both see the same facts
//! about each, so both can decide alone, without a message: a later life of a node beats an earlier
//! one; then the connection that the smaller node id dialled; then the one that was dialled last.

use std::cmp::Ordering;

use crate::name::NodeId;

/// What both ends know of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Which life of the peer it leads to.
    pub(crate) incarnation: u64,
    /// Who dialled it.
    pub(crate) dialler: NodeId,
    /// The dialler's count of dials.
    pub(crate) dial: u64,
}

impl Standing {
    /// `Greater` if this connection stays and `other` goes.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        self.incarnation
            .cmp(&other.incarnation)
            .then_with(|| other.dialler.cmp(&self.dialler))
            .then_with(|| self.dial.cmp(&other.dial))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(incarnation: u64, dialler: &str, dial: u64) -> Standing {
        Standing {
            incarnation,
            dialler: NodeId::from(dialler),
            dial,
        }
    }

    #[test]
    fn a_restarted_node_beats_its_predecessor_whoever_dialled() {
        assert_eq!(
            standing(2, "b", 1).compare(&standing(1, "a", 9)),
            Ordering::Greater
        );
    }

    #[test]
    fn of_two_simultaneous_dials_the_smaller_ids_stays() {
        assert_eq!(
            standing(1, "a", 1).compare(&standing(1, "b", 7)),
            Ordering::Greater
        );
        assert_eq!(
            standing(1, "b", 7).compare(&standing(1, "a", 1)),
            Ordering::Less
        );
    }

    #[test]
    fn of_two_dials_by_one_node_the_later_stays() {
        assert_eq!(
            standing(1, "a", 2).compare(&standing(1, "a", 1)),
            Ordering::Greater
        );
    }
}
