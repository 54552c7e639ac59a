//! What generated code names. Not public API: it changes with the macro, with which it is released
//! in step.

pub use core::convert::Into;
pub use core::marker::Send;
pub use core::result::Result;
pub use core::{env, module_path, option_env};
pub use std::{future::Future, option::Option, time::Duration};
pub use std::{sync::Arc, vec::Vec};

pub use inventory;

pub use crate::{
    call::call,
    contract_file::{Asserting, assert_contracts},
    registry::{ByteSlice, Entry, Function, Pin, Scope, Spec, StateType},
};
pub use fly_rpc_macros::call_in;
