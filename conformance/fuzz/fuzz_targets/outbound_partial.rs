//! Runs `rocketry_conformance::fuzz::outbound_partial` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rocketry_conformance::fuzz::outbound_partial(data));
