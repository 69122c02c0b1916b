//! Cryptography that repeats itself, so that sealed worlds do.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use gannet_driver_mio::crypto::AwsLc;
use gannet_protocol::crypto::{
    Aead, Cipher, Crypto, HASH_LEN, Identity, KeyPair, NoRandom, PublicKey, Secret, WeakKey,
};

/// Real cryptography, but for two things: its random bytes come from a seed, and the processor is the one that the world says.
#[derive(Debug)]
pub struct Seeded {
    seed: u64,
    drawn: AtomicU64,
    aes: bool,
    operations: Operations,
}

/// Counts public-key operations: key pairs made, and secrets agreed on.
#[derive(Clone, Debug, Default)]
pub struct Operations(Arc<AtomicU64>);

impl Operations {
    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Seeded {
    /// The same random bytes in the same order for the same seed, on a processor that has instructions for AES.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: AtomicU64::new(0), aes: true, operations: Operations::default() }
    }

    /// The same on a processor without them.
    #[must_use]
    pub fn without_aes(self) -> Self {
        Self { aes: false, ..self }
    }

    /// What counts its public-key operations from now on.
    #[must_use]
    pub fn operations(&self) -> Operations {
        self.operations.clone()
    }

    /// An identity with this cryptography.
    #[must_use]
    pub fn identity(self) -> Identity {
        let mut secret = Secret::zeroed();
        self.fill(secret.expose_mut());
        Identity::new(Arc::new(self), &secret)
    }

    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(HASH_LEN) {
            let count = self.drawn.fetch_add(1, Ordering::Relaxed);
            let mut block = [0; HASH_LEN];
            AwsLc.hmac_sha256(&self.seed.to_be_bytes(), &[&count.to_be_bytes()], &mut block);
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

impl Crypto for Seeded {
    fn random(&self, out: &mut [u8]) -> Result<(), NoRandom> {
        self.fill(out);
        Ok(())
    }

    fn has_aes(&self) -> bool {
        self.aes
    }

    fn key_pair(&self, secret: &Secret) -> Arc<dyn KeyPair> {
        self.operations.add();
        Arc::new(Counted { pair: AwsLc.key_pair(secret), operations: self.operations() })
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

struct Counted {
    pair: Arc<dyn KeyPair>,
    operations: Operations,
}

impl KeyPair for Counted {
    fn public(&self) -> &PublicKey {
        self.pair.public()
    }

    fn agree(&self, peer: &PublicKey) -> Result<Secret, WeakKey> {
        self.operations.add();
        self.pair.agree(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gannet_protocol::{
        OpenError, Protect,
        noise::{Initiator, Responder},
        sealed::{Limits, Sealed},
    };

    /// All that goes over the wire in a handshake and one packet, and the server's end of it.
    fn conversation(seed: u64) -> (Vec<Vec<u8>>, Sealed) {
        let client = Seeded::new(seed).identity();
        let server = Seeded::new(seed + 1).without_aes().identity();
        let cipher = Cipher::preferred(&**server.crypto());
        let initiator = Initiator::new(&client, cipher, b"", b"").unwrap();
        let responder = Responder::read_1(&server, cipher, b"", initiator.message()).unwrap();
        let mut answering = responder.write_2(b"").unwrap();
        let answer = initiator.read_2(answering.message()).unwrap();
        let (last, keys) = answer.write_3(b"").unwrap();
        let confirmed = answering.read_3(&last).unwrap();
        let limits = Limits::new(cipher);
        let mut packet = vec![0; 100];
        Sealed::new(client.crypto(), keys, limits).seal(0, 17, &mut packet).unwrap();
        let said = vec![initiator.message().to_vec(), answering.message().to_vec(), last, packet];
        (said, Sealed::new(server.crypto(), confirmed.keys, limits))
    }

    #[test]
    fn a_conversation_repeats_by_its_seed() {
        assert_eq!(conversation(1).0, conversation(1).0);
        let (one, other) = (conversation(1).0, conversation(3).0);
        assert!(one.iter().zip(&other).all(|(one, other)| one != other));
    }

    #[test]
    fn the_processor_chooses_the_cipher() {
        assert_eq!(Cipher::preferred(&Seeded::new(1)), Cipher::Aes256Gcm);
        let without = Seeded::new(1).without_aes();
        assert_eq!(Cipher::preferred(&without), Cipher::ChaCha20Poly1305);
    }

    #[test]
    fn it_notices_what_was_changed() {
        let (said, mut server) = conversation(1);
        let packet = said.last().unwrap();
        for bit in 0..packet.len() * 8 {
            let mut changed = packet.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(server.open(0, 17, &mut changed), Err(OpenError::Forged), "bit {bit}");
        }
        assert_eq!(server.open(0, 17, &mut packet.clone()), Ok(&[0; 67][..]));
    }
}
