//! What one node believes of the primary, and why. Pure: time is an argument, as what has passed
//! since the node started.

use std::time::Duration;

use fly_rpc_transport::{NodeId, Region};

use super::{LARGEST, LARGEST_SAID, PATIENCE, PrimaryError, PrimaryView, PrimaryWord};

/// A view, and what this node's own source says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Belief {
    view: PrimaryView,
    own: Option<Own>,
    /// Since when a view that contradicts the own word has been without anybody who vouches for it.
    alone_since: Option<Duration>,
}

/// The last word that was said on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Own {
    region: Region,
    /// False if it was given by hand: it counts until it is overruled, and is not insisted on.
    stands: bool,
    /// Those whose views were on their way when it was given by hand. What they say first was before it.
    unheard: Vec<NodeId>,
}

impl Belief {
    /// What the configuration says.
    pub(crate) fn configured(region: Region) -> Self {
        Self {
            view: PrimaryView { epoch: 0, region },
            own: None,
            alone_since: None,
        }
    }

    pub(crate) fn view(&self) -> &PrimaryView {
        &self.view
    }

    /// True if this node's own source says the same.
    pub(crate) fn vouches(&self) -> bool {
        self.own
            .as_ref()
            .is_some_and(|own| own.region == self.view.region)
    }

    /// What this node's own source says, if it is something else.
    pub(crate) fn objection(&self) -> Option<&Region> {
        let own = self.own.as_ref()?;
        (own.region != self.view.region).then_some(&own.region)
    }

    /// Hears the word of this node's own source.
    pub(crate) fn say(&mut self, word: PrimaryWord) -> Result<(), PrimaryError> {
        let region: Region = word.region.as_str().parse()?;
        if let Some(epoch) = word.epoch
            && !(1..=LARGEST_SAID).contains(&epoch)
        {
            return Err(PrimaryError::Epoch { epoch });
        }
        match word.epoch {
            Some(epoch) => {
                let said = PrimaryView {
                    epoch,
                    region: region.clone(),
                };
                self.view = self.view.clone().max(said);
            }
            None => self.advance(&region),
        }
        self.set_own(region, true, Vec::new());
        Ok(())
    }

    /// The same by hand: it takes the place of the source's word until that says something new; and of what
    /// those say first who are still `unheard`.
    pub(crate) fn set(
        &mut self,
        region: &Region,
        unheard: Vec<NodeId>,
    ) -> Result<(), PrimaryError> {
        let region: Region = region.as_str().parse()?;
        self.advance(&region);
        self.set_own(region, false, unheard);
        Ok(())
    }

    /// Those whose first word was said before the last one by hand, and is still to come.
    pub(crate) fn unheard(&self) -> &[NodeId] {
        self.own.as_ref().map_or(&[], |own| &own.unheard)
    }

    /// Of those, the ones that `is_heard` holds of were heard: what they say now is news.
    pub(crate) fn settle(&mut self, is_heard: impl Fn(&NodeId) -> bool) {
        if let Some(own) = &mut self.own {
            own.unheard.retain(|node| !is_heard(node));
        }
    }

    /// Hears the view of another node. True if it is taken over, or overruled by a word that was given by hand
    /// after it.
    pub(crate) fn hear(&mut self, node: &NodeId, epoch: u64, region: &Region) -> bool {
        let is_newer = (epoch, region) > (self.view.epoch, &self.view.region);
        if epoch == 0 || epoch > LARGEST || !is_newer || !region.is_well_formed() {
            return false;
        }
        let moves = self.view.region != *region;
        self.view = PrimaryView {
            epoch,
            region: region.clone(),
        };
        if moves {
            // Whoever comes to contradict a view is given the whole patience.
            self.alone_since = None;
            let contradicts = |own: &&mut Own| !own.stands && own.region != *region;
            if let Some(own) = self.own.as_mut().filter(contradicts) {
                if own.unheard.contains(node) {
                    own.unheard.retain(|unheard| unheard != node);
                    let region = own.region.clone();
                    self.advance(&region);
                } else {
                    self.own = None;
                }
            }
        }
        true
    }

    /// When the own word will take the place of a view that nobody vouches for, if things stay as they
    /// are: `vouched` says whether a connected node does.
    pub(crate) fn patience(&mut self, vouched: bool, now: Duration) -> Option<Duration> {
        if vouched || self.objection().is_none() {
            self.alone_since = None;
            return None;
        }
        Some(self.alone_since.get_or_insert(now).saturating_add(PATIENCE))
    }

