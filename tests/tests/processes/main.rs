//! Real nodes, real processes and real faults between them. Whatever happens, nothing that was acknowledged is lost,
//! nothing runs twice, and `executed()` is never wrong: callers write down what they were told, callees what they did,
//! and both are compared at the end of each test.
//!
//! With `FLY_RPC_SOAK=1` black holes, pauses and partitions last longer, and the chaos goes on for ten minutes. The figures
//! are printed with `-- --nocapture`.

#![cfg(unix)]

mod chaos;
mod desk;
mod errands;
mod kills;
mod lives;
mod network;
mod partition;
mod pauses;
mod traffic;
mod trust;
mod world;
