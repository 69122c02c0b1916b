//! Directories of this machine that are moved with all that is in them.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
};

use gannet_protocol::{FileTime, Mode, Name, Status};

use crate::{
    files::{Durability, Found, Root, SourceFile, local_target},
    sys::files::path_of,
};

/// A held directory of this machine, for what is in it and below. No name leads out of it, neither by its components nor by
/// symbolic links, whenever they are put there.
///
/// Every call blocks on the disk.
#[derive(Clone, Debug)]
pub struct Tree {
    root: Arc<Root>,
    path: PathBuf,
}

/// Something in a directory of a [`Tree`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LocalEntry {
    /// Its name: one component, as the system has it.
    pub name: OsString,
    /// What it is.
    pub kind: LocalKind,
}

/// What a [`LocalEntry`] is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LocalKind {
    /// A regular file of so many bytes.
    File(u64),
    /// A directory with these permission bits.
    Directory(Mode),
    /// A symbolic link, wherever it leads.
    Link,
    /// A fifo, socket or device.
    Other,
}

impl Tree {
    /// Holds the directory `path`, following symbolic links as users expect. An empty path is that of the current directory.
    ///
    /// # Errors
    /// [`Status::NotFound`], [`Status::NotDirectory`], [`Status::Denied`]; others of the system's.
    pub fn open(path: &Path) -> Result<Self, Status> {
        let at = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        Ok(Self { root: Arc::new(Root::open_local(at)?), path: path.to_owned() })
    }

    /// Where it is, as it was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its permission bits.
    ///
    /// # Errors
    /// The system's.
    pub fn mode(&self) -> Result<Mode, Status> {
        self.root.mode()
    }

    /// The path of what is below it, for messages.
    #[must_use]
    pub fn path_of(&self, below: Option<&Name>) -> PathBuf {
        match below {
            Some(name) => self.path.join(path_of(name.as_bytes())),
            None => self.path.clone(),
        }
    }

    /// What is in the directory itself or one `below` it, without our own partial files; in no particular order.
    ///
    /// # Errors
    /// [`Status::NotFound`], [`Status::NotDirectory`], [`Status::Denied`]; others of the system's.
    pub fn list(&self, below: Option<&Name>) -> Result<Vec<LocalEntry>, Status> {
        self.root.below(below)?.entries()
    }

    /// Makes directories in it, or in one `below` it, each with permission bits and those by which its owner can use it, less
    /// what the umask takes away. One that is there is taken, unless it is a symbolic link. They last through a power failure if
    /// `sync` says so.
    ///
    /// # Errors
    /// If none of them can be made. Of each, in their order: [`Status::NotDirectory`] if something else has its name; others of
    /// the system's.
    pub fn make(
        &self,
        below: Option<&Name>,
        directories: &[(Name, Mode)],
        sync: bool,
    ) -> Result<Vec<Result<(), Status>>, Status> {
        self.root.below(below)?.make_directories(directories, Durability::of(sync))
    }

    /// Gives it, or a directory `below` it, its permission bits, less what the umask takes away, and its time of modification,
    /// once nothing is put into it any more.
    ///
    /// # Errors
    /// [`Status::NotFound`], [`Status::NotDirectory`], [`Status::Denied`]; others of the system's.
    pub fn settle(
        &self,
        below: Option<&Name>,
        mode: Mode,
        modified: Option<FileTime>,
    ) -> Result<(), Status> {
        self.root.below(below)?.settle_directory(mode, modified)
    }
}

/// A file of this machine.
#[derive(Clone, Debug)]
pub(super) enum Spot {
    /// Where the user says, through symbolic links.
    At(PathBuf),
    /// In a directory that it does not lead out of.
    In(Tree, Name),
}

impl Spot {
    /// What stands for it in messages.
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Self::At(path) => path.clone(),
            Self::In(tree, name) => tree.path_of(Some(name)),
        }
    }

    /// Opens it to be sent. Blocks on the disk.
    pub(super) fn open(&self) -> Result<SourceFile, Status> {
        match self {
            Self::At(path) => SourceFile::open_local(path),
            Self::In(tree, name) => tree.root.open_source(name),
        }
    }

    /// The directory that it is to be stored in, and its name there. Blocks on the disk.
    pub(super) fn target(&self) -> Result<(Root, Name), Status> {
        let (tree, name) = match self {
            Self::At(path) => return local_target(path),
            Self::In(tree, name) => (tree, name),
        };
        let (root, leaf) = (tree.root.below(name.parent().as_ref())?, name.leaf());
        match root.look_at(&leaf)? {
            Found::Directory => Err(Status::IsDirectory),
            Found::Other => Err(Status::NotRegular),
            Found::File | Found::Link | Found::Nothing => Ok((root, leaf)),
        }
    }
}
