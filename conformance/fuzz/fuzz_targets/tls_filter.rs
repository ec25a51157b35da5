//! Runs `rocketry_conformance::fuzz::tls_filter` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rocketry_conformance::fuzz::tls_filter(data));
