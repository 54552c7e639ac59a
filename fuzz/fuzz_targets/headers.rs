#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fly_rpc_transport::fuzzing::headers(data));
