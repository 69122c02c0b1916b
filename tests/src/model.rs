//! What a directory must do, in the plainest words: a map.

use std::collections::{BTreeMap, BTreeSet};

use gannet_protocol::{Entry, EntryKind, Hash, Name, Status};

use crate::host::{Asked, Outcome, Performed};

/// A directory with none but empty directories in it: what is in it, by name. No file has the name of a directory.
#[derive(Clone, Debug, Default)]
pub struct Model {
    files: BTreeMap<Name, Stored>,
    directories: BTreeSet<Name>,
}

/// What is known of a file's content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stored {
    /// How long it is.
    pub len: u64,
    /// Its BLAKE3 hash.
    pub hash: Hash,
}

/// What a request must come to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Expected {
    /// The file as it was.
    Content(Stored),
    /// Its names and lengths.
    Entries(BTreeMap<Name, (EntryKind, u64)>),
    /// It is this, and so long.
    Stat(EntryKind, u64),
    /// It is stored, renamed, removed or made.
    Done,
    /// It is refused.
    Refused(Status),
}

impl Model {
    /// Does what was asked; `put` is what a put stores.
    ///
    /// # Panics
    /// If that is missing.
    pub fn apply(&mut self, asked: &Asked, put: Option<Stored>) -> Expected {
        match asked {
            Asked::Get(name) => match self.files.get(name) {
                Some(stored) => Expected::Content(*stored),
                None => Expected::Refused(Status::NotFound),
            },
            Asked::Put(name) => {
                self.files.insert(name.clone(), put.expect("a put stores something"));
                Expected::Done
            }
            Asked::List(None) => {
                let files = self.files.iter();
                let files = files.map(|(name, file)| (name.clone(), (EntryKind::File, file.len)));
                let directories = self.directories.iter();
                let directories = directories.map(|name| (name.clone(), (EntryKind::Directory, 0)));
                Expected::Entries(files.chain(directories).collect())
            }
            Asked::List(Some(name)) if self.directories.contains(name) => {
                Expected::Entries(BTreeMap::new())
            }
            Asked::List(Some(name)) if self.files.contains_key(name) => {
                Expected::Refused(Status::NotDirectory)
            }
            Asked::List(Some(_)) => Expected::Refused(Status::NotFound),
            Asked::Rename(from, to) => match (self.files.get(from), self.files.get(to)) {
                (None, _) => Expected::Refused(Status::NotFound),
                (_, Some(_)) => Expected::Refused(Status::Exists),
                (Some(stored), None) => {
                    let stored = *stored;
                    self.files.remove(from);
                    self.files.insert(to.clone(), stored);
                    Expected::Done
                }
            },
            Asked::Stat(name) => match (self.files.get(name), self.directories.contains(name)) {
                (Some(file), _) => Expected::Stat(EntryKind::File, file.len),
                (None, true) => Expected::Stat(EntryKind::Directory, 0),
                (None, false) => Expected::Refused(Status::NotFound),
            },
            Asked::Remove(name) => {
                match self.files.remove(name).is_some() || self.directories.remove(name) {
                    true => Expected::Done,
                    false => Expected::Refused(Status::NotFound),
                }
            }
            Asked::MakeDirectory(name) => match self.directories.insert(name.clone()) {
                true => Expected::Done,
                false => Expected::Refused(Status::Exists),
            },
        }
    }

    /// Does what a server says that it did, in its order.
    ///
    /// # Panics
    /// If it stored something that is missing.
    pub fn follow(&mut self, performed: &Performed, put: Option<Stored>) -> Expected {
        match (&performed.asked, performed.result) {
            // Given up by somebody: nothing is stored.
            (Asked::Put(_), Err(status)) => Expected::Refused(status),
            (asked, _) => self.apply(asked, put),
        }
    }

    /// Everything in it.
    #[must_use]
    pub const fn files(&self) -> &BTreeMap<Name, Stored> {
        &self.files
    }
}

impl Expected {
    /// Whether a client was told this.
    #[must_use]
    pub fn is(&self, outcome: &Outcome) -> bool {
        match (self, outcome) {
            (Self::Content(stored), Outcome::Got(received)) => {
                (stored.len, stored.hash) == (received.len, received.hash)
            }
            (Self::Entries(expected), Outcome::Listed(Some(entries))) => {
                let entry = |entry: &Entry| (entry.name.clone(), (entry.kind, entry.len));
                entries.len() == expected.len()
                    && entries.iter().map(entry).collect::<BTreeMap<_, _>>() == *expected
            }
            (Self::Stat(kind, len), Outcome::Stat(stat)) => (*kind, *len) == (stat.kind, stat.len),
            (Self::Done, Outcome::Done | Outcome::Stored(_)) => true,
            (Self::Refused(expected), Outcome::Failed { status, .. }) => expected == status,
            _ => false,
        }
    }
}
