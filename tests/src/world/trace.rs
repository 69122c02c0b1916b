//! What a world did, as a number: two runs that differ in a bit of a packet or in a nanosecond differ in it.

use std::net::{IpAddr, SocketAddr};

use super::net::{Direction, Passing};

/// A running hash over everything that was sent, when, and where to.
///
/// Fowler, Noll and Vo's mixing step over words instead of bytes: fast, and enough to tell runs apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trace(u64);

impl Default for Trace {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Trace {
    pub(crate) const fn hash(self) -> u64 {
        self.0
    }

    pub(crate) fn note(&mut self, passing: &Passing<'_>) {
        self.mix(passing.now.as_nanos());
        self.mix(match passing.direction {
            Direction::Up => place(passing.from),
            Direction::Down => place(passing.to),
        });
        self.mix(passing.payload.len() as u64);
        for chunk in passing.payload.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    const fn mix(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
    }
}

fn place(address: SocketAddr) -> u64 {
    let ip = match address.ip() {
        IpAddr::V4(ip) => u64::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip) as u64,
    };
    ip << 16 | u64::from(address.port())
}
