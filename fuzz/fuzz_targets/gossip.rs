//! Gossip: records, packets and questions, between all that may happen to a node. What must hold is in
//! `README.md`.

#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fly_rpc::fuzzing::gossip(data));
