//! The table of functions that a node serves and calls.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, atomic::AtomicUsize},
};

use fly_rpc_transport::{Catalogue, Offer};

use super::entry::{Entry, Spec};
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
        #[cfg(feature = "bench")]
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

/// The specification and contract of one function of this program.
pub(crate) fn contract_of(name: &str, version: u32) -> Option<(&'static Spec, &'static Contract)> {
    let all = registered();
    let place = all
        .binary_search_by(|function| {
            (function.spec().name, function.spec().version).cmp(&(name, version))
        })
        .ok()?;
    let contract = all[place].contract.as_ref().ok()?;
    Some((all[place].spec(), contract))
}

/// What one node serves.
#[derive(Debug)]
pub(crate) struct Registry {
    by_name: HashMap<&'static str, Vec<Served>>,
}

/// A function that a node serves.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub(crate) entry: &'static Entry,
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
        let mut by_name: HashMap<&'static str, Vec<Served>> = HashMap::new();
        let mut refused = Vec::new();
        for function in functions {
            let spec = function.spec();
            if hidden(spec.name, spec.version) {
                continue;
            }
            match &function.contract {
                Ok(contract) => {
                    by_name.entry(spec.name).or_default().push(Served {
                        entry: function.entry,
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
            Ok(Self { by_name })
        } else {
            Err(StartError::Contracts(refused))
        }
    }

    pub(crate) fn find(&self, name: &str, version: u32) -> Option<&Served> {
        self.versions(name)
            .iter()
            .find(|served| served.entry.spec.version == version)
    }

    /// All versions of one name, ascending.
    pub(crate) fn versions(&self, name: &str) -> &[Served] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Served> {
        self.by_name.values().flatten()
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
        Box::leak(Box::new(Entry { spec, trace, serve }))
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
