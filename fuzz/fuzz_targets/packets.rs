//! Datagrams, with a right checksum and without.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gannet_protocol::fuzzing::packets(bytes));
