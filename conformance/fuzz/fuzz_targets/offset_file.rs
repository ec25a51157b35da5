//! Runs `rocketry_conformance::fuzz::offset_file` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rocketry_conformance::fuzz::offset_file(data));
