//! What cryptography is, as far as the state machine goes: a provider that it is given.
//!
//! This crate holds no cipher. An [`Endpoint`](crate::Endpoint) gets a [`Crypto`] when it is made, and everything above it, the
//! handshake ([`noise`](crate::noise)), the protection of packets ([`sealed`](crate::sealed)) and the keyed tags of
//! cookies ([`Mac`]), is made of these few primitives.

use alloc::{boxed::Box, sync::Arc};
use core::fmt;

mod identity;
mod keys;
mod mac;
mod siphash;
#[cfg(test)]
pub(crate) mod toy;

pub use identity::Identity;
pub use keys::{KEY_LEN, Secret};

pub use crate::PublicKey;
pub(crate) use siphash::siphash;

pub use mac::{MAC_LEN, Mac, Purpose};

/// Bytes of the tag that an AEAD adds.
pub const TAG_LEN: usize = 16;
/// Bytes of an AEAD's nonce.
pub const NONCE_LEN: usize = 12;
/// Bytes of a SHA-256.
pub const HASH_LEN: usize = 32;

/// The primitives. Equal inputs give equal outputs, but for [`Crypto::random`]; all of them run in constant time as far as secrets
/// go, and wipe what they kept of a secret when it is dropped.
pub trait Crypto: Send + Sync {
    /// Fills `out` with bytes that nobody can guess.
    ///
    /// # Errors
    /// [`NoRandom`] if there are none to be had.
    fn random(&self, out: &mut [u8]) -> Result<(), NoRandom>;

    /// Whether the processor has instructions for AES and for the multiplication of GCM. Without them AES is slow and
    /// hard to run in constant time.
    fn has_aes(&self) -> bool;

    /// The X25519 key pair of a secret (RFC 7748).
    fn key_pair(&self, secret: &Secret) -> Arc<dyn KeyPair>;

    /// SHA-256 (FIPS 180-4) of bytes that are no secret.
    fn sha256(&self, data: &[u8]) -> [u8; HASH_LEN];

    /// HMAC with SHA-256 (RFC 2104) of `parts`, one after the other, into `out`.
    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]], out: &mut [u8; HASH_LEN]);

    /// An AEAD with this key.
    fn aead(&self, cipher: Cipher, key: &Secret) -> Box<dyn Aead>;
}

/// An X25519 key pair.
pub trait KeyPair: Send + Sync {
    /// What others may know of it.
    fn public(&self) -> &PublicKey;

    /// The secret that only the two key pairs' owners can compute (RFC 7748, section 6.1).
    ///
    /// # Errors
    /// [`WeakKey`] if `peer` is a point of low order, so that anybody could.
    fn agree(&self, peer: &PublicKey) -> Result<Secret, WeakKey>;
}

/// An authenticated cipher with associated data and a key in it (RFC 5116).
pub trait Aead: Send + Sync {
    /// Encrypts `in_out` in place and writes the tag. The caller sees to it that no nonce comes twice.
    ///
    /// # Errors
    /// [`AeadFailed`] if `in_out` is longer than the cipher allows; what is in it is then undefined.
    fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<(), AeadFailed>;

    /// As [`Self::seal`], of what stands in `out` followed by `rest`, which stands elsewhere and is not changed. In `out`, as many
    /// bytes as `rest` has and those of the tag are only written; the rest before them is encrypted in place.
    ///
    /// # Errors
    /// [`AeadFailed`] also if `out` is too short.
    fn seal_with(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        out: &mut [u8],
        rest: &[u8],
    ) -> Result<(), AeadFailed> {
        let (text, tag) = out.split_last_chunk_mut::<TAG_LEN>().ok_or(AeadFailed)?;
        let place = text.len().checked_sub(rest.len()).and_then(|start| text.get_mut(start..));
        place.ok_or(AeadFailed)?.copy_from_slice(rest);
        self.seal(nonce, aad, text, tag)
    }

    /// Decrypts `in_out` in place if `tag` is right for it and `aad`.
    ///
    /// # Errors
    /// [`AeadFailed`] if it is not; what is in `in_out` is then undefined.
    fn open(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), AeadFailed>;
}

/// How packets are protected: the suite that a HELLO asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Suite {
    /// Not encrypted: packets carry a CRC-32C. For trusted links only, and never negotiated.
    Plain,
    /// Encrypted and authenticated, with keys from a Noise handshake.
    Sealed(Cipher),
}

/// An authenticated cipher with keys of 256 bits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cipher {
    /// AES-256-GCM (NIST SP 800-38D): several times as fast as the other where the processor has instructions for it.
    Aes256Gcm,
    /// ChaCha20-Poly1305 (RFC 8439): fast, and in constant time, on any processor.
    ChaCha20Poly1305,
}

impl Suite {
    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Plain => 0,
            Self::Sealed(Cipher::Aes256Gcm) => 1,
            Self::Sealed(Cipher::ChaCha20Poly1305) => 2,
        }
    }

    /// The suite of a number from the wire, if this version knows it.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Plain,
            1 => Self::Sealed(Cipher::Aes256Gcm),
            2 => Self::Sealed(Cipher::ChaCha20Poly1305),
            _ => return None,
        })
    }
}

impl Cipher {
    /// The faster one for this end.
    #[must_use]
    pub fn preferred(crypto: &dyn Crypto) -> Self {
        if crypto.has_aes() { Self::Aes256Gcm } else { Self::ChaCha20Poly1305 }
    }

    /// The nonce of a counter, as Noise writes it (section 12.3 of its specification for ChaChaPoly, 12.4 for AESGCM). Different
    /// counters give different nonces.
    #[must_use]
    pub fn nonce(self, counter: u64) -> [u8; NONCE_LEN] {
        let [a, b, c, d, e, f, g, h] = match self {
            Self::Aes256Gcm => counter.to_be_bytes(),
            Self::ChaCha20Poly1305 => counter.to_le_bytes(),
        };
        [0, 0, 0, 0, a, b, c, d, e, f, g, h]
    }
}

/// There is no randomness to be had.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoRandom;

/// A public key with which everybody would agree on the same secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WeakKey;

/// A tag is wrong, or the text too long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AeadFailed;

impl fmt::Display for NoRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the system gives no random bytes")
    }
}

impl core::error::Error for NoRandom {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_have_the_numbers_of_the_specification() {
        for number in 0..=u8::MAX {
            let suite = Suite::from_number(number);
            assert_eq!(suite.map(Suite::number), (number <= 2).then_some(number));
        }
        assert_eq!(Suite::from_number(0), Some(Suite::Plain));
        assert_eq!(Suite::from_number(1), Some(Suite::Sealed(Cipher::Aes256Gcm)));
    }

    #[test]
    fn nonces_are_those_of_noise() {
        let counter = 0x0102_0304_0506_0708;
        assert_eq!(Cipher::Aes256Gcm.nonce(counter), [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(Cipher::ChaCha20Poly1305.nonce(counter), [0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1]);
    }
}
