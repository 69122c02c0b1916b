//! Sealed handshakes and somebody on the way.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gannet_tests::fuzzing::handshake(bytes));
