//! Keys that nobody else may know.

use alloc::boxed::Box;
use core::fmt;

use zeroize::Zeroize;

use super::{Crypto, NoRandom};

/// Bytes of every key.
pub const KEY_LEN: usize = 32;

/// 32 bytes that nobody else may know: wiped when dropped, never printed. They stay where they are when the value moves, so that no
/// copies are left behind.
#[derive(Clone)]
pub struct Secret(Box<[u8; KEY_LEN]>);

impl Secret {
    /// Takes the bytes over and wipes the place they came from.
    pub fn take(bytes: &mut [u8; KEY_LEN]) -> Self {
        let secret = Self(Box::new(*bytes));
        bytes.zeroize();
        secret
    }

    /// A new one.
    ///
    /// # Errors
    /// [`NoRandom`] if the provider has no random bytes.
    pub fn random(crypto: &dyn Crypto) -> Result<Self, NoRandom> {
        let mut secret = Self::zeroed();
        crypto.random(secret.expose_mut())?;
        Ok(secret)
    }

    /// A place to write a secret to.
    #[must_use]
    pub fn zeroed() -> Self {
        Self(Box::new([0; KEY_LEN]))
    }

    /// The bytes: for cryptography and for key files.
    #[must_use]
    pub fn expose(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// The bytes, to be written.
    pub fn expose_mut(&mut self) -> &mut [u8; KEY_LEN] {
        &mut self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_secret_is_taken_whole_and_never_printed() {
        let mut bytes = [0xab; KEY_LEN];
        let secret = Secret::take(&mut bytes);
        assert_eq!((bytes, *secret.expose()), ([0; KEY_LEN], [0xab; KEY_LEN]));
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }
}
