//! Requests, answers and cancels. What must hold is in `README.md`.

#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fly_rpc_transport::fuzzing::headers(data));
