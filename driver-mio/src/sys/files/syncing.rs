//! Making changes last through a power failure.

use std::{fs::File, io, os::fd::AsFd};

use rustix::{fs::OFlags, io::Errno};

/// Files that are synced at a time: a file system writes the records of all that wait for it at once.
const MAX_SYNCERS: usize = 8;

/// How many files to sync at a time.
pub(crate) fn syncers() -> usize {
    #[cfg(feature = "simulation")]
    if crate::simulation::is_watched() {
        // It sees this thread alone.
        return 1;
    }
    MAX_SYNCERS
}

/// Makes a file's content last, and what is needed to read it.
pub(crate) fn sync_data(file: &File) -> io::Result<()> {
    watched!(SyncFile { file }, file.sync_data())
}

/// Makes a file last with all that it says of itself.
pub(crate) fn sync_all(file: &File) -> io::Result<()> {
    watched!(SyncFile { file }, file.sync_all())
}

/// Makes a rename in a directory last through a power failure.
pub(crate) fn sync_directory(dir: &impl AsFd) -> io::Result<()> {
    watched!(SyncDirectory { dir }, sync_held(dir))
}

fn sync_held(dir: &impl AsFd) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match rustix::fs::openat(dir, ".", flags, rustix::fs::Mode::empty()) {
        Ok(dir) => match rustix::fs::fsync(dir) {
            Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(()),
            done => done.map_err(Into::into),
        },
        Err(Errno::ACCESS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
