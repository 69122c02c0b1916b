//! What is known of paths.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gannet_driver_mio::trust::fuzzing::known_paths(bytes));
