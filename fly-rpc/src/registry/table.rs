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

/// Every function that this program registered, traced once, sorted by name and version. Contracts
/// are properties of the program, not of a node.
pub(crate) fn registered() -> &'static [Registered] {
    static REGISTERED: OnceLock<Vec<Registered>> = OnceLock::new();
    REGISTERED.get_or_init(|| {
        let mut all: Vec<Registered> = inventory::iter::<Entry>
            .into_iter()
            .map(|entry| Registered {
                entry,
                contract: (entry.trace)(),
            })
            .collect();
        // Inventory promises no order.
        all.sort_by_key(|function| {
            (
                function.spec().name,
                function.spec().version,
                function.spec().location.line(),
            )
        });
        all
    })
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
