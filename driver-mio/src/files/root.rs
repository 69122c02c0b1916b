//! The directory that a server shares.

use std::{ffi::OsString, io, path::Path, sync::Arc};

use cap_std::fs::{Dir, Metadata};
use gannet_protocol::{BodyLen, Destination, Mode, Name, RESERVED_PREFIX, Stat, Status};

use super::{
    Claim, Left, Listing, MAX_COUNTED, MAX_DEPTH, Owner, Partial, SourceFile, Sweep, Which,
    listing::kind_of,
    partial::{Target, left_behind, look_through},
    source_file::expect_regular,
    status::{status_of, status_of_name},
};
use crate::sys::files::{
    bytes_of, entries, make_directory, metadata_in, metadata_of_entry, mode_in, modified_in,
    open_directory, open_entry, open_in, open_root, own_metadata_in, path_of, remove_directory,
    remove_file, rename_to_free, same_directory, sync_directory,
};

/// A held directory, out of which no name leads: neither by its components nor by symbolic links, whenever they
/// are put there.
///
/// Every call blocks on the disk; share it with the disk's threads in an [`Arc`].
#[derive(Debug)]
pub(crate) struct Root {
    dir: Arc<Dir>,
}

impl Root {
    /// Holds the directory `path`.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { dir: Arc::new(open_root(path)?) })
    }

    /// Holds a directory below this one, or this one.
    ///
    /// # Errors
    /// [`Status::NotFound`], [`Status::NotDirectory`], [`Status::Denied`]; others of the system's.
    pub(crate) fn below(&self, dir: Option<&Name>) -> Result<Self, Status> {
        let dir = match dir {
            None => Arc::clone(&self.dir),
            Some(dir) => Arc::new(
                open_directory(&self.dir, path_of(dir.as_bytes()))
                    .map_err(|error| status_of_name(&error))?,
            ),
        };
        Ok(Self { dir })
    }

    /// Bytes of all files in it and below, without what symbolic links lead to, and without partial files that are in use.
    ///
    /// # Errors
    /// [`Status::Overloaded`] if they are more than [`MAX_COUNTED`]; others of the system's.
    pub(crate) fn usage(&self) -> Result<u64, Status> {
        let (mut bytes, mut counted) = (0u64, 0u64);
        let mut left = vec![(0, same_directory(&self.dir).map_err(|error| status_of(&error))?)];
        while let Some((depth, dir)) = left.pop() {
            for entry in entries(&dir).map_err(|error| status_of(&error))? {
                let entry = entry.map_err(|error| status_of(&error))?;
                counted += 1;
                if counted > MAX_COUNTED || depth > MAX_DEPTH {
                    return Err(Status::Overloaded);
                }
                if bytes_of(&entry.file_name()).starts_with(RESERVED_PREFIX) {
                    bytes = bytes.saturating_add(left_behind(&dir, &entry.file_name()));
                    continue;
                }
                match metadata_of_entry(&entry) {
                    Ok(found) if found.is_file() => bytes = bytes.saturating_add(found.len()),
                    Ok(found) if found.is_dir() => {
                        let dir = open_entry(&entry).map_err(|error| status_of(&error))?;
                        left.push((depth + 1, dir));
                    }
                    // Of no size, or gone by now.
                    _ => {}
                }
            }
        }
        Ok(bytes)
    }

    /// Bytes of the file `name`; 0 if there is none.
    pub(crate) fn size(&self, name: &Name) -> u64 {
        let found = metadata_in(&self.dir, path_of(name.as_bytes()));
        found.ok().filter(|found| found.is_file()).map_or(0, |found| found.len())
    }

    /// Opens a file to be sent.
    ///
    /// # Errors
    /// [`Status::NotFound`], [`Status::Denied`], [`Status::IsDirectory`]; [`Status::NotRegular`] at once, and without
    /// touching it, for a fifo, socket or device; others of the system's.
    pub(crate) fn open_source(&self, name: &Name) -> Result<SourceFile, Status> {
        let path = path_of(name.as_bytes());
        let found = metadata_in(&self.dir, path).map_err(|error| status_of_name(&error))?;
        expect_regular(found.is_file(), found.is_dir())?;
        let file = open_in(&self.dir, path).map_err(|error| status_of_name(&error))?;
        SourceFile::new(file)
    }

    /// Tells under which name a file for `to` will stand.
    ///
    /// # Errors
    /// [`Status::NotFound`] if there is no directory for it, [`Status::IsDirectory`] or [`Status::NotRegular`] if the
    /// name is taken by what must not be replaced, [`Status::NotDirectory`], [`Status::Denied`]; others of the system's.
    pub(crate) fn resolve(&self, to: &Destination) -> Result<Name, Status> {
        let name = match &to.path {
            None => to.leaf.clone(),
            Some(path) => match self.look(path)? {
                Found::Directory => path.join(&to.leaf).map_err(|_| Status::Unnameable)?,
                Found::Nothing if to.into_directory => return Err(Status::NotFound),
                _ if to.into_directory => return Err(Status::NotDirectory),
                _ => path.clone(),
            },
        };
        match self.look(&name)? {
            Found::Directory => return Err(Status::IsDirectory),
            Found::Other | Found::Link => return Err(Status::NotRegular),
            Found::File => {}
            Found::Nothing => drop(self.directory_of(&name)?),
        }
        Ok(name)
    }

    /// Prepares to write a file that will stand as `placing` says, and that is removed if it does not become whole.
    ///
    /// # Errors
    /// [`Status::Full`] if `len` is known and does not fit; [`Status::NotFound`] if its directory is missing; others
    /// of the system's.
    pub(crate) fn create_partial(
        &self,
        placing: &Placing,
        len: BodyLen,
    ) -> Result<Partial, Status> {
        Partial::create(self.directory_of(placing.name())?, placing.target(), len)
    }

    /// Takes what is there of a file that is left if it does not become whole. Nothing if someone else has it.
    ///
    /// # Errors
    /// [`Status::NotFound`] if its directory is missing; others of the system's.
    pub(crate) fn claim(
        &self,
        placing: &Placing,
        owner: Owner,
        which: Which,
    ) -> Result<Option<Claim>, Status> {
        Claim::take(self.directory_of(placing.name())?, placing.target(), owner, which)
    }

    /// Gives a file or directory another name, which must be free. A symbolic link is renamed itself, unless it leads out.
    ///
    /// # Errors
    /// [`Status::Exists`] if `to` exists or is `from`, [`Status::NotFound`], [`Status::BadName`] for a move of a directory
    /// into itself, [`Status::Unsupported`] for a move to another file system; others of the system's.
    pub(crate) fn rename(&self, from: &Name, to: &Name) -> Result<(), Status> {
        // Whether a dangling link leads out cannot be told: it is moved as it is, and leads nowhere.
        self.look(from)?;
        let from_dir = self.directory_of(from)?;
        let to_dir = self.directory_of(to)?;
        rename_to_free(&from_dir, leaf_of(from).as_ref(), &to_dir, leaf_of(to).as_ref()).map_err(
            |error| match error.kind() {
                io::ErrorKind::CrossesDevices => Status::Unsupported,
                io::ErrorKind::InvalidInput if is_below(to, from) => Status::BadName,
                _ => status_of_name(&error),
            },
        )?;
        // The new name first: rather two than none.
        sync_directory(&to_dir).map_err(|error| status_of(&error))?;
        if from.parent() == to.parent() {
            return Ok(());
        }
        sync_directory(&from_dir).map_err(|error| status_of(&error))
    }

    /// Sees that what stands under a name is there after a power failure: whoever put it in place may have been killed just
    /// before. What is there for a while already is durable by itself.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn settle(&self, name: &Name, file: &SourceFile) -> Result<(), Status> {
        if !file.is_recent() {
            return Ok(());
        }
        sync_directory(&self.directory_of(name)?).map_err(|error| status_of(&error))
    }

    /// Tells what a name is, through symbolic links that stay inside.
    ///
    /// # Errors
    /// [`Status::NotFound`], [`Status::Denied`]; others of the system's.
    pub(crate) fn stat(&self, name: &Name) -> Result<Stat, Status> {
        let path = path_of(name.as_bytes());
        let found = metadata_in(&self.dir, path).map_err(|error| status_of_name(&error))?;
        let (kind, len) = kind_of(&found);
        Ok(Stat { kind, len, mode: mode_in(&found), modified: modified_in(&found) })
    }

    /// Removes a file, an empty directory, or a symbolic link itself, unless it leads out.
    ///
    /// # Errors
    /// [`Status::NotFound`], [`Status::NotEmpty`], [`Status::Denied`]; others of the system's.
    pub(crate) fn remove(&self, name: &Name) -> Result<(), Status> {
        // Whether a dangling link leads out cannot be told: it is removed as it is.
        self.look(name)?;
        let (dir, leaf) = (self.directory_of(name)?, leaf_of(name));
        let leaf = leaf.as_ref();
        let own = own_metadata_in(&dir, leaf).map_err(|error| status_of_name(&error))?;
        let removed =
            if own.is_dir() { remove_directory(&dir, leaf) } else { remove_file(&dir, leaf) };
        removed.map_err(|error| match error.kind() {
            io::ErrorKind::DirectoryNotEmpty => Status::NotEmpty,
            _ => status_of_name(&error),
        })?;
        sync_directory(&dir).map_err(|error| status_of(&error))
    }

    /// Makes a directory in one that is there, with these permission bits and those by which its owner can use it, less what the
    /// umask takes away; with the usual ones if none are given.
    ///
    /// # Errors
    /// [`Status::Exists`], [`Status::NotFound`] if the one that it would be in is missing, [`Status::Denied`]; others of the
    /// system's.
    pub(crate) fn make_directory(&self, name: &Name, mode: Option<Mode>) -> Result<(), Status> {
        let dir = self.directory_of(name)?;
        make_directory(&dir, leaf_of(name).as_ref(), mode)
            .map_err(|error| status_of_name(&error))?;
        sync_directory(&dir).map_err(|error| status_of(&error))
    }

    /// Holds the directory `path` of this machine's user.
    ///
    /// # Errors
    /// [`Status::NotFound`], [`Status::NotDirectory`], [`Status::Denied`]; others of the system's.
    pub(crate) fn open_local(path: &Path) -> Result<Self, Status> {
        Self::open(path).map_err(|error| status_of_name(&error))
    }

    /// Looks at what `name` is itself.
    ///
    /// # Errors
    /// [`Status::Denied`]; others of the system's.
    pub(crate) fn look_at(&self, name: &Name) -> Result<Found, Status> {
        found(own_metadata_in(&self.dir, path_of(name.as_bytes())))
    }

    /// Finds partial files in it and below, and removes those that are to be.
    ///
    /// # Errors
    /// The system's, of the directory itself.
    pub(crate) fn partials(&self, sweep: Sweep) -> io::Result<Vec<Left>> {
        look_through(&self.dir, sweep)
    }

    /// Starts to list a directory, or the root.
    ///
    /// # Errors
    /// [`Status::NotFound`], [`Status::NotDirectory`], [`Status::Denied`]; others of the system's.
    pub(crate) fn list(&self, dir: Option<&Name>) -> Result<Listing, Status> {
        Listing::open(Arc::clone(&self.dir), dir.cloned())
    }

    /// Holds the directory that `name` stands in.
    fn directory_of(&self, name: &Name) -> Result<Dir, Status> {
        match name.parent() {
            Some(parent) => open_directory(&self.dir, path_of(parent.as_bytes()))
                .map_err(|error| status_of_name(&error)),
            None => same_directory(&self.dir).map_err(|error| status_of(&error)),
        }
    }

    /// Looks at what `name` is, through symbolic links that stay inside.
    fn look(&self, name: &Name) -> Result<Found, Status> {
        found(metadata_in(&self.dir, path_of(name.as_bytes())))
    }

    /// The directory itself, for what concerns it alone.
    pub(super) fn dir(&self) -> &Dir {
        &self.dir
    }
}

