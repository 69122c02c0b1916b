//! Partial files that are put in place, many at a time.

use std::io;

use gannet_protocol::{FileTime, Mode, Status};

use super::Partial;
use crate::{
    files::status::{status_of, status_of_name},
    sys::files::{directory_number, set_mode, set_modified, sync_directory},
};

/// What a file that was put in place survives.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Durability {
    /// A power failure.
    #[default]
    Power,
    /// The end of the process.
    Process,
}

impl Durability {
    /// Of files that are synced, or not.
    pub(crate) const fn of(sync: bool) -> Self {
        if sync { Self::Power } else { Self::Process }
    }
}

/// A file that is whole, to be put in place.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) partial: Partial,
    /// Loses what this process's umask takes away.
    pub(crate) mode: Mode,
    pub(crate) modified: FileTime,
}

/// Puts files in place, each whole and at once, and lasting as long as `durability` says: what stood there is readable until then.
/// Blocks on the disk, for as long as it takes to write all of their content.
///
/// Files that are ready together cost less together: each of their directories is synced once, and file systems write
/// the records of many new files at once.
///
/// A file system that knows no modes or times does not matter.
///
/// # Errors
/// Of each, in their order: [`Status::IsDirectory`] if a directory has the name by now, [`Status::Full`]; others of the system's.
pub(crate) fn publish(files: Vec<Whole>, durability: Durability) -> Vec<Result<(), Status>> {
    let mut placed: Vec<_> = files.into_iter().map(|file| prepare(file, durability)).collect();
    for file in &mut placed {
        if let Ok(partial) = file
            && let Err(error) = partial.aside.put_in_place()
        {
            *file = Err(status_of_name(&error));
        }
    }
    if durability == Durability::Power {
        sync_directories(&mut placed);
    }
    placed.into_iter().map(|file| file.map(|partial| partial.aside.remove_journal())).collect()
}

fn prepare(file: Whole, durability: Durability) -> Result<Partial, Status> {
    let Whole { partial, mode, modified } = file;
    let _ = set_mode(&partial.file, mode);
    let _ = set_modified(&partial.file, modified);
    if durability == Durability::Power
        && let Err(error) = partial.file.sync_all()
    {
        if let Some(journal) = partial.journal() {
            journal.void();
        }
        return Err(status_of(&error));
    }
    Ok(partial)
}

/// Syncs each directory once.
fn sync_directories(placed: &mut [Result<Partial, Status>]) {
    let mut synced: Vec<([u64; 2], Result<(), Status>)> = Vec::new();
    for file in placed {
        let Ok(partial) = file else { continue };
        let dir = &partial.aside.dir;
        let done = directory_number(dir).and_then(|number| {
            if let Some((_, done)) = synced.iter().find(|(known, _)| *known == number) {
                return Ok(*done);
            }
            let done = sync_directory(dir).map_err(|error: io::Error| status_of_name(&error));
            synced.push((number, done));
            Ok(done)
        });
        if let Err(status) = done.unwrap_or_else(|error| Err(status_of(&error))) {
            *file = Err(status);
        }
    }
}
