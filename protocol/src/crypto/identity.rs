//! Who an endpoint is.

use alloc::sync::Arc;
use core::fmt;

use super::{Crypto, KeyPair, Mac, NoRandom, PublicKey, Purpose, Secret};

/// An endpoint's cryptography and its long-term key, with all that is derived from it. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    pub(crate) crypto: Arc<dyn Crypto>,
    pub(crate) key_pair: Arc<dyn KeyPair>,
    cookies: Mac,
    resets: Mac,
}

impl Identity {
    /// The identity of a long-term secret.
    #[must_use]
    pub fn new(crypto: Arc<dyn Crypto>, secret: &Secret) -> Self {
        Self {
            key_pair: crypto.key_pair(secret),
            cookies: Mac::new(Arc::clone(&crypto), secret, Purpose::Cookie),
            resets: Mac::new(Arc::clone(&crypto), secret, Purpose::Reset),
            crypto,
        }
    }

    /// An identity for one run.
    ///
    /// # Errors
    /// [`NoRandom`] if the provider has no random bytes.
    pub fn random(crypto: Arc<dyn Crypto>) -> Result<Self, NoRandom> {
        let secret = Secret::random(&*crypto)?;
        Ok(Self::new(crypto, &secret))
    }

    /// What others know it by.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        self.key_pair.public()
    }

    /// The primitives that it uses.
    #[must_use]
    pub fn crypto(&self) -> &Arc<dyn Crypto> {
        &self.crypto
    }

    /// Tags of cookies.
    #[must_use]
    pub const fn cookies(&self) -> &Mac {
        &self.cookies
    }

    /// Tags of resets.
    #[must_use]
    pub const fn resets(&self) -> &Mac {
        &self.resets
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(self.public()).finish()
    }
}
