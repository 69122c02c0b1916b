//! X25519.

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey};
use gannet_protocol::crypto::{KEY_LEN, KeyPair, PublicKey, Secret, WeakKey};

pub(super) struct X25519 {
    secret: PrivateKey,
    public: PublicKey,
}

impl X25519 {
    pub(super) fn new(secret: &Secret) -> Self {
        let secret = PrivateKey::from_private_key(&agreement::X25519, secret.expose())
            .expect("any 32 bytes are a secret of X25519");
        let computed = secret.compute_public_key().expect("every secret has a public key");
        let mut public = [0; KEY_LEN];
        public.copy_from_slice(computed.as_ref());
        Self { secret, public: PublicKey::from_bytes(public) }
    }
}

impl KeyPair for X25519 {
    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn agree(&self, peer: &PublicKey) -> Result<Secret, WeakKey> {
        let peer = UnparsedPublicKey::new(&agreement::X25519, peer.as_bytes());
        agreement::agree(&self.secret, peer, WeakKey, |bytes| {
            let mut secret = Secret::zeroed();
            secret.expose_mut().copy_from_slice(bytes);
            Ok(secret)
        })
    }
}
