//! Partial files that are put in place, many at a time.

use std::{
    fs::File,
    io,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use gannet_protocol::{FileTime, Mode, Status};

use super::Partial;
use crate::{
    files::status::{status_of, status_of_name},
    sys::files::{
        changed, directory_number, metadata, set_len, set_mode, set_modified, sync_all,
        sync_directory, syncers,
    },
};

/// How often the clock of the file system is looked at.
const TICK: Duration = Duration::from_micros(500);
/// How often at most: the clocks of Linux advance each 10 ms, or more often.
const MAX_TICKS: u32 = 30;

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
    /// Its length in bytes: it may end with a hole.
    pub(crate) len: u64,
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
    let partials: Vec<_> = files.into_iter().map(prepare).collect();
    let synced = match durability {
        Durability::Power => sync_each(&partials),
        Durability::Process => partials.iter().map(|(_, prepared)| *prepared).collect(),
    };
    let place = |((mut partial, _), synced): (Prepared, Result<(), Status>)| {
        synced?;
        partial.aside.put_in_place().map_err(|error| status_of_name(&error))?;
        Ok(partial)
    };
    let mut placed: Vec<_> = partials.into_iter().zip(synced).map(place).collect();
    if durability == Durability::Power {
        sync_directories(&mut placed);
    }
    placed.into_iter().map(|file| file.map(|partial| partial.aside.remove_journal())).collect()
}

/// A file, and whether it is ready to be synced.
type Prepared = (Partial, Result<(), Status>);

fn prepare(file: Whole) -> Prepared {
    let Whole { partial, len, mode, modified } = file;
    let prepared = settle_len(&partial.file, len).map_err(|error| status_of(&error));
    let _ = set_mode(&partial.file, mode);
    let _ = give_time(&partial.file, modified);
    (partial, prepared)
}

/// Gives it a time that is not that of its last change: that tells it from what was written where it is.
fn give_time(file: &File, modified: FileTime) -> io::Result<()> {
    set_modified(file, modified)?;
    for _ in 0..MAX_TICKS {
        if changed(&metadata(file)?) != modified {
            break;
        }
        // Having been looked at, it gets a finer time where the system has one.
        thread::sleep(TICK);
        set_modified(file, modified)?;
    }
    Ok(())
}

fn settle_len(file: &File, len: u64) -> io::Result<()> {
    if metadata(file)?.len() == len { Ok(()) } else { set_len(file, len) }
}

/// Syncs files side by side.
fn sync_each(partials: &[Prepared]) -> Vec<Result<(), Status>> {
    let results: Vec<OnceLock<Result<(), Status>>> =
        partials.iter().map(|_| OnceLock::new()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let at = next.fetch_add(1, Ordering::Relaxed)
            && let (Some(partial), Some(result)) = (partials.get(at), results.get(at))
        {
            let _ = result.set(sync(partial));
        }
    };
    thread::scope(|scope| {
        for _ in 1..partials.len().min(syncers()) {
            // Without another thread it takes longer.
            let _ = thread::Builder::new().name("sync".into()).spawn_scoped(scope, work);
        }
        work();
    });
    results.into_iter().map(|result| result.into_inner().unwrap_or(Err(Status::Io))).collect()
}

fn sync((partial, prepared): &Prepared) -> Result<(), Status> {
    (*prepared)?;
    sync_all(&partial.file).map_err(|error| {
        if let Some(journal) = partial.journal() {
            journal.void();
        }
        status_of(&error)
    })
}

/// Syncs each directory once.
fn sync_directories(placed: &mut [Result<Partial, Status>]) {
    let mut synced: Vec<([u64; 2], Result<(), Status>)> = Vec::new();
    for file in placed {
        let Ok(partial) = file else { continue };
        let dir = &partial.aside.dir;
        let done = directory_number(dir).map(|number| {
            if let Some((_, done)) = synced.iter().find(|(known, _)| *known == number) {
                return *done;
            }
            let done = sync_directory(dir).map_err(|error: io::Error| status_of_name(&error));
            synced.push((number, done));
            done
        });
        if let Err(status) = done.unwrap_or_else(|error| Err(status_of(&error))) {
            *file = Err(status);
        }
    }
}
