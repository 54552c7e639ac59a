//! Bare quinn, set up as fly-rpc's transport is, without a framework around it.

mod endpoint;
mod frames;
pub(crate) mod mux;
mod outbox;
pub(crate) mod streams;
