//! Lists of authorized clients.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gannet_driver_mio::trust::fuzzing::authorized_clients(
    bytes
));
