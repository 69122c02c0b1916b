//! Simulated worlds for gannet.
