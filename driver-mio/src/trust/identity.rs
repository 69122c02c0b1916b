//! This user's own key pair.

use std::{
    error, fmt,
    path::{Path, PathBuf},
};

use aws_lc_rs::agreement;
use gannet_protocol::{
    PublicKey,
    armor::{self, BadText, Kind},
};
use zeroize::Zeroizing;

use super::{
    Paths,
    private::{self, FileError, Guard, Lock},
};

/// A secret X25519 key (RFC 7748) and its public half.
///
/// It is wiped from memory when it is dropped, and never displayed. Its file holds its text ([`Kind::SecretKey`]) in one
/// line; lines that start with `#` are for people.
pub struct SecretKey {
    secret: Zeroizing<[u8; 32]>,
    public: PublicKey,
}

impl SecretKey {
    /// Reads this user's key, or makes it, and its directory, where there is none. Programs that do so at once all get the
    /// same.
    ///
    /// # Errors
    /// [`IdentityError`]
    pub fn load_or_create(paths: &Paths) -> Result<Self, IdentityError> {
        paths.prepare_config()?;
        let path = paths.secret_key();
        if let Some(key) = Self::load(&path)? {
            return Ok(key);
        }
        let lock = Lock::of(&path)?;
        if let Some(key) = Self::load(&path)? {
            return Ok(key);
        }
        let key = Self::generate()?;
        lock.replace(&path, key.to_file()?.as_bytes())?;
        log::info!(target: "gannet::trust", "a new key is in {}: {}", path.display(), key.public);
        Ok(key)
    }

    /// Makes one that is not stored anywhere.
    ///
    /// # Errors
    /// [`IdentityError::Crypto`] if the system has no randomness.
    pub fn generate() -> Result<Self, IdentityError> {
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(secret.as_mut_slice()).map_err(|_| IdentityError::Crypto)?;
        Self::new(secret)
    }

    /// The key of 32 secret bytes.
    ///
    /// # Errors
    /// [`IdentityError::Crypto`]: the public half cannot be computed.
    pub fn new(secret: Zeroizing<[u8; 32]>) -> Result<Self, IdentityError> {
        let public = public_half(&secret).ok_or(IdentityError::Crypto)?;
        Ok(Self { secret, public })
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// The secret bytes, for the key exchange and nothing else.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.secret
    }

    fn load(path: &Path) -> Result<Option<Self>, IdentityError> {
        let Some(bytes) = private::read(path, Guard::Secret)? else {
            return Ok(None);
        };
        let bad = |why| IdentityError::Content { path: path.to_owned(), why };
        let text = std::str::from_utf8(&bytes).map_err(|_| bad(None))?;
        let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (Some(line), None) = (lines.next(), lines.next()) else { return Err(bad(None)) };
        let mut secret = Zeroizing::new([0; 32]);
        armor::read(Kind::SecretKey, line, secret.as_mut_slice())
            .map_err(|why| bad(Some(why.redacted())))?;
        Self::new(secret).map(Some)
    }

    fn to_file(&self) -> Result<Zeroizing<String>, IdentityError> {
        // With room for all of it, the string never moves and leaves no copy behind.
        let mut text = Zeroizing::new(String::with_capacity(512));
        let written = write_file(&mut text, self);
        written.map_err(|_| IdentityError::Crypto)?;
        Ok(text)
    }
}

fn write_file(text: &mut String, key: &SecretKey) -> fmt::Result {
    use fmt::Write;
    writeln!(
        text,
        "# The secret key of gannet: whoever has it is you. Its public half, to give to others:"
    )?;
    writeln!(text, "# {}", key.public)?;
    armor::write(text, Kind::SecretKey, key.expose())?;
    text.write_char('\n')
}

fn public_half(secret: &[u8; 32]) -> Option<PublicKey> {
    let key = agreement::PrivateKey::from_private_key(&agreement::X25519, secret).ok()?;
    let public = key.compute_public_key().ok()?;
    public.as_ref().try_into().ok().map(PublicKey::from_bytes)
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey").field("public", &self.public).finish_non_exhaustive()
    }
}

/// Why there is no key pair.
#[derive(Debug)]
pub enum IdentityError {
    /// Its file cannot be used.
    File(FileError),
    /// Its file does not hold a secret key.
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong with its line, if it has just one.
        why: Option<BadText>,
    },
    /// The system has no randomness, or cannot compute with keys.
    Crypto,
}

impl From<FileError> for IdentityError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Content { path, why } => {
                write!(f, "{} does not hold a secret key", path.display())?;
                if let Some(why) = why {
                    write!(f, ": {why}")?;
                }
                write!(
                    f,
                    "; put a copy of it back, or move it away to get a new key, by which nobody knows you"
                )
            }
            Self::Crypto => write!(f, "the system gives no randomness to make a key of"),
        }
    }
}

impl error::Error for IdentityError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::File(error) => error.source(),
            Self::Content { why, .. } => why.as_ref().map(|why| why as _),
            Self::Crypto => None,
        }
    }
}
