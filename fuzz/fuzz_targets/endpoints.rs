//! Two endpoints and all that can happen to them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gannet_tests::fuzzing::endpoints(bytes));
