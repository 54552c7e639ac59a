//! Which region is the nearest, and how reluctantly that changes.
//!
//! Distances are measured, and measurements of two regions that are about as far away trade places
//! all the time. Each such change would send all calls to nodes whose caches are cold, and back. So
//! there is one order of regions, and it keeps itself: a region moves up one place when it was nearer
//! than the one before it, by [`MARGIN`] at each look, for `Limits::nearest_hold` (10 s). The head
//! therefore does not change more often than that by distance alone.
//!
//! *It acts at once* when the nearest region has no node that can be called: the next one is taken
//! for that very call. *It comes back slowly*: a region that had none is last until it had one for
//! the same time, so that a node that is restarted again and again does not take the calls of a
//! region along. A region that was never known before was never lost either: it takes its place by
//! distance when it is first seen, and once more after [`NEW`], when more is known of that than how long
//! a handshake took. This node's own region is before all others.

use std::time::Duration;

use fly_rpc_transport::Region;

use super::moment::Moment;

/// The regions, the nearest first.
#[derive(Debug, Default)]
pub(crate) struct Nearest {
    order: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    region: Region,
    is_own: bool,
    distance: Duration,
    /// It has a node that can be called.
    is_there: bool,
    /// It is back since it last had none; `None` if it never was without.
    back: Option<Moment>,
    /// When it was first and last there.
    first: Moment,
    /// It has its first place still.
    is_new: bool,
    seen: Moment,
    /// Since when it is nearer than the one before it.
    ahead: Option<Moment>,
}

impl Nearest {
    /// Takes note of the regions that can be called, and how far the nearest node of each is.
    pub(crate) fn look<'a>(
        &mut self,
        regions: impl IntoIterator<Item = (&'a Region, Duration)>,
        own: &Region,
        now: Moment,
        hold: Duration,
    ) {
        let mut is_there = vec![false; self.order.len()];
        let mut new = Vec::new();
        for (region, distance) in regions {
            let known = self.order.iter().position(|place| place.region == *region);
            match known
                .and_then(|known| Some((self.order.get_mut(known)?, is_there.get_mut(known)?)))
            {
                Some((place, is_there)) => {
                    place.distance = distance;
                    *is_there = true;
                }
                None => new.push((region.clone(), distance)),
            }
        }
        for (place, is_there) in self.order.iter_mut().zip(is_there) {
            if is_there && !place.is_there {
                place.back = Some(now);
            }
            if is_there {
                place.seen = now;
            } else {
                place.ahead = None;
            }
            place.is_there = is_there;
        }
        self.order.retain(|place| now.since(place.seen) < FORGOTTEN);
        self.settle(now);
        self.swap(now, hold);
        for (region, distance) in new {
            self.insert(region, distance, own, now);
        }
    }

    /// The regions that can be called, in the order in which they should be.
    pub(crate) fn order(&self, now: Moment, hold: Duration) -> impl Iterator<Item = &Region> {
        let is_held = move |place: &Place| place.back.is_some_and(|back| now.since(back) < hold);
        let there = || self.order.iter().filter(|place| place.is_there);
        let (first, held) = (
            there().filter(move |place| !is_held(place)),
            there().filter(move |place| is_held(place)),
        );
        first.chain(held).map(|place| &place.region)
    }

    fn swap(&mut self, now: Moment, hold: Duration) {
        for later in 1..self.order.len() {
            let Some([before, after]) = self.order.get_mut(later - 1..=later) else {
                return;
            };
            let is_nearer = !before.is_own
                && after.is_there
                && after.distance.as_secs_f64() < before.distance.as_secs_f64() * (1.0 - MARGIN);
            if !is_nearer {
                after.ahead = None;
                continue;
            }
            if now.since(*after.ahead.get_or_insert(now)) >= hold {
                (before.ahead, after.ahead) = (None, None);
                std::mem::swap(before, after);
                // What follows is compared with another one from now on.
                if let Some(next) = self.order.get_mut(later + 1) {
                    next.ahead = None;
                }
            }
        }
    }

    /// Gives regions that are no longer new the place that they have by distance, once.
    fn settle(&mut self, now: Moment) {
        let is_due =
            |place: &Place| place.is_new && place.is_there && now.since(place.first) >= NEW;
        while let Some(at) = self.order.iter().position(is_due) {
            let mut place = self.order.remove(at);
            place.is_new = false;
            self.put(place);
        }
    }

    fn insert(&mut self, region: Region, distance: Duration, own: &Region, now: Moment) {
        self.put(Place {
            is_own: region == *own,
            region,
            distance,
            is_there: true,
            back: None,
            first: now,
            is_new: true,
            seen: now,
            ahead: None,
        });
    }

    fn put(&mut self, place: Place) {
        let Place {
            is_own, distance, ..
        } = place;
        let behind = |place: &Place| is_own || (!place.is_own && distance < place.distance);
        let at = self.order.iter().position(behind);
        let at = at.unwrap_or(self.order.len());
        if let Some(next) = self.order.get_mut(at) {
            next.ahead = None;
        }
        self.order.insert(at, place);
    }
}

