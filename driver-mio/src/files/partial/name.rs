//! What partial files and their journals are called.

use std::{ffi::OsString, fmt::Write as _};

use gannet_protocol::{PublicKey, RESERVED_PREFIX, Status};

use crate::{
    journal::BootId,
    sys::files::{boot_id, fill_random, path_of},
    trust::SecretKey,
};

/// What the names of partial files end in.
const PART: &str = ".part";
/// What the names of their journals end in.
const JOURNAL: &str = ".journal";
/// What the key is derived for: it is good for nothing else.
const KEY_CONTEXT: &str = "gannet v1 names of partial files";

/// By what partial files are found again: one of a machine's user.
#[derive(Clone, Copy)]
pub(crate) struct Keeper {
    key: [u8; 32],
    boot: BootId,
}

/// Whose partial files are looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    keeper: Keeper,
    /// The other side; none on a plain connection.
    peer: Option<PublicKey>,
}

/// What a partial file's name and that of its journal have in common.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Stem(String);

/// Which of the two a name is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Part,
    Journal,
}

impl Keeper {
    /// Of the user who has this key. On plain connections nobody is anybody, and names can be guessed.
    pub(crate) fn new(own: Option<&SecretKey>) -> Self {
        let secret = own.map_or(&[][..], |key| key.expose());
        Self { key: blake3::derive_key(KEY_CONTEXT, secret), boot: boot_id() }
    }

    /// As after the system has started anew.
    #[cfg(test)]
    pub(super) fn restarted(run: u8) -> Self {
        Self { boot: BootId::Known([run; 16]), ..Self::new(None) }
    }

    /// Of what that peer sends.
    pub(crate) const fn of(self, peer: Option<PublicKey>) -> Owner {
        Owner { keeper: self, peer }
    }
}

impl Owner {
    /// The run of the system.
    pub(super) const fn boot(&self) -> BootId {
        self.keeper.boot
    }

    /// Where a file for `leaf` is gathered, in the directory of that.
    pub(super) fn stem(&self, leaf: &[u8]) -> Stem {
        let mut hasher = blake3::Hasher::new_keyed(&self.keeper.key);
        match &self.peer {
            Some(peer) => hasher.update(&[1]).update(peer.as_bytes()),
            None => hasher.update(&[0]),
        };
        let mut short = [0; 16];
        hasher.update(leaf).finalize_xof().fill(&mut short);
        Stem::of(short)
    }
}

impl Stem {
    /// One that no one else has, nor can guess and take before us.
    pub(super) fn random() -> Result<Self, Status> {
        let mut random = [0; 16];
        fill_random(&mut random).map_err(|_| Status::Io)?;
        Ok(Self::of(random))
    }

    fn of(bytes: [u8; 16]) -> Self {
        let mut stem = String::from_utf8_lossy(RESERVED_PREFIX).into_owned();
        for byte in bytes {
            let _ = write!(stem, "{byte:02x}");
        }
        Self(stem)
    }

    /// Tells what a file of this name is, if it is one of ours.
    pub(super) fn parse(name: &[u8]) -> Option<(Self, Kind)> {
        let name = std::str::from_utf8(name).ok()?;
        let (stem, kind) = match (name.strip_suffix(PART), name.strip_suffix(JOURNAL)) {
            (Some(stem), _) => (stem, Kind::Part),
            (_, Some(stem)) => (stem, Kind::Journal),
            (None, None) => return None,
        };
        let hash = stem.as_bytes().strip_prefix(RESERVED_PREFIX)?;
        let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (hash.len() == 32 && hash.iter().all(is_hex)).then(|| (Self(stem.to_owned()), kind))
    }

    pub(super) fn part(&self) -> OsString {
        self.with(PART)
    }

    pub(super) fn journal(&self) -> OsString {
        self.with(JOURNAL)
    }

    fn with(&self, suffix: &str) -> OsString {
        path_of(format!("{}{suffix}", self.0).as_bytes()).as_os_str().to_owned()
    }
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("boot", &self.boot).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_as_they_are_made_and_no_others() {
        let stem = Stem::random().unwrap();
        for (name, kind) in [(stem.part(), Kind::Part), (stem.journal(), Kind::Journal)] {
            let name = crate::sys::files::bytes_of(&name);
            assert_eq!(Stem::parse(name), Some((stem.clone(), kind)));
            assert_eq!(Stem::parse(&name[1..]), None);
            assert_eq!(Stem::parse(&name.to_ascii_uppercase()), None);
            assert_eq!(Stem::parse(&name[..name.len() - 1]), None);
        }
        for other in [".gannet-0.part", ".gannet-.part", "", ".part", "x.journal"] {
            assert_eq!(Stem::parse(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_stem_tells_keys_peers_and_targets_apart() {
        let keys = [SecretKey::generate().unwrap(), SecretKey::generate().unwrap()];
        let peer = Some(keys[0].public());
        let stem = |own: Option<&SecretKey>, peer, leaf: &str| {
            Keeper::new(own).of(peer).stem(leaf.as_bytes())
        };
        let one = stem(Some(&keys[0]), peer, "file");
        assert_eq!(one, stem(Some(&keys[0]), peer, "file"));
        assert_ne!(one, stem(Some(&keys[1]), peer, "file"));
        assert_ne!(one, stem(Some(&keys[0]), Some(keys[1].public()), "file"));
        assert_ne!(one, stem(Some(&keys[0]), None, "file"));
        assert_ne!(one, stem(Some(&keys[0]), peer, "file2"));
        assert_eq!(stem(None, None, "file"), stem(None, None, "file"));
    }
}
