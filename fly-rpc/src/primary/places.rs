//! The regions that the primary was in during the life of a node, so that one of them can be lent out
//! while the primary moves on: looking where it is takes neither a lock nor a copy.

use std::sync::OnceLock;

use fly_rpc_transport::Region;

/// Regions by the order in which they were first named; none is ever forgotten.
#[derive(Debug)]
pub(super) struct Places {
    named: Box<[OnceLock<Region>]>,
}

impl Places {
    pub(super) fn new() -> Self {
        Self {
            named: (0..SAID).map(|_| OnceLock::new()).collect(),
        }
    }

    /// The region with this number, if it was ever named.
    pub(super) fn get(&self, number: usize) -> Option<&Region> {
        self.named.get(number)?.get()
    }

    /// The number of a region. `None` if there is no room for another: of what peers name
    /// (`is_heard`) fewer are remembered, so that they cannot take the room of what is said here.
    pub(super) fn number(&self, region: &Region, is_heard: bool) -> Option<usize> {
        let most = if is_heard { HEARD } else { SAID };
        let place = |place: &OnceLock<Region>| place.get_or_init(|| region.clone()) == region;
        self.named.iter().take(most).position(place)
    }
}

/// Regions that are remembered: far more than any platform has.
const SAID: usize = 128;
/// The same, if peers name them.
const HEARD: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_keeps_its_number_and_peers_leave_room_for_this_node() {
        let places = Places::new();
        let number = |name: usize, heard| places.number(&format!("r{name}").into(), heard);
        for name in 0..200 {
            assert_eq!(number(name, true), (name < HEARD).then_some(name));
        }
        for name in 0..200 {
            assert_eq!(number(name, false), (name < SAID).then_some(name));
        }
        assert_eq!(places.get(7), Some(&"r7".into()));
        assert_eq!(places.get(SAID), None);
    }
}