/// What a look at a name says.
fn found(metadata: io::Result<Metadata>) -> Result<Found, Status> {
    match metadata {
        Ok(found) if found.is_dir() => Ok(Found::Directory),
        Ok(found) if found.is_file() => Ok(Found::File),
        Ok(found) if found.is_symlink() => Ok(Found::Link),
        Ok(_) => Ok(Found::Other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
        Err(error) => Err(status_of_name(&error)),
    }
}

/// Where a file will stand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Placing {
    /// Under this name, whatever stood there.
    Replace(Name),
    /// Under this name, which has to be free.
    Free(Name),
    /// Under this name or, if that is taken in the end, the next that is free
    /// ([`free_name`](crate::trust::policy::free_name)).
    Beside(Name),
}

impl Placing {
    /// The name that it is for.
    pub(crate) const fn name(&self) -> &Name {
        match self {
            Self::Replace(name) | Self::Free(name) | Self::Beside(name) => name,
        }
    }

    fn target(&self) -> Target {
        match self {
            Self::Replace(name) => Target::Replace(leaf_of(name)),
            Self::Free(name) => Target::Free(leaf_of(name)),
            Self::Beside(name) => Target::Beside(name.leaf()),
        }
    }
}

/// What a name was when we looked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Found {
    Directory,
    File,
    /// A symbolic link, if none was followed.
    Link,
    Other,
    Nothing,
}

fn leaf_of(name: &Name) -> OsString {
    path_of(name.leaf().as_bytes()).as_os_str().to_owned()
}

fn is_below(name: &Name, dir: &Name) -> bool {
    name.as_bytes().strip_prefix(dir.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"))
}
