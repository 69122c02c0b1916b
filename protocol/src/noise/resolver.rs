//! What the Noise library asks for, made of the provider's primitives.

use alloc::{boxed::Box, sync::Arc, vec::Vec};

use snow::{
    Error,
    params::{CipherChoice, DHChoice, HashChoice},
    resolvers::CryptoResolver,
    types,
};

use crate::crypto::{Aead, Cipher, Crypto, HASH_LEN, KEY_LEN, KeyPair, PublicKey, Secret, TAG_LEN};

/// The primitives of one side of one handshake, whose keys are chosen already.
pub(super) struct Resolver {
    pub(super) crypto: Arc<dyn Crypto>,
    pub(super) identity: Arc<dyn KeyPair>,
    pub(super) ephemeral: Arc<dyn KeyPair>,
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn types::Random>> {
        Some(Box::new(NoRandom))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn types::Dh>> {
        (*choice == DHChoice::Curve25519).then(|| -> Box<dyn types::Dh> {
            Box::new(Dh {
                identity: Arc::clone(&self.identity),
                ephemeral: Arc::clone(&self.ephemeral),
                chosen: None,
            })
        })
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn types::Hash>> {
        (*choice == HashChoice::SHA256).then(|| -> Box<dyn types::Hash> {
            Box::new(Hash { crypto: Arc::clone(&self.crypto), input: Vec::new() })
        })
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn types::Cipher>> {
        let cipher = match choice {
            CipherChoice::AESGCM => Cipher::Aes256Gcm,
            CipherChoice::ChaChaPoly => Cipher::ChaCha20Poly1305,
        };
        Some(Box::new(NoiseCipher { crypto: Arc::clone(&self.crypto), cipher, aead: None }))
    }
}

/// All keys are drawn before the library is called.
struct NoRandom;

impl types::Random for NoRandom {
    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Error> {
        Err(Error::Rng)
    }
}

/// A place of the library for a key pair: it sets the long-term one and generates the ephemeral one.
struct Dh {
    identity: Arc<dyn KeyPair>,
    ephemeral: Arc<dyn KeyPair>,
    chosen: Option<Arc<dyn KeyPair>>,
}

impl types::Dh for Dh {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        KEY_LEN
    }

    fn priv_len(&self) -> usize {
        KEY_LEN
    }

    fn set(&mut self, _placeholder: &[u8]) {
        self.chosen = Some(Arc::clone(&self.identity));
    }

    fn generate(&mut self, _: &mut dyn types::Random) -> Result<(), Error> {
        self.chosen = Some(Arc::clone(&self.ephemeral));
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        self.chosen.as_ref().map_or(&[0; KEY_LEN], |pair| pair.public().as_bytes())
    }

    fn privkey(&self) -> &[u8] {
        // Only the library's key generation asks, which is not used.
        &[0; KEY_LEN]
    }

    fn dh(&self, pubkey: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let pair = self.chosen.as_ref().ok_or(Error::Dh)?;
        // The library keeps keys in buffers with room for longer ones.
        let peer = PublicKey::from_bytes(*pubkey.first_chunk().ok_or(Error::Dh)?);
        let shared = pair.agree(&peer).map_err(|_| Error::Dh)?;
        *out.first_chunk_mut().ok_or(Error::Dh)? = *shared.expose();
        Ok(())
    }
}

/// SHA-256. What goes through [`types::Hash::input`] is the transcript, which is public; secrets only go through
/// [`types::Hash::hmac`].
struct Hash {
    crypto: Arc<dyn Crypto>,
    input: Vec<u8>,
}

impl types::Hash for Hash {
    fn name(&self) -> &'static str {
        "SHA256"
    }

    fn block_len(&self) -> usize {
        64
    }

    fn hash_len(&self) -> usize {
        HASH_LEN
    }

    fn reset(&mut self) {
        self.input.clear();
    }

    fn input(&mut self, data: &[u8]) {
        self.input.extend_from_slice(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        if let Some(out) = out.first_chunk_mut() {
            *out = self.crypto.sha256(&self.input);
        }
    }

    fn hmac(&mut self, key: &[u8], data: &[u8], out: &mut [u8]) {
        if let Some(out) = out.first_chunk_mut() {
            self.crypto.hmac_sha256(key, &[data], out);
        }
    }
}

/// An AEAD that gets its key later.
struct NoiseCipher {
    crypto: Arc<dyn Crypto>,
    cipher: Cipher,
    aead: Option<Box<dyn Aead>>,
}

impl types::Cipher for NoiseCipher {
    fn name(&self) -> &'static str {
        match self.cipher {
            Cipher::Aes256Gcm => "AESGCM",
            Cipher::ChaCha20Poly1305 => "ChaChaPoly",
        }
    }

    fn set(&mut self, key: &[u8; KEY_LEN]) {
        let mut copy = *key;
        self.aead = Some(self.crypto.aead(self.cipher, &Secret::take(&mut copy)));
    }

    fn encrypt(&self, nonce: u64, authtext: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        self.seal(nonce, authtext, plaintext, out).unwrap_or_default()
    }

    fn decrypt(
        &self,
        nonce: u64,
        authtext: &[u8],
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, Error> {
        self.open(nonce, authtext, ciphertext, out).ok_or(Error::Decrypt)
    }
}

impl NoiseCipher {
    /// Gives nothing, and leaves nothing readable, if it fails: the message is then too short for any peer.
    fn seal(&self, nonce: u64, aad: &[u8], text: &[u8], out: &mut [u8]) -> Option<usize> {
        let len = text.len().checked_add(TAG_LEN)?;
        let (sealed, tag) = out.get_mut(..len)?.split_last_chunk_mut::<TAG_LEN>()?;
        sealed.copy_from_slice(text);
        match self.aead.as_ref()?.seal(self.cipher.nonce(nonce), aad, sealed, tag) {
            Ok(()) => Some(len),
            Err(_) => {
                sealed.fill(0);
                None
            }
        }
    }

    fn open(&self, nonce: u64, aad: &[u8], text: &[u8], out: &mut [u8]) -> Option<usize> {
        let (sealed, tag) = text.split_last_chunk::<TAG_LEN>()?;
        let out = out.get_mut(..sealed.len())?;
        out.copy_from_slice(sealed);
        match self.aead.as_ref()?.open(self.cipher.nonce(nonce), aad, out, tag) {
            Ok(()) => Some(out.len()),
            Err(_) => {
                out.fill(0);
                None
            }
        }
    }
}
