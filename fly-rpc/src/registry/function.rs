//! The trait behind the attribute: a function as types, and what it is given when it runs.

use std::{future::Future, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

use super::{entry::Spec, states::States};
use crate::{context::CallContext, contract::Arguments, permits::Permit};

/// An annotated function. Implemented by generated code only.
pub trait Function: Sized + Send + Sync + 'static {
    /// The arguments as a stub is given them: a tuple in which references stay references.
    type Args<'a>: Serialize + Send + 'a;
    /// The arguments as a server decodes them: borrowed from the request where that is possible.
    type Decoded<'a>: Arguments<'a> + Send;
    /// What it returns.
    type Output: Serialize + DeserializeOwned + Send + 'static;
    /// What the attribute says.
    const SPEC: Spec;

    /// Runs it on the arguments of a stub.
    fn local(scope: &Scope, args: Self::Args<'_>) -> impl Future<Output = Self::Output> + Send;

    /// Runs it on decoded arguments.
    fn serve(scope: &Scope, args: Self::Decoded<'_>) -> impl Future<Output = Self::Output> + Send;

    /// The arguments as owned values, if no parameter is a reference: they may then leave the
    /// caller's task as they are. Only functions that leave it, and those of one argument, have a need of this.
    ///
    /// # Errors
    /// The arguments, if one of them is a reference, or nobody needs this.
    fn own(args: Self::Args<'_>) -> Result<Self::Decoded<'static>, Self::Args<'_>> {
        Err(args)
    }
}

/// What the node fills in: states and the context of the call.
#[derive(Debug)]
pub struct Scope {
    states: Arc<States>,
    context: CallContext,
    /// Held as long as the function runs, wherever it runs.
    _permits: [Option<Permit>; 3],
}

impl Scope {
    pub(crate) fn new(
        states: Arc<States>,
        context: CallContext,
        permits: [Option<Permit>; 3],
    ) -> Self {
        Self {
            states,
            context,
            _permits: permits,
        }
    }

    /// The state of this type.
    pub fn state<T: Send + Sync + 'static>(&self) -> &T {
        self.states.get()
    }

    /// The state of this type, shared.
    pub fn shared_state<T: Send + Sync + 'static>(&self) -> Arc<T> {
        self.states.shared()
    }

    /// Who calls, and until when.
    pub fn context(&self) -> &CallContext {
        &self.context
    }
}

/// A `&[u8]` that travels as a byte string, in one copy, and is borrowed from the request on the
/// other side.
#[derive(Clone, Copy, Debug)]
pub struct ByteSlice<'a>(pub &'a [u8]);

impl Serialize for ByteSlice<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for ByteSlice<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&[u8]>::deserialize(deserializer).map(Self)
    }
}
