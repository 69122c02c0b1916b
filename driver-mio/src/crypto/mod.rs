//! The cryptography of real endpoints: AWS-LC.
//!
//! It is the fastest for packets that was measured, runs in constant time, wipes its memory, and needs only a C compiler to
//! build. It chooses the instructions that the processor has when it runs.

use std::sync::Arc;

use aws_lc_rs::{digest, hmac};
use gannet_protocol::crypto::{Aead, Cipher, Crypto, HASH_LEN, KeyPair, NoRandom, Secret};

mod aead;
mod x25519;

/// The provider.
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsLc;

impl Crypto for AwsLc {
    fn random(&self, out: &mut [u8]) -> Result<(), NoRandom> {
        // The system's: AWS-LC's own generator first gathers tens of milliseconds' worth of jitter in every process.
        getrandom::fill(out).map_err(|_| NoRandom)
    }

    fn has_aes(&self) -> bool {
        has_aes()
    }

    fn key_pair(&self, secret: &Secret) -> Arc<dyn KeyPair> {
        Arc::new(x25519::X25519::new(secret))
    }

    fn sha256(&self, data: &[u8]) -> [u8; HASH_LEN] {
        let mut out = [0; HASH_LEN];
        out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
        out
    }

    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]], out: &mut [u8; HASH_LEN]) {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
        parts.iter().for_each(|part| context.update(part));
        out.copy_from_slice(context.sign().as_ref());
    }

    fn aead(&self, cipher: Cipher, key: &Secret) -> Box<dyn Aead> {
        Box::new(aead::Key::new(cipher, key))
    }
}

/// AES and the carry-less multiplication that GCM is made of.
#[cfg(target_arch = "x86_64")]
fn has_aes() -> bool {
    std::is_x86_feature_detected!("aes") && std::is_x86_feature_detected!("pclmulqdq")
}

/// AES and the polynomial multiplication that GCM is made of, which this feature includes.
#[cfg(target_arch = "aarch64")]
fn has_aes() -> bool {
    std::arch::is_aarch64_feature_detected!("aes")
}

/// Nobody knows.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn has_aes() -> bool {
    false
}

#[cfg(test)]
mod tests;
