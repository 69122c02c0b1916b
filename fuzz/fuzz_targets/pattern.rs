//! Patterns of names.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gannet_driver_mio::fuzzing::pattern(bytes));
