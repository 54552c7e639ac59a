//! Every kind of type that people send, and every one that must not be sent.

#![expect(
    clippy::use_self,
    reason = "a recursive type reads better as users write it"
)]

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};

use super::{Contract, ContractError, Fingerprint, trace};

mod attributes;
mod changes;
mod foreign;
mod golden;
mod recursion;
mod refused;
mod validating;

/// The contract of a function that returns a `T`.
fn contract<T: Serialize + DeserializeOwned>() -> Result<Contract, ContractError> {
    trace::<(), T>("f", 1, &[])
}

/// The text of `T` alone.
#[track_caller]
fn text<T: Serialize + DeserializeOwned>() -> String {
    let text = contract::<T>().unwrap().to_string();
    text.strip_prefix("f@1() -> ").unwrap().to_owned()
}

#[track_caller]
fn fingerprint<T: Serialize + DeserializeOwned>() -> Fingerprint {
    contract::<T>().unwrap().fingerprint()
}

#[track_caller]
fn refusal<T: Serialize + DeserializeOwned + Debug>() -> ContractError {
    contract::<T>().unwrap_err()
}
