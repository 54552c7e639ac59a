//! What the attribute writes down of one function: the specification, and how to trace and serve
//! it.

use std::{any::TypeId, fmt, future::Future, panic::Location, pin::Pin as PinBox, time::Duration};

use fly_rpc_transport::ResponseFrame;

use super::{function::Function, states::StateType};
use crate::{
    contract::{self, Contract, ContractError},
    dispatch,
};

/// The constants of one annotated function. Built by generated code, one call for each key of the
/// attribute.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    pub(crate) name: &'static str,
    pub(crate) version: u32,
    pub(crate) location: &'static Location<'static>,
    pub(crate) pin: Option<Pin>,
    pub(crate) idempotent: bool,
    pub(crate) detached: bool,
    pub(crate) blocking: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) parameters: &'static [&'static str],
    pub(crate) states: &'static [StateType],
}

/// Where a function may be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin {
    /// Only where the primary is.
    Primary,
    /// Only in this region.
    Region(&'static str),
}

impl fmt::Display for Pin {
    /// The selector spelling.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Primary => f.write_str("@primary"),
            Self::Region(region) => write!(f, "@region({region})"),
        }
    }
}

impl Spec {
    /// A function of this name and version, with every key at its default.
    #[track_caller]
    pub const fn new(name: &'static str, version: u32) -> Self {
        Self {
            name,
            version,
            location: Location::caller(),
            pin: None,
            idempotent: false,
            detached: false,
            blocking: false,
            timeout: None,
            parameters: &[],
            states: &[],
        }
    }

    /// Served only there.
    pub const fn pinned(mut self, pin: Pin) -> Self {
        self.pin = Some(pin);
        self
    }

    /// Running it twice is harmless.
    pub const fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Once started it runs to its end.
    pub const fn detached(mut self) -> Self {
        self.detached = true;
        self
    }

    /// It blocks its thread.
    pub const fn blocking(mut self) -> Self {
        self.blocking = true;
        self
    }

    /// The default deadline of its calls.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The names of the parameters that travel.
    pub const fn parameters(mut self, names: &'static [&'static str]) -> Self {
        self.parameters = names;
        self
    }

    /// The states that it takes.
    pub const fn states(mut self, states: &'static [StateType]) -> Self {
        self.states = states;
        self
    }
}

/// A function's line in the registry, without its types.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub(crate) spec: Spec,
    /// The function's type, by which a call of this program finds it.
    pub(crate) id: fn() -> TypeId,
    pub(crate) trace: fn() -> Result<Contract, ContractError>,
    /// The tree of the same contract.
    pub(crate) tree: fn() -> Result<Vec<u8>, ContractError>,
    pub(crate) serve: Serve,
}

/// Runs the function on a request and writes the answer.
pub(crate) type Serve =
    fn(dispatch::Admitted) -> PinBox<Box<dyn Future<Output = ResponseFrame> + Send>>;

impl Entry {
    /// The line of `F`.
    pub const fn of<F: Function>() -> Self {
        Self {
            spec: F::SPEC,
            id: TypeId::of::<F>,
            trace: trace::<F>,
            tree: tree::<F>,
            serve: dispatch::serve::<F>,
        }
    }
}

fn trace<F: Function>() -> Result<Contract, ContractError> {
    contract::trace::<F::Decoded<'static>, F::Output>(
        F::SPEC.name,
        F::SPEC.version,
        F::SPEC.parameters,
    )
}

fn tree<F: Function>() -> Result<Vec<u8>, ContractError> {
    contract::tree::<F::Decoded<'static>, F::Output>(
        F::SPEC.name,
        F::SPEC.version,
        F::SPEC.parameters,
    )
}

inventory::collect!(Entry);
