//! Keys and tickets as one line of text that survives being copied by people: Bech32m (BIP 350).
//!
//! The prefix says what it is, the last six characters are a checksum that finds any four wrong characters of a key, and the
//! alphabet leaves out what is easily confused: `b`, `i`, `o` and, after the prefix, `1`.

use core::fmt;

use bech32::{Bech32m, Fe32, Hrp, primitives::decode::CheckedHrpstring};

use crate::Escaped;

/// Most characters of any text: what the checksum is defined for.
pub const MAX_TEXT: usize = 1023;
/// Characters of the checksum.
const CHECKSUM: usize = 6;

/// What a text stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// The public half of a key pair: 32 bytes.
    PublicKey,
    /// The secret half: 32 bytes.
    SecretKey,
    /// What `gannet invite` prints.
    Ticket,
}

impl Kind {
    const ALL: [Self; 3] = [Self::PublicKey, Self::SecretKey, Self::Ticket];

    /// What its texts start with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::PublicKey => "gannet1",
            Self::SecretKey => "gannetsecret1",
            Self::Ticket => "gannetinvite1",
        }
    }

    /// Fewest and most bytes that it stands for.
    const fn bytes(self) -> (usize, usize) {
        match self {
            Self::PublicKey | Self::SecretKey => (32, 32),
            Self::Ticket => (1, (MAX_TEXT - self.prefix().len() - CHECKSUM) * 5 / 8),
        }
    }

    /// Fewest and most characters after the prefix.
    const fn characters(self) -> (usize, usize) {
        let (least, most) = self.bytes();
        ((least * 8).div_ceil(5) + CHECKSUM, (most * 8).div_ceil(5) + CHECKSUM)
    }

    /// The prefix without the separator.
    pub(crate) fn hrp(self) -> Hrp {
        Hrp::parse_unchecked(self.prefix().trim_end_matches('1'))
    }

    fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| strip_prefix(text, kind.prefix()).is_some())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PublicKey => "a public key",
            Self::SecretKey => "a secret key",
            Self::Ticket => "an invitation's ticket",
        })
    }
}

/// Writes the text of `bytes`.
///
/// # Errors
/// `out` fails, or there are more bytes than a text of this kind can stand for.
pub fn write(out: &mut impl fmt::Write, kind: Kind, bytes: &[u8]) -> fmt::Result {
    if bytes.len() > kind.bytes().1 {
        return Err(fmt::Error);
    }
    bech32::encode_lower_to_fmt::<Bech32m, _>(out, kind.hrp(), bytes).map_err(|_| fmt::Error)
}

/// Reads a text of one kind into the start of `out`, and tells how many bytes it stands for. Blanks around it are let
/// pass. Nothing of it is kept elsewhere, so that a secret's reader can wipe what it gave.
///
/// # Errors
/// The first rule of [`BadText`] that `text` breaks; [`BadText::TooLong`] also if `out` is too short.
pub fn read(kind: Kind, text: &str, out: &mut [u8]) -> Result<usize, BadText> {
    let text = text.trim_ascii();
    let Some(data) = strip_prefix(text, kind.prefix()) else {
        return Err(Kind::of(text).map_or(BadText::NotOurs, BadText::Other));
    };
    let stranger = |c: char| Fe32::from_char(c).is_err();
    if let Some((at, character)) = data.chars().enumerate().find(|(_, c)| stranger(*c)) {
        let position = kind.prefix().len() + at + 1;
        return Err(BadText::Character { character, position });
    }
    let (least, most) = kind.characters();
    if data.len() < least {
        return Err(BadText::TooShort { missing: least - data.len() });
    }
    if data.len() > most {
        return Err(BadText::TooLong { excess: data.len() - most });
    }
    let has = |case: fn(&u8) -> bool| text.as_bytes().iter().any(case);
    if has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) {
        return Err(BadText::MixedCase);
    }
    let checked = CheckedHrpstring::new::<Bech32m>(text).map_err(|_| BadText::Checksum)?;
    // Bits beyond the last whole byte are zero, or one key would have several texts.
    checked.validate_segwit_padding().map_err(|_| BadText::Checksum)?;
    let bytes = checked.byte_iter();
    let len = bytes.len();
    let room = out.get_mut(..len).ok_or(BadText::TooLong { excess: 0 })?;
    room.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
    Ok(len)
}

/// What follows `prefix`, in whatever case it is written.
fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Why a text does not stand for what is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BadText {
    /// It has no prefix of ours.
    NotOurs,
    /// It stands for something else.
    Other(Kind),
    /// A character that no text has after its prefix.
    Character {
        /// Which.
        character: char,
        /// Where, counted from 1.
        position: usize,
    },
    /// Its end is missing.
    TooShort {
        /// So many characters at least.
        missing: usize,
    },
    /// It goes on after its end.
    TooLong {
        /// By so many characters at least.
        excess: usize,
    },
    /// Upper and lower case in one text.
    MixedCase,
    /// The checksum does not match: some characters are wrong.
    Checksum,
}

impl BadText {
    /// The same without a character of the text, for one that should have been a secret.
    #[must_use]
    pub const fn redacted(self) -> Self {
        match self {
            Self::Character { .. } => Self::Checksum,
            other => other,
        }
    }
}

impl fmt::Display for BadText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs => write!(f, "it does not start as keys and tickets of gannet do"),
            Self::Other(kind) => write!(f, "it is {kind}"),
            Self::Character { character, position } => {
                let mut utf8 = [0; 4];
                let character = Escaped(character.encode_utf8(&mut utf8).as_bytes());
                write!(f, "its character {position}, '{character}', cannot be right")
            }
            Self::TooShort { missing: 1 } => write!(f, "a character is missing"),
            Self::TooShort { missing } => write!(f, "{missing} characters are missing"),
            Self::TooLong { excess: 0 } => write!(f, "it is too long"),
            Self::TooLong { excess: 1 } => write!(f, "it is a character too long"),
            Self::TooLong { excess } => write!(f, "it is {excess} characters too long"),
            Self::MixedCase => write!(f, "it mixes upper and lower case"),
            Self::Checksum => write!(f, "its checksum is wrong: some characters are mistyped"),
        }
    }
}

impl core::error::Error for BadText {}
