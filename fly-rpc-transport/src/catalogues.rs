//! The catalogues that this node knows: its own and those of its peers, one copy of each, however many
//! serve the same.
//!
//! Most nodes of a cluster are of one build. So a catalogue is told apart by its digest, need not
//! travel to who knows it (PROTOCOL.md, *Catalogues by digest*), and is forgotten with the last
//! connection that it came over.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::{Arc, Mutex, Weak},
};

use crate::{
    lock::lock,
    wire::{Catalogue, DIGESTS},
};

/// What is known, as long as somebody serves it.
#[derive(Debug, Default)]
pub(crate) struct Catalogues {
    by_digest: Mutex<BTreeMap<[u8; 16], Weak<Catalogue>>>,
}

impl Catalogues {
    /// The one copy of this catalogue.
    pub(crate) fn keep(&self, catalogue: Arc<Catalogue>) -> Arc<Catalogue> {
        let mut known = lock(&self.by_digest);
        if let Some(known) = known.get(&catalogue.digest()).and_then(Weak::upgrade) {
            return known;
        }
        known.retain(|_, catalogue| catalogue.strong_count() > 0);
        known.insert(catalogue.digest(), Arc::downgrade(&catalogue));
        catalogue
    }

    /// The catalogue with this digest.
    pub(crate) fn find(&self, digest: &[u8; 16]) -> Option<Arc<Catalogue>> {
        lock(&self.by_digest).get(digest)?.upgrade()
    }

    /// What a hello can name: `own`, and of the others those that most peers serve.
    pub(crate) fn commonest(&self, own: &Arc<Catalogue>) -> Vec<Arc<Catalogue>> {
        let digest = own.digest();
        let known = lock(&self.by_digest);
        let others = known.iter().filter(|(other, _)| **other != digest);
        let mut others: Vec<_> = others.filter_map(|(_, other)| other.upgrade()).collect();
        drop(known);
        others.sort_by_key(|other| Reverse(Arc::strong_count(other)));
        let own = std::iter::once(Arc::clone(own));
        own.chain(others).take(DIGESTS).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Offer;

    fn catalogue(name: &str) -> Arc<Catalogue> {
        Arc::new(Catalogue::new([Offer {
            name: name.into(),
            version: 1,
            fingerprint: [7; 16],
            contract: String::new(),
        }]))
    }

    #[test]
    fn equal_catalogues_are_kept_once() {
        let catalogues = Catalogues::default();
        let first = catalogues.keep(catalogue("upcase"));
        let second = catalogues.keep(catalogue("upcase"));
        assert!(Arc::ptr_eq(&first, &second));
        let found = catalogues.find(&first.digest()).expect("it is kept");
        assert!(Arc::ptr_eq(&first, &found));
    }

    #[test]
    fn what_nobody_serves_any_more_is_forgotten() {
        let catalogues = Catalogues::default();
        let digest = catalogues.keep(catalogue("upcase")).digest();
        assert_eq!(catalogues.find(&digest), None);
        let kept = catalogues.keep(catalogue("other"));
        assert_eq!(lock(&catalogues.by_digest).len(), 1);
        drop(kept);
    }

    #[test]
    fn a_hello_names_its_own_catalogue_and_then_the_commonest() {
        let catalogues = Catalogues::default();
        let names: Vec<String> = (0..20).map(|number| format!("f{number}")).collect();
        let kept: Vec<_> = names
            .iter()
            .map(|name| catalogues.keep(catalogue(name)))
            .collect();
        let peers = [&kept[11], &kept[11], &kept[5]].map(Arc::clone);
        let named = catalogues.commonest(&kept[3]);
        assert_eq!(named.len(), DIGESTS);
        for (named, place) in named.iter().zip([3, 11, 5]) {
            assert!(Arc::ptr_eq(named, &kept[place]));
        }
        drop(peers);
    }
}
