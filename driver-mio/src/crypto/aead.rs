//! AES-256-GCM and ChaCha20-Poly1305.

use aws_lc_rs::aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use gannet_protocol::crypto::{Aead, AeadFailed, Cipher, NONCE_LEN, Secret, TAG_LEN};

/// "Less safe" as it leaves the nonces to its user: the packets' numbers are.
pub(super) struct Key(LessSafeKey);

impl Key {
    pub(super) fn new(cipher: Cipher, key: &Secret) -> Self {
        let algorithm = match cipher {
            Cipher::Aes256Gcm => &AES_256_GCM,
            Cipher::ChaCha20Poly1305 => &CHACHA20_POLY1305,
        };
        let key = UnboundKey::new(algorithm, key.expose());
        Self(LessSafeKey::new(key.expect("both ciphers take keys of 32 bytes")))
    }
}

impl Aead for Key {
    fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<(), AeadFailed> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0
            .seal_in_place_scatter(nonce, Aad::from(aad), in_out, &[], tag)
            .map_err(|_| AeadFailed)
    }

    fn seal_with(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        out: &mut [u8],
        rest: &[u8],
    ) -> Result<(), AeadFailed> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let start = out.len().checked_sub(rest.len() + TAG_LEN).ok_or(AeadFailed)?;
        let (text, behind) = out.split_at_mut(start);
        self.0
            .seal_in_place_scatter(nonce, Aad::from(aad), text, rest, behind)
            .map_err(|_| AeadFailed)
    }

    fn open(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), AeadFailed> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0
            .open_in_place_separate_tag(nonce, Aad::from(aad), tag, in_out)
            .map(|_| ())
            .map_err(|_| AeadFailed)
    }
}
