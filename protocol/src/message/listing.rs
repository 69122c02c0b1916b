//! The body that answers a list request: one entry after the other.

use alloc::vec::Vec;
use core::fmt;

use super::{FileTime, MAX_BODY, Mode, codec};
use crate::{
    MAX_COMPONENT, Name,
    wire::cursor::{Malformed, Reader, Writer},
};

/// Added to the number of the kind of a symbolic link.
const LINK: u8 = 0x10;

/// What stands in a directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Its name: one component.
    pub name: Name,
    /// What it is, or what it leads to if it is a symbolic link.
    pub kind: EntryKind,
    /// Whether it is a symbolic link; one that leads nowhere in what is shared is of the kind [`EntryKind::Other`].
    pub is_link: bool,
    /// Its size in bytes; 0 if it is not a file.
    pub len: u64,
    /// Its permission bits.
    pub mode: Mode,
    /// When it was modified last.
    pub modified: FileTime,
}

/// What an [`Entry`] is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A fifo, socket or device.
    Other,
}

/// A listing that cannot be one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BadListing;

impl fmt::Display for BadListing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the listing is malformed")
    }
}

impl core::error::Error for BadListing {}

impl EntryKind {
    /// Its byte on the wire.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::File => 0,
            Self::Directory => 1,
            Self::Other => 2,
        }
    }

    pub(super) const fn from_number(number: u8) -> Result<Self, Malformed> {
        match number {
            0 => Ok(Self::File),
            1 => Ok(Self::Directory),
            2 => Ok(Self::Other),
            _ => Err(Malformed),
        }
    }
}

impl Entry {
    /// Most bytes that an encoded entry takes.
    const MAX_LEN: usize = MAX_COMPONENT + 32;

    /// Appends the entry to a listing.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + Self::MAX_LEN, 0);
        let mut w = Writer::new(out.get_mut(start..).unwrap_or_default());
        w.u8(self.kind.number() | if self.is_link { LINK } else { 0 });
        w.varint(self.len);
        w.varint(u64::from(self.mode.bits()));
        codec::write_time(&mut w, self.modified);
        w.prefixed(self.name.as_bytes());
        let len = w.finish().unwrap_or_default();
        out.truncate(start + len);
    }

    /// Reads a whole listing, an entry a step; after an error there is no more.
    pub fn decode_all(listing: &[u8]) -> impl Iterator<Item = Result<Self, BadListing>> {
        let mut reader = Reader::new(listing);
        core::iter::from_fn(move || {
            if reader.is_empty() {
                return None;
            }
            let entry = read_entry(&mut reader);
            if entry.is_err() {
                reader.take_rest();
            }
            Some(entry.map_err(|Malformed| BadListing))
        })
    }
}

fn read_entry(r: &mut Reader<'_>) -> Result<Entry, Malformed> {
    let number = r.u8()?;
    let kind = EntryKind::from_number(number & !LINK)?;
    let is_link = number & LINK != 0;
    let len = r.varint()?;
    let mode = codec::read_mode(r)?;
    let modified = codec::read_time(r)?;
    let name = Name::parse(r.prefixed(MAX_COMPONENT)?).map_err(|_| Malformed)?;
    if name.components().count() != 1 || len > MAX_BODY {
        return Err(Malformed);
    }
    Ok(Entry { name, kind, is_link, len, mode, modified })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry() -> impl Strategy<Value = Entry> {
        let kind =
            prop::sample::select(&[EntryKind::File, EntryKind::Directory, EntryKind::Other][..]);
        let time = (any::<i64>(), any::<u32>());
        ("[a-zé ]{1,80}", kind, any::<bool>(), 0..=MAX_BODY, any::<u32>(), time).prop_map(
            |(name, kind, is_link, len, mode, (secs, nanos))| Entry {
                name: Name::parse(name.as_bytes()).unwrap(),
                kind,
                is_link,
                len,
                mode: Mode::from_bits(mode),
                modified: FileTime::new(secs, nanos),
            },
        )
    }

    /// `docs/hostile-input.md`, rows 42 and 46.
    #[test]
    fn names_that_lead_anywhere_else_are_malformed() {
        let listing = |name: &[u8]| {
            let mut bytes = Vec::new();
            bytes.extend_from_slice(&[0, 0, 0, 0, 0, name.len() as u8]);
            bytes.extend_from_slice(name);
            Entry::decode_all(&bytes).collect::<Result<Vec<_>, _>>().map(|all| all.len())
        };
        assert_eq!(listing(b"fine"), Ok(1));
        for name in [&b".."[..], b".", b"", b"/a", b"a/b", b"a/", b"a\0b", b".gannet-x"] {
            assert_eq!(listing(name), Err(BadListing), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn a_listing_comes_back(entries in prop::collection::vec(entry(), 0..20)) {
            let mut bytes = Vec::new();
            entries.iter().for_each(|entry| entry.encode(&mut bytes));
            let read: Result<Vec<_>, _> = Entry::decode_all(&bytes).collect();
            prop_assert_eq!(read, Ok(entries));
        }

        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(Entry::decode_all(&bytes).count() <= bytes.len());
        }
    }
}
