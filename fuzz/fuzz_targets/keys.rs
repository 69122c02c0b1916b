//! Public keys as text.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gannet_protocol::fuzzing::keys(bytes));
