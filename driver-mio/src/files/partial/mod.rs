//! A file that is being received, before it has its name.
//!
//! It stands aside of its target, in the same directory, under a name by which it is found again even after a kill; under a
//! random one only where another transfer has that at the moment. A small one is removed if it does not become whole. A
//! larger one has a journal beside it (docs/journal.md) that tells what of it is there: it is left if there is anything, and the
//! next transfer goes on with it.

mod aside;
mod claim;
mod journal_file;
mod left;
mod name;
mod publish;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fs::File, io, path::Path, sync::Arc};

use cap_std::fs::Dir;
use gannet_protocol::{BodyLen, Hash, Name, Status, Version};

use super::{
    Root,
    source_file::expect_regular,
    status::{status_of, status_of_name},
};
use crate::{
    hash::GroupHash,
    sys::files::{
        bytes_of, create_own, lacks_room, metadata, metadata_at, reserve, set_len, try_lock,
    },
};

use aside::Aside;
use name::Stem;

pub(super) use aside::Target;
pub(super) use claim::left_behind;
pub(crate) use claim::{Claim, Which, is_worth_keeping};
pub(crate) use journal_file::JournalFile;
pub use left::Left;
pub(crate) use left::{Sweep, look_through};
pub(crate) use name::{Keeper, Owner};
pub(crate) use publish::{Durability, Whole, publish};

/// What is no longer than this is here with the next packets: a full disk shows when it is written, and to look for room takes as
/// long as that.
const SOON_WRITTEN: u64 = 64 * 1024;

/// A file aside of its target, which takes the target's name when it is whole; locked, so that nobody else writes to it.
///
/// Dropped without being published it is removed, unless its journal tells of anything in it.
#[derive(Debug)]
pub(crate) struct Partial {
    // The name goes before the lock does.
    aside: Aside,
    file: Arc<File>,
    kept: BTreeMap<u64, Hash>,
    base: Option<Base>,
    /// Room that has yet to be seen to.
    room: Option<Room>,
}

/// Room on the disk for what is not there yet of a file.
#[derive(Debug)]
pub(crate) struct Room {
    file: Arc<File>,
    len: u64,
    missing: u64,
}

impl Room {
    /// Sees that there is room for all but holes of so many bytes, and reserves it if there are none: nothing can be reserved
    /// around them. Blocks on the disk.
    ///
    /// # Errors
    /// [`Status::Full`] if there is not; others of the system's.
    pub(crate) fn make(&self, holes: u64) -> Result<(), Status> {
        if lacks_room(&self.file, self.missing.saturating_sub(holes)) {
            return Err(Status::Full);
        }
        if holes > 0 {
            return Ok(());
        }
        reserve(&self.file, self.len).map_err(|error| status_of(&error))
    }
}

/// A former state of a file, groups of which may be those of the new one.
#[derive(Clone, Debug)]
pub(crate) enum Base {
    /// The partial file itself, and what its groups were.
    Here(BTreeMap<u64, Hash>),
    /// What stands under the name, and what its groups are is not known.
    Target(Arc<File>, Version),
}

/// Where on this machine a file is to be stored.
///
/// # Errors
/// [`Status::IsDirectory`] or [`Status::NotRegular`] if `path` is what must not be replaced; [`Status::NotFound`],
/// [`Status::BadName`]; others of the system's.
pub(crate) fn local_target(path: &Path) -> Result<(Root, Name), Status> {
    match metadata_at(path) {
        Ok(found) => expect_regular(found.is_file(), found.is_dir())?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if bytes_of(path.as_os_str()).ends_with(b"/") {
                return Err(Status::NotFound);
            }
        }
        Err(error) => return Err(status_of_name(&error)),
    }
    let leaf = path.file_name().ok_or(Status::IsDirectory)?;
    let name = Name::parse(bytes_of(leaf)).map_err(|_| Status::BadName)?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Ok((Root::open(parent).map_err(|error| status_of_name(&error))?, name))
}

impl Partial {
    /// Creates the file in the directory of its target, under a random name: it will not be found again.
    pub(super) fn create(dir: Dir, target: Target, len: BodyLen) -> Result<Self, Status> {
        let stem = Stem::random()?;
        let file = create_own(&dir, &stem.part()).map_err(|error| status_of_name(&error))?;
        let aside = Aside { dir, stem, target, journal: None, published: false };
        // Nobody else can have it locked but for a moment, to see whether it is in use.
        let _ = try_lock(&file);
        let mut partial =
            Self { aside, file: Arc::new(file), kept: BTreeMap::new(), base: None, room: None };
        partial.make_room(len)?;
        Ok(partial)
    }

    /// The file to write the content to, and to read it back from.
    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Where to write down what is in it, if it is worth that.
    pub(crate) fn journal(&self) -> Option<&Arc<JournalFile>> {
        self.aside.journal.as_ref()
    }

    /// The groups that are there already, written and verified by an earlier transfer.
    pub(crate) fn kept(&self) -> &BTreeMap<u64, Hash> {
        &self.kept
    }

    /// What may be in it, or can be copied into it, once the sender has said that it is the same.
    pub(crate) fn take_base(&mut self) -> Option<Base> {
        self.base.take()
    }

    /// Lets go of it, when it has become no whole file: it is left if these groups, or others before, are worth it. Blocks on
    /// the disk.
    pub(crate) fn let_go(self, verified: &[GroupHash]) {
        if let Some(journal) = self.journal()
            && !verified.is_empty()
        {
            journal.record(verified);
        }
        if self.journal().is_some_and(|journal| journal.counts()) {
            self.give_back();
        }
    }

    /// Sees that there is room for what is not there yet. What is long may have holes: for that, later.
    fn make_room(&mut self, len: BodyLen) -> Result<(), Status> {
        let BodyLen::Known(bytes) = len else { return Ok(()) };
        if bytes <= SOON_WRITTEN {
            return Ok(());
        }
        let kept = self.kept.len() as u64;
        let missing = bytes.saturating_sub(kept.saturating_mul(len.group_len()));
        let room = Room { file: Arc::clone(&self.file), len: bytes, missing };
        if is_worth_keeping(len) {
            // What a process that was killed had reserved might be holes now.
            self.give_back();
            self.room = Some(room);
            return Ok(());
        }
        room.make(0)
    }

    /// What has yet to be seen to; once.
    pub(crate) fn take_room(&mut self) -> Option<Room> {
        self.room.take()
    }

    /// Gives back what was reserved beyond its end.
    fn give_back(&self) {
        if let Ok(metadata) = metadata(&self.file) {
            let _ = set_len(&self.file, metadata.len());
        }
    }
}
