//! A call of a function that this program does not have: its arguments come encoded, by the contract that a node
//! told, and its value leaves encoded.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::{Course, Outcome, RemoteCall, bad_target};
use crate::{
    deadline,
    error::RpcError,
    node::Node,
    registry::{Spec, registered},
    resolve::Wanted,
    target::Target,
    telemetry::Calling,
};

/// Which function, and by which contract.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Foreign<'a> {
    pub(crate) target: &'a Target,
    pub(crate) name: &'a str,
    pub(crate) version: u32,
    pub(crate) fingerprint: [u8; 16],
    /// Its text, for errors.
    pub(crate) contract: &'a str,
}

/// Calls it, at most once, on a node of the target that serves it with this contract.
///
/// It leaks the function's name: for a program that makes a few such calls and ends.
///
/// # Cancel safety
/// As for [`Call`](crate::Call).
pub(crate) async fn call_foreign(
    node: &Node,
    foreign: Foreign<'_>,
    arguments: Bytes,
    timeout: Duration,
) -> Result<Bytes, RpcError> {
    if let Some(error) = bad_target(foreign.target) {
        return Err(error);
    }
    let name: &'static str = String::leak(foreign.name.to_owned());
    let spec: &'static Spec = Box::leak(Box::new(Spec::new(name, foreign.version)));
    let now = Instant::now();
    // It is in no registry, and so in no metric.
    let calling = Calling::begin(node.inner(), spec, None, foreign.target, now);
    let call = RemoteCall {
        node,
        spec,
        place: registered().len(),
        wanted: Wanted {
            target: foreign.target,
            name,
            version: foreign.version,
            fingerprint: foreign.fingerprint,
            contract: foreign.contract,
        },
        deadline: deadline::after(now, timeout, node.inner().limits.deadline),
        wait_ready: false,
        has_older: false,
    };
    // This node does not have it, whatever the target.
    let mut course = Course::new(true);
    let outcome = call.run(&arguments.into(), &mut course, &calling).await;
    calling.end(&outcome);
    match outcome? {
        Outcome::Value(value) => Ok(value),
        Outcome::Here(_) => Err(RpcError::NotStarted),
    }
}
