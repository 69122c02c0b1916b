//! Names of files: bytes from the wire or the user, turned once into a relative path that cannot
//! lead out of a root.

use alloc::boxed::Box;
use core::fmt::{self, Write as _};

/// Longest whole name in bytes: `PATH_MAX` of Linux less its NUL.
pub const MAX_NAME: usize = 4095;
/// Longest component in bytes: `NAME_MAX` of the common file systems.
pub const MAX_COMPONENT: usize = 255;
/// What the names of our own partial files and journals start with; no user's file may.
pub const RESERVED_PREFIX: &[u8] = b".gannet-";

/// A relative path of one or more components, separated by `/`.
///
/// It cannot be absolute, and no component is empty, `.`, `..`, over [`MAX_COMPONENT`] bytes, holds a
/// NUL, or is reserved for our own temporary files. It need not be UTF-8. [`fmt::Display`] escapes what
/// could move a terminal's cursor or reorder its text.
///
/// ```
/// use gannet_protocol::{BadName, Name};
///
/// let name = Name::parse(b"takes/monday.wav")?;
/// assert_eq!(name.leaf().as_bytes(), b"monday.wav");
/// assert_eq!(Name::parse(b"../etc/passwd"), Err(BadName::DotComponent));
/// # Ok::<(), BadName>(())
/// ```
#[derive(Clone, Eq, Ord, PartialEq, PartialOrd, Hash)]
pub struct Name(Box<[u8]>);

impl Name {
    /// Checks `bytes` and keeps a copy.
    ///
    /// # Errors
    /// The first rule of [`BadName`] that `bytes` break.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadName> {
        if bytes.is_empty() {
            return Err(BadName::Empty);
        }
        if bytes.len() > MAX_NAME {
            return Err(BadName::TooLong);
        }
        if bytes.first() == Some(&b'/') {
            return Err(BadName::Absolute);
        }
        bytes.split(|&b| b == b'/').try_for_each(check_component)?;
        Ok(Self(bytes.into()))
    }

    /// The bytes as they travel, without a slash at either end.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The components, outermost first.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&b| b == b'/')
    }

    /// The last component as a name of its own.
    #[must_use]
    pub fn leaf(&self) -> Self {
        Self(self.components().next_back().unwrap_or_default().into())
    }

    /// All but the last component, if there is more than one.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let cut = self.0.iter().rposition(|&b| b == b'/')?;
        self.0.get(..cut).map(|parent| Self(parent.into()))
    }

    /// `name` below this directory.
    ///
    /// # Errors
    /// [`BadName::TooLong`] if both together are over [`MAX_NAME`].
    pub fn join(&self, name: &Self) -> Result<Self, BadName> {
        let mut bytes = self.0.to_vec();
        bytes.push(b'/');
        bytes.extend_from_slice(&name.0);
        Self::parse(&bytes)
    }
}

