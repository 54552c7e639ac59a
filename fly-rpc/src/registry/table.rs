//! The table of functions that a node serves and calls.

use std::{
    any::TypeId,
    collections::HashMap,
    ops::Range,
    sync::{Arc, OnceLock, atomic::AtomicUsize},
};

use fly_rpc_transport::{Catalogue, Offer};

use super::{
    answers::Answers,
    entry::{Entry, Spec},
    hashing::{AsItIs, ByText},
};
use crate::{
    contract::{Contract, ContractError},
    start_error::{Duplicate, StartError},
};

/// One function of this program, with its contract.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) entry: &'static Entry,
    pub(crate) contract: Result<Contract, ContractError>,
}

impl Registered {
    pub(crate) fn spec(&self) -> &'static Spec {
        &self.entry.spec
    }
}

/// Every function that this program registered, traced once. Contracts are properties of the
/// program, not of a node.
pub(crate) fn registered() -> &'static [Registered] {
    static REGISTERED: OnceLock<Vec<Registered>> = OnceLock::new();
    REGISTERED.get_or_init(|| {
        let entries = inventory::iter::<Entry>.into_iter();
        #[cfg(any(test, feature = "bench"))]
        let entries = crate::bench::with_copies(entries);
        traced(entries)
    })
}

/// Sorted by name and version, and what has both in common by its place in the source: inventory
/// promises no order, and neither do linkers.
fn traced(entries: impl IntoIterator<Item = &'static Entry>) -> Vec<Registered> {
    let mut all: Vec<Registered> = entries
        .into_iter()
        .map(|entry| Registered {
            entry,
            contract: (entry.trace)(),
        })
        .collect();
    all.sort_by_key(|function| {
        let spec = function.spec();
        let place = spec.location;
        let place = (place.file(), place.line(), place.column());
        (spec.name, spec.version, place)
    });
    all
}

/// One function of this program, and its place among those that are [`registered`]. Every call asks,
/// so nothing but the type is hashed.
pub(crate) fn registered_of(function: TypeId) -> Option<(usize, &'static Registered)> {
    static PLACES: OnceLock<HashMap<TypeId, usize, AsItIs>> = OnceLock::new();
    let all = registered();
    let places = PLACES.get_or_init(|| places(all));
    let place = *places.get(&function)?;
    Some((place, all.get(place)?))
}

fn places(functions: &[Registered]) -> HashMap<TypeId, usize, AsItIs> {
    let mut places = HashMap::default();
    for (place, function) in functions.iter().enumerate() {
        // A copy that a benchmark makes has the type of what it is a copy of, and a longer name.
        places.entry((function.entry.id)()).or_insert(place);
    }
    places
}

/// What one node serves.
#[derive(Debug)]
pub(crate) struct Registry {
    /// Sorted by name and version.
    served: Vec<Served>,
    /// Where in `served` the versions of a name are.
    by_name: HashMap<&'static str, Range<usize>, ByText>,
    /// Where in `served` the registered functions are: for each a place, unless it is hidden.
    by_place: Vec<Option<usize>>,
    /// What is expected of each registered function's answers, and last of those that this program does not have.
    answers: Box<[Answers]>,
}

/// A function that a node serves.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub(crate) entry: &'static Entry,
    /// Its place among those that are registered.
    pub(crate) place: usize,
    pub(crate) contract: &'static Contract,
    /// Handlers of it that run now.
    pub(crate) running: Arc<AtomicUsize>,
}

impl Registry {
    /// All of `functions` but the hidden ones.
    ///
    /// # Errors
    /// Two functions with one identity; functions whose types cannot travel.
    pub(crate) fn new(
        functions: &'static [Registered],
        hidden: impl Fn(&str, u32) -> bool,
    ) -> Result<Self, StartError> {
        let duplicates: Vec<Duplicate> = functions
            .windows(2)
            .filter(|pair| {
                (pair[0].spec().name, pair[0].spec().version)
                    == (pair[1].spec().name, pair[1].spec().version)
            })
            .map(|pair| Duplicate::new(pair[0].spec(), pair[1].spec()))
            .collect();
        if !duplicates.is_empty() {
            return Err(StartError::DuplicateFunctions(duplicates));
        }
        let mut registry = Self {
            served: Vec::new(),
            by_name: HashMap::default(),
            answers: (0..=functions.len()).map(|_| Answers::default()).collect(),
            by_place: vec![None; functions.len()],
        };
        let mut refused = Vec::new();
        for ((number, function), place) in functions.iter().enumerate().zip(&mut registry.by_place)
        {
            let spec = function.spec();
            if hidden(spec.name, spec.version) {
                continue;
            }
            match &function.contract {
                Ok(contract) => {
                    let end = registry.served.len();
                    *place = Some(end);
                    // Functions come sorted, so that the versions of a name are side by side.
                    let versions = registry.by_name.entry(spec.name).or_insert(end..end);
                    versions.end = end + 1;
                    registry.served.push(Served {
                        entry: function.entry,
                        place: number,
                        contract,
                        running: Arc::default(),
                    });
                }
                Err(error) => {
                    refused.push((format!("{}@{}", spec.name, spec.version), error.clone()))
                }
            }
        }
        if refused.is_empty() {
            Ok(registry)
        } else {
            Err(StartError::Contracts(refused))
        }
    }

    /// The function with this place among those that are registered, if it is served here.
    pub(crate) fn at(&self, place: usize) -> Option<&Served> {
        self.served.get((*self.by_place.get(place)?)?)
    }

