//! Runs `rocketry_conformance::fuzz::tolerant_json` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rocketry_conformance::fuzz::tolerant_json(data));