fn check_component(component: &[u8]) -> Result<(), BadName> {
    match component {
        b"" => Err(BadName::EmptyComponent),
        b"." | b".." => Err(BadName::DotComponent),
        long if long.len() > MAX_COMPONENT => Err(BadName::ComponentTooLong),
        own if own.starts_with(RESERVED_PREFIX) => Err(BadName::Reserved),
        bytes if bytes.contains(&0) => Err(BadName::Nul),
        _ => Ok(()),
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(&self.0).fmt(f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", Escaped(&self.0))
    }
}

/// Bytes of a stranger, made harmless for a terminal or a log when displayed.
///
/// Control characters, bidirectional controls and other invisible format characters, backslashes and bytes that are
/// not UTF-8 come out as `\n`, `\x1b`, `\u{202e}`, `\\`.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a [u8]);

impl Escaped<'_> {
    /// Whether a character is one that a terminal obeys or a reader cannot see.
    #[must_use]
    pub fn hides(character: char) -> bool {
        character.is_ascii_control() || is_unprintable(character)
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\\' => f.write_str("\\\\")?,
                    '\0'..='\x1f' | '\x7f' => write!(f, "{}", character.escape_default())?,
                    c if is_unprintable(c) => write!(f, "{}", c.escape_unicode())?,
                    c => f.write_char(c)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// C1 controls, and the format characters (Unicode's category Cf and the separators) that hide or reorder text.
fn is_unprintable(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Why bytes are not a [`Name`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BadName {
    /// There are no bytes.
    Empty,
    /// It is over [`MAX_NAME`] bytes.
    TooLong,
    /// It starts with a slash.
    Absolute,
    /// Two slashes in a row, or one at the end.
    EmptyComponent,
    /// A component is `.` or `..`.
    DotComponent,
    /// A component is over [`MAX_COMPONENT`] bytes.
    ComponentTooLong,
    /// It holds a NUL byte.
    Nul,
    /// A component starts as our own temporary files do.
    Reserved,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a name cannot be empty",
            Self::TooLong => "a name cannot be over 4095 bytes",
            Self::Absolute => "a name is relative to what is shared and cannot start with '/'",
            Self::EmptyComponent => "a name cannot have '//' in it or '/' at its end",
            Self::DotComponent => "a name cannot have '.' or '..' as a part",
            Self::ComponentTooLong => "a part of a name cannot be over 255 bytes",
            Self::Nul => "a name cannot hold a NUL byte",
            Self::Reserved => "names that start with '.gannet-' are those of partial files",
        })
    }
}

impl core::error::Error for BadName {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString, vec::Vec};
    use proptest::prelude::*;

    #[test]
    fn each_rule_is_told_apart() {
        let cases: [(&[u8], BadName); 10] = [
            (b"", BadName::Empty),
            (b"/a", BadName::Absolute),
            (b"a//b", BadName::EmptyComponent),
            (b"a/", BadName::EmptyComponent),
            (b"..", BadName::DotComponent),
            (b"a/./b", BadName::DotComponent),
            (b"a/../../b", BadName::DotComponent),
            (b"a\0b", BadName::Nul),
            (b"d/.gannet-00.part", BadName::Reserved),
            (&[b'x'; 256], BadName::ComponentTooLong),
        ];
        for (bytes, why) in cases {
            assert_eq!(Name::parse(bytes), Err(why), "{}", Escaped(bytes));
        }
        let long = [b"abcdefg/".repeat(512), b"x".to_vec()].concat();
        assert_eq!(Name::parse(&long), Err(BadName::TooLong));
        assert!(Name::parse(&[b'x'; 255]).is_ok());
    }

    #[test]
    fn what_moves_a_cursor_or_reorders_text_is_escaped() {
        let name = Name::parse("a\x1b[2J\u{202e}\u{9b}b\\é\n".as_bytes()).unwrap();
        assert_eq!(name.to_string(), r"a\u{1b}[2J\u{202e}\u{9b}b\\é\n");
        assert_eq!(Escaped(b"\xff\xfe").to_string(), r"\xff\xfe");
    }

    proptest! {
        /// Whatever is accepted is relative, bounded and free of the forbidden parts.
        #[test]
        fn an_accepted_name_stays_inside(bytes in prop::collection::vec(
            prop_oneof![Just(b'/'), Just(b'.'), Just(0u8), any::<u8>()], 0..600)) {
            if let Ok(name) = Name::parse(&bytes) {
                prop_assert_eq!(name.as_bytes(), &bytes[..]);
                let parts: Vec<_> = name.components().collect();
                prop_assert!(parts.iter().all(|p| !p.is_empty() && *p != b"." && *p != b".."
                    && p.len() <= MAX_COMPONENT && !p.contains(&0)));
                let rebuilt = match name.parent() {
                    Some(parent) => parent.join(&name.leaf()).unwrap(),
                    None => name.leaf(),
                };
                prop_assert_eq!(rebuilt, name);
            }
        }

        #[test]
        fn what_is_displayed_is_printable(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let shown = format!("{}", Escaped(&bytes));
            prop_assert!(shown.chars().all(|c| !c.is_control() && !is_unprintable(c)));
        }
    }
}
