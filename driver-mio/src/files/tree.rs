//! A directory of this machine as one that is moved with all that is in it.

use std::{io, path::Path};

use cap_std::fs::{DirEntry, Metadata};
use gannet_protocol::{FileTime, Mode, Name, RESERVED_PREFIX, Status};

use super::{Durability, Found, Root, status::status_of_name, status_of};
use crate::{
    client::{LocalEntry, LocalKind},
    sys::files::{
        bytes_of, entries, is_unusable, make_directory, metadata_in, metadata_of_entry, mode_in,
        opened_directory, path_of, set_mode, set_modified, sync_directory,
    },
};

impl Root {
    /// What is in it, each as itself, without our own partial files; unsorted.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn entries(&self) -> Result<Vec<LocalEntry>, Status> {
        let found = entries(self.dir()).map_err(|error| status_of(&error))?;
        let mut entries = Vec::new();
        for entry in found {
            let entry = entry.map_err(|error| status_of(&error))?;
            if bytes_of(&entry.file_name()).starts_with(RESERVED_PREFIX) {
                continue;
            }
            match kind_of(&entry) {
                Ok(kind) => entries.push(LocalEntry { name: entry.file_name(), kind }),
                // It is gone by now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(status_of(&error)),
            }
        }
        Ok(entries)
    }

    /// Its own permission bits.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn mode(&self) -> Result<Mode, Status> {
        let found = metadata_in(self.dir(), Path::new("."));
        found.map(|found| mode_in(&found)).map_err(|error| status_of(&error))
    }

    /// Makes directories in it, or takes those that are there. It is synced once if they are to last.
    ///
    /// # Errors
    /// That it cannot be synced. Of each, in their order: [`Status::NotDirectory`] if something else has its name; others of the
    /// system's.
    pub(crate) fn make_directories(
        &self,
        directories: &[(Name, Mode)],
        durability: Durability,
    ) -> Result<Vec<Result<(), Status>>, Status> {
        let made = directories.iter().map(|(name, mode)| self.make_or_take(&name.leaf(), *mode));
        let made: Vec<_> = made.collect();
        // Those that were there may be as new: whoever made them may have been killed before this.
        if durability == Durability::Power && made.iter().any(Result::is_ok) {
            sync_directory(self.dir()).map_err(|error| status_of(&error))?;
        }
        Ok(made)
    }

    fn make_or_take(&self, name: &Name, mode: Mode) -> Result<(), Status> {
        match make_directory(self.dir(), path_of(name.as_bytes()), Some(mode)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map_err(|error| status_of_name(&error)),
        }
        if self.look_at(name)? != Found::Directory {
            return Err(Status::NotDirectory);
        }
        let taken = self.below(Some(name))?;
        // As an earlier transfer may have left it. If that fails, what is put into it tells why it cannot be.
        if let Ok(dir) = opened_directory(taken.dir())
            && is_unusable(&dir)
        {
            let _ = set_mode(&dir, Mode::from_bits(mode.bits() | 0o700));
        }
        Ok(())
    }

    /// Sets its permission bits, less what the umask takes away, and its time of modification.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn settle_directory(
        &self,
        mode: Mode,
        modified: Option<FileTime>,
    ) -> Result<(), Status> {
        let dir = opened_directory(self.dir()).map_err(|error| status_of(&error))?;
        if let Some(modified) = modified {
            set_modified(&dir, modified).map_err(|error| status_of(&error))?;
        }
        set_mode(&dir, mode).map_err(|error| status_of(&error))
    }
}

fn kind_of(entry: &DirEntry) -> io::Result<LocalKind> {
    let own: Metadata = metadata_of_entry(entry)?;
    Ok(match () {
        () if own.is_symlink() => LocalKind::Link,
        () if own.is_file() => LocalKind::File(own.len()),
        () if own.is_dir() => LocalKind::Directory(mode_in(&own)),
        () => LocalKind::Other,
    })
}
