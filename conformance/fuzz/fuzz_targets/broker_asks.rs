//! Runs `rocketry_conformance::fuzz::broker_asks` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rocketry_conformance::fuzz::broker_asks(data));
