//! Whole nodes on a simulated network, under faults that follow from a seed.
//!
//! `FLY_RPC_SEED=17` repeats one run, `FLY_RPC_SEEDS=100000` makes so many; see
//! `fly_rpc::testing`.

mod application;
mod beside;
mod calls;
mod choosing;
mod cold;
mod crowd;
mod faults;
mod fleet;
mod ledger;
mod namesakes;
mod scenarios;
mod swarm;
