//! Runs `rocketry_conformance::fuzz::engine_session` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rocketry_conformance::fuzz::engine_session(data));
