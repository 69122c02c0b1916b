//! The endpoint's own randomness: all of it from its seed, but for what a peer must not guess.

use alloc::sync::Arc;
use core::fmt;

use crate::{Security, crypto::Crypto};

/// xoshiro256** (Blackman and Vigna, 2018): ids and nonces that must be unlikely to collide. Nothing secret comes from it.
#[derive(Clone, Debug)]
pub(crate) struct Random([u64; 4]);

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(seed.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        // The all-zero state is the only one that stays where it is.
        if words == [0; 4] {
            words = [0x9e37_79b9_7f4a_7c15, 0, 0, 1];
        }
        let mut random = Self(words);
        // Seeds that differ in few bits have to part ways first.
        (0..16).for_each(|_| {
            random.next();
        });
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }
}

/// What nobody must foretell from what came before: where packets are sealed, mixed with what the provider of cryptography gives, so
/// that it takes both to be known or to come again.
pub(crate) fn unguessable(security: &Security, random: &mut Random) -> u64 {
    let mut bytes = [0; 8];
    if let Security::Sealed(identity) = security {
        // No handshake comes about where this fails.
        let _ = identity.crypto().random(&mut bytes);
    }
    random.next() ^ u64::from_le_bytes(bytes)
}

/// What a peer must not guess, since it could profit from that: from the provider of cryptography where packets are sealed. Plain
/// packets anybody can forge; for them the endpoint's own randomness has to do.
pub(crate) struct Unguessable {
    crypto: Option<Arc<dyn Crypto>>,
    random: Random,
}

impl Unguessable {
    pub(crate) fn new(security: &Security, random: &mut Random) -> Self {
        let crypto = match security {
            Security::Plain => None,
            Security::Sealed(identity) => Some(Arc::clone(identity.crypto())),
        };
        let mut seed = [0; 32];
        let words = seed.as_chunks_mut::<8>().0;
        words.iter_mut().for_each(|word| *word = random.next().to_le_bytes());
        Self { crypto, random: Random::new(seed) }
    }

    pub(crate) fn next(&mut self) -> u64 {
        let mut bytes = self.random.next().to_le_bytes();
        if let Some(crypto) = &self.crypto {
            // A provider that worked when the handshake needed it and fails now leaves the bytes as they are.
            let _ = crypto.random(&mut bytes);
        }
        u64::from_le_bytes(bytes)
    }
}

impl fmt::Debug for Unguessable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unguessable").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn seeds_decide_and_differ() {
        let first = |seed: u8| Random::new([seed; 32]).next();
        assert_eq!(first(1), first(1));
        let firsts: BTreeSet<u64> = (0..=255).map(first).collect();
        assert_eq!(firsts.len(), 256);
    }
}
