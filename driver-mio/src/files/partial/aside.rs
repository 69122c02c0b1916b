//! The names of a partial file and its journal, aside of the one that it is for.

use std::{ffi::OsString, io, sync::Arc};

use cap_std::fs::Dir;
use gannet_protocol::Name;

use super::{JournalFile, Stem};
use crate::{
    sys::files::{own_metadata_in, path_of, remove_file, rename, rename_to_free},
    trust::policy::free_name,
};

/// Times that a free name may be taken by others before we have it.
const MAX_RACES: u32 = 100;

/// Names that are removed when this is dropped, unless the file was put in place, or its journal has something to go on with.
#[derive(Debug)]
pub(super) struct Aside {
    pub(super) dir: Dir,
    pub(super) stem: Stem,
    pub(super) target: Target,
    pub(super) journal: Option<Arc<JournalFile>>,
    pub(super) published: bool,
}

/// Under which name a file will stand.
#[derive(Debug)]
pub(in crate::files) enum Target {
    /// Under this one, whatever stood there.
    Replace(OsString),
    /// Under this one, which has to be free.
    Free(OsString),
    /// Under this one or, if that is taken, the next free one.
    Beside(Name),
}

impl Target {
    /// The name that it is for.
    pub(super) fn leaf(&self) -> &[u8] {
        match self {
            Self::Replace(name) | Self::Free(name) => crate::sys::files::bytes_of(name),
            Self::Beside(name) => name.as_bytes(),
        }
    }
}

impl Aside {
    /// Takes the target's name. The journal stays, for the file might lose it again without power.
    pub(super) fn put_in_place(&mut self) -> io::Result<()> {
        let part = self.stem.part();
        match &self.target {
            Target::Replace(target) => rename(&self.dir, part.as_ref(), target.as_ref())?,
            Target::Free(target) => {
                rename_to_free(&self.dir, part.as_ref(), &self.dir, target.as_ref())?;
            }
            Target::Beside(target) => self.put_beside(&part, target)?,
        }
        self.published = true;
        Ok(())
    }

    fn put_beside(&self, part: &OsString, target: &Name) -> io::Result<()> {
        for _ in 0..MAX_RACES {
            let is_taken = |name: &Name| match own_metadata_in(&self.dir, path_of(name.as_bytes()))
            {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                Err(error) => Err(error),
            };
            let free = free_name(target, is_taken)?.ok_or(io::ErrorKind::AlreadyExists)?;
            match rename_to_free(&self.dir, part.as_ref(), &self.dir, path_of(free.as_bytes())) {
                // Someone else took it in the meantime.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                done => return done,
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Removes the journal, if there is one.
    pub(super) fn remove_journal(&self) {
        if self.journal.is_some() {
            remove(&self.dir, &self.stem.journal());
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        let counts = self.journal.as_ref().is_some_and(|journal| journal.counts());
        if !self.published && !counts {
            // First the journal, which must not outlive the file.
            self.remove_journal();
            remove(&self.dir, &self.stem.part());
        }
    }
}

pub(super) fn remove(dir: &Dir, name: &OsString) {
    match remove_file(dir, name.as_ref()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            log::debug!("a partial file is left behind: {error}");
        }
        _ => {}
    }
}
