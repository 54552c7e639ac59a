#![doc = include_str!("../README.md")]

mod asked;
mod balance;
#[cfg(any(test, feature = "bench"))]
#[doc(hidden)]
pub mod bench;
mod budget;
mod call;
#[cfg(any(test, feature = "cli"))]
#[doc(hidden)]
pub mod cli;
mod codec;
mod context;
mod contract;
mod contract_file;
mod deadline;
pub mod discovery;
mod dispatch;
mod environment;
mod error;
mod explain;
mod fence;
mod fnv;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod handling;
mod inquiry;
mod local;
mod membership;
mod node;
mod payload;
mod permits;
mod plan;
mod primary;
mod registry;
mod remote;
mod resolve;
mod routes;
mod run;
mod scope;
mod stall;
mod start_error;
mod striped;
mod target;
mod telemetry;

#[cfg(feature = "sim")]
pub mod testing;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use call::{Call, FlatCall};
pub use context::CallContext;
pub use contract::{Contract, ContractError, Fingerprint};
pub use error::{CallError, Executed, RpcError, Stage};
pub use explain::{Considered, Explanation, FunctionName, Reason};
pub use fly_rpc_macros::region_rpc;
pub use fly_rpc_transport::{
    ClusterSecret, DialError, Identity, IdentityError, LimitError, Limits, NameError, NodeId,
    Refusals, Region, SecretError,
};
pub use node::{
    BreakerState, Cut, DrainReport, FunctionInfo, Node, NodeBuilder, NodeStats, PeerInfo, PeerState,
};
pub use primary::{PrimaryChanges, PrimaryError, PrimarySource, PrimaryView, PrimaryWord};
pub use start_error::{Duplicate, MissingState, StartError};
pub use target::{Fallbacks, ParseTargetError, Target};

#[doc = include_str!("call.md")]
#[macro_export]
macro_rules! call {
    ($($tokens:tt)*) => {
        $crate::__private::call_in!($crate, $($tokens)*)
    };
}

#[doc = include_str!("assert_contracts.md")]
#[macro_export]
macro_rules! assert_contracts {
    ($path:expr $(,)?) => {
        $crate::__private::assert_contracts(
            $crate::__private::Asserting {
                directory: $crate::__private::env!("CARGO_MANIFEST_DIR"),
                package: $crate::__private::option_env!("CARGO_PKG_NAME"),
                binary: $crate::__private::option_env!("CARGO_BIN_NAME"),
                module: $crate::__private::module_path!(),
            },
            $path,
        )
    };
}

/// Runs the examples in the documentation of the attribute, whose own crate cannot: they call this one.
#[cfg(doctest)]
#[doc = include_str!("../../fly-rpc-macros/src/region_rpc.md")]
mod region_rpc_docs {}

/// The region of the current node; without one, of this process's environment.
pub fn my_region() -> Region {
    node().map_or_else(environment::region_of_process, |node| node.region().clone())
}

/// Where the current node sees the primary; without one, where this process's environment does.
pub fn primary_region() -> Region {
    node().map_or_else(environment::primary_of_process, |node| {
        node.primary_region().clone()
    })
}

/// True if [`my_region`] is [`primary_region`].
pub fn is_primary() -> bool {
    my_region() == primary_region()
}

/// The node that stubs use here: that of the running handler or scope, else the process's default
/// node.
pub fn node() -> Option<Node> {
    scope::current().map(|current| current.node)
}
