//! Handshakes and packets with real cryptography.

mod noise;
mod scripted;
mod vectors;
