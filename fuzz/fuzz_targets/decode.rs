//! Values of every kind, and bombs. What must hold is in `README.md`.

#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fly_rpc::fuzzing::decode(data));
