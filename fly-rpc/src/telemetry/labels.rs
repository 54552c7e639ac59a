//! The one label that peers choose: their region. A member may say anything, and a series that was once
//! made stays for as long as the recorder lives.

use std::collections::HashMap;

use fly_rpc_transport::Region;

/// What is kept for each region, and for all those that came too late to have something of their own.
#[derive(Debug)]
pub(super) struct ByRegion<T> {
    of: HashMap<Region, T>,
    others: Option<T>,
}

impl<T> Default for ByRegion<T> {
    fn default() -> Self {
        Self {
            of: HashMap::new(),
            others: None,
        }
    }
}

impl<T> ByRegion<T> {
    /// What is kept for `region`, which `make` makes of its label the first time.
    pub(super) fn of(&mut self, region: &Region, make: impl FnOnce(String) -> T) -> &mut T {
        if self.of.len() >= REGIONS && !self.of.contains_key(region) {
            return self.others.get_or_insert_with(|| make(OTHERS.to_owned()));
        }
        let of = self.of.entry(region.clone());
        of.or_insert_with(|| make(region.to_string()))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.of.values_mut().chain(&mut self.others)
    }
}

/// Regions with a series of their own. Fly has 18.
const REGIONS: usize = 64;
/// The label of the others: no region can be called this.
const OTHERS: &str = "(other)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_says_ever_new_regions_makes_no_more_labels_than_the_limit() {
        let mut regions = ByRegion::default();
        let mut made = Vec::new();
        for number in 0..10_000 {
            let region = Region::from(format!("r{number}"));
            *regions.of(&region, |label| {
                made.push(label);
                0
            }) += 1;
        }
        assert_eq!(made.len(), REGIONS + 1);
        assert_eq!(made.last().map(String::as_str), Some(OTHERS));
        assert!(!Region::from(OTHERS).is_well_formed());
        assert_eq!(regions.iter_mut().map(|count| *count).sum::<i32>(), 10_000);
        // Those that were first keep what they have.
        assert_eq!(*regions.of(&"r0".into(), |_| 0), 1);
    }
}