/// By how much a region must be nearer: less is within what round-trip times vary by.
const MARGIN: f64 = 0.2;
/// How long a region is new: by then its nodes were asked how far they are (once a second links are
/// looked at).
const NEW: Duration = Duration::from_secs(3);
/// How long the place of a region without nodes is kept: a deploy that stops it first is over by then.
const FORGOTTEN: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at `tenth`, in tenths of a second; what is the nearest then?
    fn look(nearest: &mut Nearest, tenth: u64, regions: &[(&str, u64)]) -> String {
        let now = Moment::from_millis(100 * tenth);
        let named: Vec<(Region, Duration)> = regions
            .iter()
            .map(|(region, millis)| ((*region).into(), Duration::from_millis(*millis)))
            .collect();
        let seen = named.iter().map(|(region, distance)| (region, *distance));
        nearest.look(seen, &"own".into(), now, HOLD);
        let first = nearest.order(now, HOLD).next();
        first.map(ToString::to_string).unwrap_or_default()
    }

    #[test]
    fn regions_as_far_as_each_other_do_not_trade_places_under_jitter() {
        let mut random = crate::resolve::fake::chance(1);
        let mut nearest = Nearest::default();
        let mut heads = Vec::new();
        for tenth in 0..36_000 {
            let mut jittered = |millis: u64| millis * (80 + random() % 41) / 100;
            let regions = [
                ("hkg", jittered(50)),
                ("sin", jittered(50)),
                ("nrt", jittered(55)),
            ];
            heads.push(look(&mut nearest, tenth, &regions));
        }
        let switches = heads.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(switches <= 1, "{switches} in an hour");
    }

    #[test]
    fn a_region_that_stays_nearer_is_moved_to_and_not_before_it_stayed() {
        let mut nearest = Nearest::default();
        for tenth in 0..=100 {
            assert_eq!(
                look(&mut nearest, tenth, &[("hkg", 50), ("sin", 60)]),
                "hkg"
            );
        }
        for tenth in 101..=200 {
            assert_eq!(
                look(&mut nearest, tenth, &[("hkg", 50), ("sin", 30)]),
                "hkg"
            );
        }
        assert_eq!(look(&mut nearest, 201, &[("hkg", 50), ("sin", 30)]), "sin");
        // The way back takes as long.
        for tenth in 202..=301 {
            assert_eq!(
                look(&mut nearest, tenth, &[("hkg", 10), ("sin", 30)]),
                "sin"
            );
        }
        assert_eq!(look(&mut nearest, 302, &[("hkg", 10), ("sin", 30)]), "hkg");
    }

    #[test]
    fn a_region_without_nodes_is_left_at_once_and_returned_to_when_it_stayed() {
        let mut nearest = Nearest::default();
        assert_eq!(look(&mut nearest, 0, &[("own", 1), ("sin", 60)]), "own");
        assert_eq!(look(&mut nearest, 1, &[("sin", 60)]), "sin");
        assert_eq!(look(&mut nearest, 2, &[("own", 1), ("sin", 60)]), "sin");
        assert_eq!(look(&mut nearest, 101, &[("own", 1), ("sin", 60)]), "sin");
        assert_eq!(look(&mut nearest, 102, &[("own", 1), ("sin", 60)]), "own");
        assert_eq!(look(&mut nearest, 103, &[]), "");
        // One that is back only just is better than none, and of two such the nearer one.
        assert_eq!(look(&mut nearest, 104, &[("sin", 60)]), "sin");
        assert_eq!(look(&mut nearest, 105, &[("own", 1), ("sin", 60)]), "own");
    }

    #[test]
    fn a_region_that_comes_and_goes_every_second_is_not_switched_to_every_second() {
        let mut nearest = Nearest::default();
        let mut heads = Vec::new();
        for tenth in 0..6_000 {
            let both = [("hkg", 10), ("sin", 60)];
            let is_away = tenth / 10 % 2 == 1;
            heads.push(look(
                &mut nearest,
                tenth,
                if is_away { &both[1..] } else { &both },
            ));
        }
        let switches = heads.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert_eq!(switches, 1);
    }

    #[test]
    fn a_first_distance_that_was_wrong_is_corrected_once() {
        let mut nearest = Nearest::default();
        assert_eq!(look(&mut nearest, 0, &[("hkg", 656), ("sin", 140)]), "sin");
        assert_eq!(look(&mut nearest, 20, &[("hkg", 16), ("sin", 140)]), "sin");
        assert_eq!(look(&mut nearest, 30, &[("hkg", 16), ("sin", 140)]), "hkg");
        assert_eq!(look(&mut nearest, 60, &[("hkg", 656), ("sin", 140)]), "hkg");
    }

    #[test]
    fn a_region_that_was_never_seen_takes_its_place_by_distance() {
        let mut nearest = Nearest::default();
        assert_eq!(look(&mut nearest, 0, &[("sin", 60)]), "sin");
        assert_eq!(look(&mut nearest, 1, &[("sin", 60), ("hkg", 59)]), "hkg");
        assert_eq!(
            look(&mut nearest, 2, &[("sin", 60), ("hkg", 59), ("own", 99)]),
            "own"
        );
    }

    const HOLD: Duration = Duration::from_secs(10);
}
