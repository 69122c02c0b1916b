//! A provider for tests of what stands above it. It repeats, notices every change, and protects nothing.

use alloc::{boxed::Box, sync::Arc};
use core::hash::Hasher as _;
use std::{
    hash::DefaultHasher,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{
    Aead, AeadFailed, Cipher, Crypto, HASH_LEN, KeyPair, NONCE_LEN, NoRandom, PublicKey, Secret,
    TAG_LEN, WeakKey,
};

/// Makes the same keys in the same order for the same seed.
#[derive(Debug)]
pub(crate) struct Toy(AtomicU64);

impl Toy {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed << 32))
    }
}

/// As many bytes as asked for, from SipHash.
fn hash<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut out = [0; N];
    for (block, chunk) in out.chunks_mut(8).enumerate() {
        let mut hasher = DefaultHasher::new();
        hasher.write_usize(block);
        parts.iter().for_each(|part| {
            hasher.write_usize(part.len());
            hasher.write(part);
        });
        chunk.copy_from_slice(&hasher.finish().to_be_bytes()[..chunk.len()]);
    }
    out
}

impl Crypto for Toy {
    fn random(&self, out: &mut [u8]) -> Result<(), NoRandom> {
        for chunk in out.chunks_mut(8) {
            let count = self.0.fetch_add(1, Ordering::Relaxed);
            chunk.copy_from_slice(&hash::<8>(&[&count.to_be_bytes()])[..chunk.len()]);
        }
        Ok(())
    }

    fn has_aes(&self) -> bool {
        true
    }

    fn key_pair(&self, secret: &Secret) -> Arc<dyn KeyPair> {
        let exponent = u64::from_be_bytes(hash(&[secret.expose()])) | 1;
        Arc::new(ToyPair { exponent, public: point(power(GENERATOR, exponent)) })
    }

    fn sha256(&self, data: &[u8]) -> [u8; HASH_LEN] {
        hash(&[b"hash", data])
    }

    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]], out: &mut [u8; HASH_LEN]) {
        *out = hash(&[b"hmac", key, &parts.concat()]);
    }

    fn aead(&self, cipher: Cipher, key: &Secret) -> Box<dyn Aead> {
        Box::new(ToyAead(hash(&[&[cipher as u8], key.expose()])))
    }
}

/// 2^61 - 1, a prime: small enough for the products, and for anybody to take logarithms.
const PRIME: u64 = (1 << 61) - 1;
const GENERATOR: u64 = 37;

fn power(mut base: u64, mut exponent: u64) -> u64 {
    let multiply = |a: u64, b: u64| (u128::from(a) * u128::from(b) % u128::from(PRIME)) as u64;
    let mut result = 1;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = multiply(result, base);
        }
        base = multiply(base, base);
        exponent >>= 1;
    }
    result
}

fn point(value: u64) -> PublicKey {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&value.to_be_bytes());
    PublicKey::from_bytes(bytes)
}

struct ToyPair {
    exponent: u64,
    public: PublicKey,
}

impl KeyPair for ToyPair {
    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn agree(&self, peer: &PublicKey) -> Result<Secret, WeakKey> {
        let value = u64::from_be_bytes(*peer.as_bytes().first_chunk().unwrap()) % PRIME;
        if value <= 1 {
            return Err(WeakKey);
        }
        Ok(Secret::take(&mut hash(&[point(power(value, self.exponent)).as_bytes()])))
    }
}

struct ToyAead([u8; 32]);

impl ToyAead {
    fn mask(&self, nonce: [u8; NONCE_LEN], text: &mut [u8]) {
        for (block, chunk) in text.chunks_mut(32).enumerate() {
            let stream: [u8; 32] = hash(&[b"stream", &self.0, &nonce, &block.to_be_bytes()]);
            chunk.iter_mut().zip(stream).for_each(|(byte, mask)| *byte ^= mask);
        }
    }

    fn tag(&self, nonce: [u8; NONCE_LEN], aad: &[u8], text: &[u8]) -> [u8; TAG_LEN] {
        hash(&[b"tag", &self.0, &nonce, aad, text])
    }
}

impl Aead for ToyAead {
    fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<(), AeadFailed> {
        self.mask(nonce, in_out);
        *tag = self.tag(nonce, aad, in_out);
        Ok(())
    }

    fn open(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), AeadFailed> {
        let right = self.tag(nonce, aad, in_out) == *tag;
        // As a real one may, it leaves rubbish behind when it fails.
        self.mask(nonce, in_out);
        right.then_some(()).ok_or(AeadFailed)
    }
}
