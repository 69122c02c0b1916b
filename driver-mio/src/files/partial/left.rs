//! Partial files that transfers left.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use cap_std::fs::{Dir, DirEntry};
use gannet_protocol::{Name, RESERVED_PREFIX};

use super::{
    aside::remove,
    claim::is_named,
    journal_file,
    name::{Kind, Stem},
};
use crate::{
    files::{MAX_COUNTED, MAX_DEPTH},
    journal::Journal,
    sys::files::{
        boot_id, bytes_of, entries, metadata_of_entry, open_directory, open_entry, open_own,
        try_lock,
    },
};

/// A partial file that a transfer left, or that one is writing to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Left {
    /// Where it is, below the directory that was looked through.
    pub path: PathBuf,
    /// The name that its file is for, in the same directory, if that is known.
    pub target: Option<Name>,
    /// Length of the whole file in bytes, if that is known.
    pub len: Option<u64>,
    /// Bytes of it that are there and verified, and will not travel again.
    pub kept: u64,
    /// Time since it was written to last.
    pub age: Duration,
    /// Whether a transfer is writing to it.
    pub in_use: bool,
}

/// The files of one stem in a directory.
#[derive(Clone, Copy, Default)]
struct Pair {
    /// When either was written to last.
    modified: Option<SystemTime>,
    part: bool,
}

/// What is done with one that is found.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sweep {
    /// It is told.
    Tell,
    /// It is told and, unless it is in use, removed, if it was not written to for so long.
    Remove(Duration),
}

/// Looks through a directory and all below it for partial files: at most [`MAX_COUNTED`] names, [`MAX_DEPTH`] deep, and through no
/// symbolic link. What cannot be opened is passed over. Blocks on the disk.
///
/// # Errors
/// The system's, of the directory itself.
pub(crate) fn look_through(root: &Dir, sweep: Sweep) -> io::Result<Vec<Left>> {
    let (mut found, mut counted) = (Vec::new(), 0u64);
    let mut waiting = vec![(PathBuf::new(), 0, open_directory(root, ".".as_ref())?)];
    while let Some((path, depth, dir)) = waiting.pop() {
        let mut pairs = BTreeMap::<Stem, Pair>::new();
        for entry in entries(&dir).into_iter().flatten().flatten() {
            counted += 1;
            if counted > MAX_COUNTED {
                return Ok(found);
            }
            let name = entry.file_name();
            if bytes_of(&name).starts_with(RESERVED_PREFIX) {
                if let Some((stem, kind)) = Stem::parse(bytes_of(&name)) {
                    pairs.entry(stem).or_default().add(kind, &entry);
                }
            } else if depth < MAX_DEPTH
                && entry.file_type().is_ok_and(|kind| kind.is_dir())
                && let Ok(dir) = open_entry(&entry)
            {
                waiting.push((path.join(name), depth + 1, dir));
            }
        }
        for (stem, pair) in pairs {
            found.extend(pair.handle(&path, &dir, &stem, sweep));
        }
    }
    Ok(found)
}

impl Pair {
    fn add(&mut self, kind: Kind, entry: &DirEntry) {
        self.part |= kind == Kind::Part;
        let modified = metadata_of_entry(entry).and_then(|metadata| metadata.modified());
        self.modified = self.modified.max(modified.ok().map(cap_std::time::SystemTime::into_std));
    }

    /// Tells what it is, and removes it if it is to be.
    fn handle(self, path: &std::path::Path, dir: &Dir, stem: &Stem, sweep: Sweep) -> Option<Left> {
        let age = self.modified.and_then(|at| at.elapsed().ok()).unwrap_or_default();
        let is_due = matches!(sweep, Sweep::Remove(least) if age >= least);
        if !self.part {
            // A journal whose file is gone says nothing.
            if is_due {
                remove(dir, &stem.journal());
            }
            return None;
        }
        let part = open_own(dir, &stem.part()).ok()?;
        let in_use = try_lock(&part).is_err();
        let journal = open_own(dir, &stem.journal()).ok();
        let journal = journal.and_then(|file| journal_file::read(&file, boot_id()));
        if is_due && !in_use && is_named(dir, &stem.part(), &part) {
            // First the journal, which must not outlive the file.
            remove(dir, &stem.journal());
            remove(dir, &stem.part());
        }
        Some(Left {
            path: path.join(stem.part()),
            target: journal.as_ref().map(|journal| journal.header.name.clone()),
            len: journal.as_ref().and_then(Journal::len),
            kept: journal.as_ref().map_or(0, Journal::kept),
            age,
            in_use,
        })
    }
}