    /// Puts the own word in the place of the view.
    pub(crate) fn insist(&mut self) {
        if let Some(region) = self.objection().cloned() {
            self.advance(&region);
            self.alone_since = None;
        }
    }

    /// Makes the next view, unless that would say what the present one says.
    fn advance(&mut self, region: &Region) {
        if self.view.epoch > 0 && self.view.region == *region {
            return;
        }
        self.view = PrimaryView {
            // Nobody can count so far by saying one word after another.
            epoch: self.view.epoch.saturating_add(1).min(LARGEST),
            region: region.clone(),
        };
    }

    fn set_own(&mut self, region: Region, stands: bool, unheard: Vec<NodeId>) {
        // A source that repeats itself is not given its patience anew.
        if self.own.as_ref().is_none_or(|own| own.region != region) {
            self.alone_since = None;
        }
        self.own = Some(Own {
            region,
            stands,
            unheard,
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn belief(region: &str) -> Belief {
        Belief::configured(region.into())
    }

    fn of(belief: &Belief) -> (u64, &str) {
        (belief.view.epoch, belief.view.region.as_str())
    }

    fn hear(belief: &mut Belief, epoch: u64, region: &str) -> bool {
        belief.hear(&"peer".into(), epoch, &region.into())
    }

    fn say(belief: &mut Belief, region: &str) {
        belief.say(PrimaryWord::new(region)).expect("a region");
    }

    fn say_at(belief: &mut Belief, epoch: u64, region: &str) {
        let word = PrimaryWord::new(region).epoch(epoch);
        belief.say(word).expect("a region and an epoch");
    }

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn views_are_ordered_by_epoch_and_then_by_region() {
        let view = |epoch, region: &str| PrimaryView {
            epoch,
            region: region.into(),
        };
        assert!(view(2, "ams") > view(1, "syd"));
        assert!(view(2, "syd") > view(2, "hkg"));
        assert_eq!(view(2, "syd"), view(2, "SYD"));
    }

    #[test]
    fn what_others_were_configured_with_is_not_taken_over() {
        let mut belief = belief("hkg");
        assert!(!hear(&mut belief, 0, "syd"));
        assert_eq!(of(&belief), (0, "hkg"));
        assert!(hear(&mut belief, 1, "ams"));
        assert_eq!(of(&belief), (1, "ams"));
    }

    #[test]
    fn a_word_without_an_epoch_is_the_next_one_and_repeated_changes_nothing() {
        let mut belief = belief("syd");
        say(&mut belief, "syd");
        assert_eq!((of(&belief), belief.vouches()), ((1, "syd"), true));
        hear(&mut belief, 7, "fra");
        assert!(!belief.vouches());
        say(&mut belief, "hkg");
        say(&mut belief, "hkg");
        assert_eq!((of(&belief), belief.vouches()), ((8, "hkg"), true));
    }

    #[test]
    fn a_word_with_a_lower_epoch_loses_and_is_an_objection() {
        let mut belief = belief("syd");
        hear(&mut belief, 7, "fra");
        say_at(&mut belief, 6, "hkg");
        assert_eq!(of(&belief), (7, "fra"));
        assert_eq!(belief.objection(), Some(&"hkg".into()));
        say_at(&mut belief, 8, "hkg");
        assert_eq!((of(&belief), belief.objection()), ((8, "hkg"), None));
    }

    #[test]
    fn words_that_say_nothing_sound_change_nothing() {
        let mut belief = belief("syd");
        say(&mut belief, "hkg");
        let before = belief.clone();
        for word in [
            PrimaryWord::new("hong kong"),
            PrimaryWord::new(""),
            PrimaryWord::new("fra").epoch(0),
            PrimaryWord::new("fra").epoch(LARGEST_SAID + 1),
            PrimaryWord::new("fra").epoch(u64::MAX),
        ] {
            assert!(belief.clone().say(word.clone()).is_err(), "{word:?}");
            let _ = belief.say(word);
        }
        assert_eq!(belief, before);
        assert!(!hear(&mut belief, LARGEST + 1, "fra"));
        assert!(!hear(&mut belief, u64::MAX, "fra"));
        assert!(!hear(&mut belief, 9, "not a region"));
        assert_eq!(belief, before);
    }

    #[test]
    fn a_source_that_is_contradicted_insists_only_if_nobody_vouches_for_long_enough() {
        let mut belief = belief("syd");
        say(&mut belief, "syd");
        hear(&mut belief, 7, "fra");
        assert_eq!(belief.patience(true, secs(10)), None);
        assert_eq!(belief.patience(false, secs(20)), Some(secs(25)));
        assert_eq!(belief.patience(false, secs(24)), Some(secs(25)));
        // Somebody who vouches came back.
        assert_eq!(belief.patience(true, secs(24)), None);
        assert_eq!(belief.patience(false, secs(30)), Some(secs(35)));
        belief.insist();
        assert_eq!((of(&belief), belief.vouches()), ((8, "syd"), true));
        assert_eq!(belief.patience(false, secs(40)), None);
    }

    #[test]
    fn a_node_without_a_source_never_objects() {
        let mut belief = belief("syd");
        hear(&mut belief, 7, "fra");
        assert_eq!(belief.patience(false, secs(1)), None);
        belief.insist();
        assert_eq!(of(&belief), (7, "fra"));
    }

    #[test]
    fn a_word_by_hand_is_not_insisted_on_once_it_is_overruled() {
        let mut belief = belief("syd");
        belief.set(&"hkg".into(), Vec::new()).expect("a region");
        assert_eq!((of(&belief), belief.vouches()), ((1, "hkg"), true));
        hear(&mut belief, 2, "fra");
        assert_eq!(belief.patience(false, secs(1)), None);
        hear(&mut belief, 3, "hkg");
        assert!(!belief.vouches());
    }

    #[test]
    fn a_word_by_hand_overrules_the_first_word_of_those_who_were_unheard_and_no_other() {
        let late = NodeId::from("late");
        let early = || {
            let mut belief = belief("syd");
            let unheard = vec![late.clone()];
            belief.set(&"hkg".into(), unheard).expect("a region");
            belief
        };
        let mut overrules = early();
        assert!(overrules.hear(&late, 3, &"fra".into()));
        assert_eq!((of(&overrules), overrules.vouches()), ((4, "hkg"), true));
        assert!(overrules.hear(&late, 5, &"fra".into()));
        assert_eq!((of(&overrules), overrules.vouches()), ((5, "fra"), false));

        let mut hears_another = early();
        hear(&mut hears_another, 2, "fra");
        assert_eq!(of(&hears_another), (2, "fra"));
        hears_another.hear(&late, 3, &"syd".into());
        assert_eq!(of(&hears_another), (3, "syd"));

        let mut settled = early();
        settled.settle(|node| *node == late);
        settled.hear(&late, 3, &"fra".into());
        assert_eq!((of(&settled), settled.vouches()), ((3, "fra"), false));
    }

    #[test]
    fn after_an_absurd_epoch_the_primary_still_moves() {
        let mut belief = belief("syd");
        say_at(&mut belief, LARGEST_SAID, "syd");
        belief.set(&"hkg".into(), Vec::new()).expect("a region");
        assert_eq!(of(&belief), (LARGEST_SAID + 1, "hkg"));
        // A lease that is counted as it should be again.
        say_at(&mut belief, 12, "fra");
        assert_eq!(of(&belief), (LARGEST_SAID + 1, "hkg"));
        assert_eq!(belief.patience(false, secs(0)), Some(PATIENCE));
        belief.insist();
        assert_eq!(of(&belief), (LARGEST_SAID + 2, "fra"));
    }

    proptest! {
        /// Whatever is said where, and in whatever order it is heard: those who heard all agree.
        #[test]
        fn all_who_heard_the_same_agree(
            heard in proptest::collection::vec((any::<u64>(), "[a-c]"), 0..12),
            turns in 0_usize..12,
        ) {
            let mut one = belief("syd");
            let mut other = belief("syd");
            for (epoch, region) in &heard {
                hear(&mut one, *epoch, region);
            }
            let turn = turns.min(heard.len());
            for (epoch, region) in heard[turn..].iter().chain(&heard[..turn]).rev() {
                hear(&mut other, *epoch, region);
            }
            prop_assert_eq!(of(&one), of(&other));
        }

        /// A view only ever grows.
        #[test]
        fn nobody_goes_back(words in proptest::collection::vec((0_u8..4, any::<u64>(), "[a-c]"), 0..20)) {
            let mut belief = belief("syd");
            for (kind, epoch, region) in words {
                let before = belief.view().clone();
                match kind {
                    0 => drop(hear(&mut belief, epoch, &region)),
                    1 => drop(belief.say(PrimaryWord::new(region.as_str()))),
                    2 => drop(belief.say(PrimaryWord::new(region.as_str()).epoch(epoch))),
                    _ => belief.insist(),
                }
                prop_assert!(*belief.view() >= before);
                prop_assert!(belief.view().epoch <= LARGEST);
            }
        }
    }
}
