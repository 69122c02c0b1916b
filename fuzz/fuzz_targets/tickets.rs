//! Tickets as text and as bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gannet_driver_mio::trust::fuzzing::tickets(bytes));
