//! The directory that a server shares.

use std::{io, path::Path};

use gannet_protocol::{BodyLen, Destination, Name, Status};

use super::{Partial, SourceFile};

/// A held directory, out of which no name leads: neither by its components nor by symbolic links, whenever they are put there.
///
/// Every call blocks on the disk; share it with the disk's threads in an [`std::sync::Arc`].
#[derive(Debug)]
pub(crate) struct Root {}

impl Root {
    /// Holds the directory `path`.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn open(_path: &Path) -> io::Result<Self> {
        todo!()
    }

    /// Opens a file to be sent.
    ///
    /// # Errors
    /// [`Status::NotFound`], [`Status::Denied`], [`Status::IsDirectory`]; [`Status::NotRegular`] at once, and without touching
    /// it, for a fifo, socket or device; others of the system's.
    pub(crate) fn open_source(&self, _name: &Name) -> Result<SourceFile, Status> {
        todo!()
    }

    /// Tells under which name a file for `to` will stand.
    ///
    /// # Errors
    /// [`Status::NotFound`] if there is no directory for it, [`Status::IsDirectory`] or [`Status::NotRegular`] if the name is taken by what must not
    /// be replaced, [`Status::NotDirectory`], [`Status::Denied`]; others of the system's.
    pub(crate) fn resolve(&self, _to: &Destination) -> Result<Name, Status> {
        todo!()
    }

    /// Prepares to write a file that will stand under `name`.
    ///
    /// # Errors
    /// [`Status::Full`] if `len` is known and does not fit; [`Status::NotFound`] if its directory is missing; others of the system's.
    pub(crate) fn create_partial(&self, _name: &Name, _len: BodyLen) -> Result<Partial, Status> {
        todo!()
    }

    /// Gives a file or directory another name, which must be free.
    ///
    /// # Errors
    /// [`Status::Exists`] if `to` exists or is `from`, [`Status::NotFound`], [`Status::BadName`] for a move of a directory into itself,
    /// [`Status::Unsupported`] for a move to another file system; others of the system's.
    pub(crate) fn rename(&self, _from: &Name, _to: &Name) -> Result<(), Status> {
        todo!()
    }

    /// Starts to list a directory, or the root.
    ///
    /// # Errors
    /// [`Status::NotFound`], [`Status::NotDirectory`], [`Status::Denied`]; others of the system's.
    pub(crate) fn list(&self, _dir: Option<&Name>) -> Result<Listing, Status> {
        todo!()
    }
}

/// A directory's entries, encoded one after the other as they are read: a stream of bytes that never holds more than a few of them.
#[derive(Debug)]
pub(crate) struct Listing {}

impl io::Read for Listing {
    fn read(&mut self, _buf: &mut [u8]) -> io::Result<usize> {
        todo!()
    }
}
