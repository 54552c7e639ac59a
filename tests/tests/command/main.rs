//! The command `fly-rpc`, as a process of its own, with nodes that are processes too: each subcommand, and each way in which
//! it can be used wrongly.

mod calls;
mod fixture;
mod looks;
mod nobody;
mod observer;
mod strange;
