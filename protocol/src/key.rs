//! Public keys: what names a client or a server.

use core::{fmt, str::FromStr};

use bech32::ByteIterExt;

use crate::armor::{self, BadText, Kind};

/// A public X25519 key (RFC 7748), by which a peer is known.
///
/// Its text is one line of 65 characters with a checksum ([`armor`]); a key has one text in lower case, and the same in
/// upper case is read too. It is public, so comparing it takes the time it takes; the secret half never comes in here.
///
/// ```
/// use gannet_protocol::PublicKey;
///
/// let key = PublicKey::from_bytes([7; 32]);
/// let text = key.to_string();
/// assert!(text.starts_with("gannet1") && text.len() == 65);
/// assert_eq!(text.parse(), Ok(key));
/// assert_eq!(key.fingerprint().to_string(), "qurs-wpc8-qurs-wpc8-qurs");
/// ```
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key of these bytes: the u-coordinate, little-endian. All are taken; a key exchange with one that is no good
    /// fails there.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What people compare when two of them look at the same key.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        Fingerprint(*self)
    }
}

impl FromStr for PublicKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let mut bytes = [0; 32];
        armor::read(Kind::PublicKey, text, &mut bytes).map_err(BadKey)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        armor::write(f, Kind::PublicKey, &self.0)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The first 20 characters of a key's text after its prefix, in groups of four.
///
/// They are 100 of its bits: who wants another key with the same ones has to try 2^100 keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fingerprint(PublicKey);

/// Groups of a fingerprint, and characters of each.
const GROUPS: (usize, usize) = (5, 4);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        let characters = self.0.0.iter().copied().bytes_to_fes().take(GROUPS.0 * GROUPS.1);
        for (at, character) in characters.enumerate() {
            if at > 0 && at % GROUPS.1 == 0 {
                f.write_char('-')?;
            }
            f.write_char(character.to_char())?;
        }
        Ok(())
    }
}

/// Why a text is not a [`PublicKey`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BadKey(pub BadText);

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            BadText::NotOurs => {
                write!(f, "not a key: keys start with {}", Kind::PublicKey.prefix())
            }
            BadText::Other(Kind::SecretKey) => {
                write!(f, "not a public key: it is a secret one, which is for nobody else's eyes")
            }
            bad => write!(f, "not a public key: {bad}"),
        }
    }
}

impl core::error::Error for BadKey {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{
        format,
        string::{String, ToString},
        vec::Vec,
    };
    use proptest::prelude::*;

    fn why(text: &str) -> BadText {
        text.parse::<PublicKey>().unwrap_err().0
    }

    /// One that anyone can compute: Bech32m of 00 01 .. 1f.
    const TEXT: &str = "gannet1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnzs23v9ccrydpk8qarc0s8qnnnv";

    fn key() -> PublicKey {
        PublicKey::from_bytes(core::array::from_fn(|at| at as u8))
    }

    #[test]
    fn the_text_is_the_same_for_ever() {
        assert_eq!(key().to_string(), TEXT);
        assert_eq!(format!("{:?}", key()), TEXT);
        assert_eq!(TEXT.parse(), Ok(key()));
        assert_eq!(TEXT.to_uppercase().parse(), Ok(key()), "as a QR code holds it");
        assert_eq!(format!(" {TEXT}\r\n").parse(), Ok(key()), "as it is pasted");
        assert_eq!(key().fingerprint().to_string(), "qqqs-yqcy-q5rq-wzqf-pg9s");
    }

    /// `docs/hostile-input.md`, row 2.
    #[test]
    fn each_mistake_is_told_apart() {
        assert_eq!(why(""), BadText::NotOurs);
        assert_eq!(why("ssh-ed25519 AAAA"), BadText::NotOurs);
        assert_eq!(why("gännet1"), BadText::NotOurs);
        let other = |kind: Kind| TEXT.replace("gannet1", kind.prefix());
        assert_eq!(why(&other(Kind::SecretKey)), BadText::Other(Kind::SecretKey));
        assert_eq!(why(&other(Kind::Ticket)), BadText::Other(Kind::Ticket));
        for cut in "gannet1".len()..TEXT.len() {
            let missing = TEXT.len() - cut;
            assert_eq!(why(&TEXT[..cut]), BadText::TooShort { missing });
        }
        assert_eq!(why(&format!("{TEXT}qq")), BadText::TooLong { excess: 2 });
        let character = |character, position| BadText::Character { character, position };
        assert_eq!(why(&TEXT.replace("qqqs", "qqbs")), character('b', 10));
        assert_eq!(why(&TEXT.replace("wzq", "w q")), character(' ', 21));
        assert_eq!(why(&TEXT.replace("wzq", "w\u{202e}q")), character('\u{202e}', 21));
        assert_eq!(why(&TEXT.replace("wzq", "wZq")), BadText::MixedCase);
        assert_eq!(why(&TEXT.replace("wzq", "wqz")), BadText::Checksum);
    }

    /// `docs/hostile-input.md`, row 47: what is wrong is told without what would move a terminal.
    #[test]
    fn errors_are_printable_and_say_what_is_wrong() {
        let told = |text: &str| text.parse::<PublicKey>().unwrap_err().to_string();
        assert_eq!(told("x"), "not a key: keys start with gannet1");
        assert_eq!(told(&TEXT[..64]), "not a public key: a character is missing");
        assert_eq!(
            told("gannet1\x1b[2J"),
            "not a public key: its character 8, '\\u{1b}', cannot be right"
        );
    }

    /// The same 32 bytes with other bits in what is left over after them.
    #[test]
    fn a_key_has_no_second_text() {
        let hrp = Kind::PublicKey.hrp();
        let mut fes: Vec<_> = key().as_bytes().iter().copied().bytes_to_fes().collect();
        *fes.last_mut().unwrap() += bech32::Fe32::P;
        let text: String = {
            use bech32::Fe32IterExt;
            fes.into_iter().with_checksum::<bech32::Bech32m>(&hrp).chars().collect()
        };
        assert_eq!(text.len(), TEXT.len());
        assert_eq!(why(&text), BadText::Checksum);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(bytes: [u8; 32]) {
            let key = PublicKey::from_bytes(bytes);
            let text = key.to_string();
            prop_assert_eq!(text.parse(), Ok(key));
            let shown = key.fingerprint().to_string().replace('-', "");
            prop_assert_eq!(&shown, &text[7..27]);
        }

        /// What the checksum promises: any four wrong characters are found.
        #[test]
        fn wrong_characters_are_found(
            bytes: [u8; 32], at in prop::collection::btree_set(7_usize..65, 1..=4), by in 1_usize..32,
        ) {
            const ALPHABET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
            let mut text = PublicKey::from_bytes(bytes).to_string().into_bytes();
            for at in at {
                let value = ALPHABET.iter().position(|c| *c == text[at]).unwrap();
                text[at] = ALPHABET[(value + by) % 32];
            }
            let text = String::from_utf8(text).unwrap();
            prop_assert_eq!(why(&text), BadText::Checksum);
        }

        #[test]
        fn any_text_is_a_key_or_told_why_not(text in "(?i)(gannet1)?\\PC{0,80}") {
            if let Ok(key) = text.parse::<PublicKey>() {
                prop_assert_eq!(key.to_string(), text.trim().to_lowercase());
            }
        }
    }
}