    pub(crate) fn find(&self, name: &str, version: u32) -> Option<&Served> {
        self.versions(name)
            .iter()
            .find(|served| served.entry.spec.version == version)
    }

    /// What this node expects of the answers of the function at this place of the registered ones; the place behind
    /// the last is that of all others.
    pub(crate) fn answers(&self, place: usize) -> &Answers {
        &self.answers[place]
    }

    /// All versions of one name, ascending.
    pub(crate) fn versions(&self, name: &str) -> &[Served] {
        let versions = self.by_name.get(name).cloned();
        versions.map_or(&[], |versions| {
            self.served.get(versions).unwrap_or_default()
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Served> {
        self.served.iter()
    }

    /// What peers are told.
    pub(crate) fn catalogue(&self) -> Catalogue {
        Catalogue::new(self.iter().map(|served| Offer {
            name: served.entry.spec.name.to_owned(),
            version: served.entry.spec.version,
            fingerprint: served.contract.fingerprint().to_bytes(),
            contract: served.contract.text().to_owned(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};

    use super::*;
    use crate::contract::trace;

    fn contract<T>() -> Result<Contract, ContractError>
    where
        T: serde::Serialize + serde::de::DeserializeOwned + 'static,
    {
        trace::<(T,), Vec<T>>("shared", 1, &["value"])
    }

    fn entry(spec: Spec, trace: fn() -> Result<Contract, ContractError>) -> &'static Entry {
        let serve = |_| unreachable!("nothing is called");
        Box::leak(Box::new(Entry {
            spec,
            id: TypeId::of::<()>,
            trace,
            tree: || Ok(Vec::new()),
            serve,
        }))
    }

    fn entries() -> Vec<&'static Entry> {
        ["b", "a", "c", "B", "a_b"]
            .into_iter()
            .flat_map(|name| {
                [
                    entry(Spec::new(name, 2), contract::<u8>),
                    entry(Spec::new(name, 1), contract::<String>),
                    entry(Spec::new(name, 10), contract::<Option<(u64, bool)>>),
                ]
            })
            .collect()
    }

    /// Identities, fingerprints and contracts, in the order in which they are kept, and what peers
    /// are told.
    fn told(entries: &[&'static Entry]) -> (Vec<String>, Catalogue) {
        let functions: &'static [Registered] = traced(entries.iter().copied()).leak();
        let lines = functions.iter().map(|function| {
            let spec = function.spec();
            let contract = function.contract.as_ref().expect("a contract");
            let fingerprint = contract.fingerprint().to_bytes();
            let text = contract.text();
            format!("{}@{} {fingerprint:x?} {text}", spec.name, spec.version)
        });
        let registry = Registry::new(functions, |_, _| false).expect("sound");
        (lines.collect(), registry.catalogue())
    }

    #[test]
    fn in_whatever_order_functions_are_linked_they_are_the_same_to_peers() {
        let mut entries = entries();
        let expected = told(&entries);
        assert_eq!(expected.1.len(), entries.len());
        let mut random = StdRng::seed_from_u64(3);
        for _ in 0..10 {
            entries.shuffle(&mut random);
            assert_eq!(told(&entries), expected);
        }
    }

    #[test]
    fn a_function_is_found_by_its_name_and_by_its_place_unless_it_is_hidden() {
        let functions: &'static [Registered] = traced(entries()).leak();
        let hidden = |name: &str, version| name == "a" && version == 2;
        let registry = Registry::new(functions, hidden).expect("sound");
        for (place, function) in functions.iter().enumerate() {
            let spec = function.spec();
            let found = [registry.at(place), registry.find(spec.name, spec.version)];
            for served in found {
                let is_it = served.map(|served| std::ptr::eq(served.entry, function.entry));
                let expected = (!hidden(spec.name, spec.version)).then_some(true);
                assert_eq!(is_it, expected, "{}@{}", spec.name, spec.version);
            }
        }
        let versions = registry.versions("a").iter();
        let versions: Vec<u32> = versions.map(|served| served.entry.spec.version).collect();
        assert_eq!(versions, [1, 10]);
        assert!(registry.versions("d").is_empty() && registry.at(functions.len()).is_none());
    }

    #[test]
    fn a_type_leads_to_its_place_and_a_copy_of_it_to_none() {
        struct Other;
        let mut of_a_type = *entry(Spec::new("b", 1), contract::<u8>);
        of_a_type.id = TypeId::of::<Other>;
        let mut copy = of_a_type;
        copy.spec.name = "b_0";
        let entries = [copy, of_a_type, *entry(Spec::new("a", 1), contract::<u8>)];
        let entries = entries.map(|entry| -> &'static Entry { Box::leak(Box::new(entry)) });
        let places = places(&traced(entries));
        assert_eq!(places.get(&TypeId::of::<Other>()), Some(&1));
        assert_eq!(places.get(&TypeId::of::<u8>()), None);
    }

    #[test]
    fn in_whatever_order_duplicates_are_linked_they_are_named_alike() {
        let mut entries = entries();
        entries.push(entry(Spec::new("a", 1), contract::<String>));
        entries.push(entry(Spec::new("c", 2), contract::<u8>));
        let mut random = StdRng::seed_from_u64(4);
        let mut refusals: Vec<String> = Vec::new();
        for _ in 0..10 {
            entries.shuffle(&mut random);
            let functions = traced(entries.iter().copied()).leak();
            let refused = Registry::new(functions, |_, _| false).expect_err("two are there twice");
            refusals.push(refused.to_string());
        }
        refusals.dedup();
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        assert!(refusals[0].contains("a@1") && refusals[0].contains("c@2"));
    }
}
