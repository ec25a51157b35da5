//! Runs `rocketry_conformance::fuzz::record_list` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rocketry_conformance::fuzz::record_list(data));
