//! Simulated worlds for gannet.

pub mod crypto;
