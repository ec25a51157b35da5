//! Runs `rocketry_conformance::fuzz::recall_handle` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rocketry_conformance::fuzz::recall_handle(data));
