//! What is in a directory, as bytes to send.

use std::{
    io::{self, Read},
    sync::Arc,
};

use cap_std::fs::{Dir, DirEntry, Metadata};
use gannet_protocol::{Entry, EntryKind, FileTime, MAX_BODY, Mode, Name, Status};

use super::status::status_of_name;
use crate::sys::files::{
    Entries, bytes_of, entries, entries_in, metadata_in, metadata_of_entry, mode_in, modified_in,
    path_of,
};

/// A directory's entries, encoded one after the other as they are read: a stream of bytes of which one entry at a time is in
/// memory.
///
/// Entries that have no [`Name`], such as our own partial files, are left out. A symbolic link that stays inside the root
/// is shown as what it leads to, any other as [`EntryKind::Other`]; both as links.
#[derive(Debug)]
pub(crate) struct Listing {
    root: Arc<Dir>,
    dir: Option<Name>,
    entries: Entries,
    /// An encoded entry, of which the first `given` bytes were read.
    encoded: Vec<u8>,
    given: usize,
}

impl Listing {
    pub(super) fn open(root: Arc<Dir>, dir: Option<Name>) -> Result<Self, Status> {
        let entries = match &dir {
            Some(dir) => entries_in(&root, path_of(dir.as_bytes())),
            None => entries(&root),
        };
        let entries = entries.map_err(|error| status_of_name(&error))?;
        Ok(Self { root, dir, entries, encoded: Vec::new(), given: 0 })
    }

    /// Encodes the next entry; without one, nothing is left encoded.
    fn advance(&mut self) -> io::Result<()> {
        self.given = 0;
        self.encoded.clear();
        while self.encoded.is_empty() {
            let Some(found) = self.entries.next() else { break };
            if let Some(entry) = self.entry_of(&found?) {
                entry.encode(&mut self.encoded);
            }
        }
        Ok(())
    }

    /// What to show of `found`; nothing if it is not for others, or gone by now.
    fn entry_of(&self, found: &DirEntry) -> Option<Entry> {
        let name = Name::parse(bytes_of(&found.file_name())).ok()?;
        let unknown = |is_link| Entry {
            name: name.clone(),
            kind: EntryKind::Other,
            is_link,
            len: 0,
            mode: Mode::from_bits(0),
            modified: FileTime::default(),
        };
        let own = match metadata_of_entry(found) {
            Ok(own) => own,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(_) => return Some(unknown(false)),
        };
        if own.is_symlink() {
            let behind = self.behind_link(&name);
            return Some(behind.unwrap_or_else(|| unknown(true)));
        }
        Some(describe(name, &own, false))
    }

    /// What the symbolic link `name` leads to, if that is inside the root.
    fn behind_link(&self, name: &Name) -> Option<Entry> {
        let path = match &self.dir {
            Some(dir) => dir.join(name).ok()?,
            None => name.clone(),
        };
        let behind = metadata_in(&self.root, path_of(path.as_bytes())).ok()?;
        Some(describe(name.clone(), &behind, true))
    }
}

/// What it is, and how long if it is a file.
pub(super) fn kind_of(metadata: &Metadata) -> (EntryKind, u64) {
    match (metadata.is_file(), metadata.is_dir()) {
        (true, _) => (EntryKind::File, metadata.len().min(MAX_BODY)),
        (_, true) => (EntryKind::Directory, 0),
        _ => (EntryKind::Other, 0),
    }
}

fn describe(name: Name, metadata: &Metadata, is_link: bool) -> Entry {
    let (kind, len) = kind_of(metadata);
    Entry { name, kind, is_link, len, mode: mode_in(metadata), modified: modified_in(metadata) }
}

impl Read for Listing {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.given >= self.encoded.len() {
            self.advance()?;
        }
        let rest = self.encoded.get(self.given..).unwrap_or_default();
        let given = rest.len().min(buf.len());
        let (Some(to), Some(from)) = (buf.get_mut(..given), rest.get(..given)) else {
            return Ok(0);
        };
        to.copy_from_slice(from);
        self.given += given;
        Ok(given)
    }
}
