//! Real cryptography whose random bytes are given.

use std::sync::{Arc, Mutex};

use gannet_driver_mio::crypto::AwsLc;
use gannet_protocol::crypto::{
    Aead, Cipher, Crypto, HASH_LEN, Identity, KeyPair, NoRandom, Secret,
};

/// Real cryptography whose random bytes are given.
struct Scripted(Mutex<Box<dyn Iterator<Item = u8> + Send>>);

/// An identity of this secret, which takes ephemeral ones from `random`.
pub(crate) fn identity(
    mut secret: [u8; 32],
    random: impl IntoIterator<Item = u8, IntoIter: Send + 'static>,
) -> Identity {
    let crypto = Arc::new(Scripted(Mutex::new(Box::new(random.into_iter()))));
    Identity::new(crypto, &Secret::take(&mut secret))
}

impl Crypto for Scripted {
    fn random(&self, out: &mut [u8]) -> Result<(), NoRandom> {
        let mut bytes = self.0.lock().unwrap();
        out.fill_with(|| bytes.next().unwrap());
        Ok(())
    }
    fn has_aes(&self) -> bool {
        AwsLc.has_aes()
    }
    fn key_pair(&self, secret: &Secret) -> Arc<dyn KeyPair> {
        AwsLc.key_pair(secret)
    }
    fn sha256(&self, data: &[u8]) -> [u8; HASH_LEN] {
        AwsLc.sha256(data)
    }
    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]], out: &mut [u8; HASH_LEN]) {
        AwsLc.hmac_sha256(key, parts, out);
    }
    fn aead(&self, cipher: Cipher, key: &Secret) -> Box<dyn Aead> {
        AwsLc.aead(cipher, key)
    }
}
