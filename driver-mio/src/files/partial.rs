//! A file that is being received, before it has its name.

use std::{
    ffi::OsString,
    fmt::Write as _,
    fs::{self, File},
    io,
    path::Path,
    sync::Arc,
};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use gannet_protocol::{BodyLen, FileTime, Mode, Name, RESERVED_PREFIX, Status};

use super::{
    Root,
    source_file::expect_regular,
    status::{status_of, status_of_name},
};
use crate::{
    sys::files::{
        bytes_of, lacks_room, path_of, rename_to_free, reserve, set_mode, set_modified,
        sync_directory,
    },
    trust::policy::free_name,
};

/// What the names of partial files end in.
const SUFFIX: &str = ".part";
/// Times that a free name may be taken by others before we have it.
const MAX_RACES: u32 = 100;

/// A file aside of its target, in the same directory, which takes the target's name when it is whole.
///
/// Dropped without being published it is removed.
#[derive(Debug)]
pub(crate) struct Partial {
    file: Arc<File>,
    aside: Aside,
}

/// A name that is removed when this is dropped, unless it was renamed before.
#[derive(Debug)]
struct Aside {
    dir: Dir,
    name: OsString,
    target: Target,
    published: bool,
}

/// Under which name a file will stand.
#[derive(Debug)]
pub(super) enum Target {
    /// Under this one, whatever stood there.
    Replace(OsString),
    /// Under this one or, if that is taken, the next free one.
    Beside(Name),
}

impl Partial {
    /// Prepares to write `path` on this machine; a relative path without a directory means the current one.
    /// Blocks on the disk.
    ///
    /// # Errors
    /// [`Status::IsDirectory`] or [`Status::NotRegular`] if `path` is what must not be replaced, else as
    /// [`Root::create_partial`].
    pub(crate) fn create_local(path: &Path, len: BodyLen) -> Result<Self, Status> {
        match fs::metadata(path) {
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
        let root = Root::open(parent).map_err(|error| status_of_name(&error))?;
        root.create_partial(&name, len)
    }

    /// Creates the file in the directory of its target.
    pub(super) fn create(dir: Dir, target: Target, len: BodyLen) -> Result<Self, Status> {
        let name = new_name()?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = dir.open_with(&name, &options).map_err(|error| status_of_name(&error))?;
        let file = Arc::new(file.into_std());
        let partial = Self { file, aside: Aside { dir, name, target, published: false } };
        if let BodyLen::Known(len) = len {
            if lacks_room(&partial.file, len) {
                return Err(Status::Full);
            }
            reserve(&partial.file, len).map_err(|error| status_of(&error))?;
        }
        Ok(partial)
    }

    /// The file to write the content to, and to read it back from.
    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Puts the file in place, whole and at once, and lasting through a power failure: what stood there is readable until
    /// then. Blocks on the disk, for as long as it takes to write all of the content.
    ///
    /// `mode` loses what this process's umask takes away. A file system that knows no modes or times does not matter.
    ///
    /// # Errors
    /// [`Status::IsDirectory`] if a directory has the name by now, [`Status::Full`]; others of the system's.
    pub(crate) fn publish(mut self, mode: Mode, modified: FileTime) -> Result<(), Status> {
        let _ = set_mode(&self.file, mode);
        let _ = set_modified(&self.file, modified);
        self.file.sync_all().map_err(|error| status_of(&error))?;
        self.aside.publish().map_err(|error| status_of_name(&error))
    }
}

impl Aside {
    fn publish(&mut self) -> io::Result<()> {
        match &self.target {
            Target::Replace(target) => self.dir.rename(&self.name, &self.dir, target)?,
            Target::Beside(target) => self.publish_beside(target)?,
        }
        self.published = true;
        sync_directory(&self.dir)
    }

    fn publish_beside(&self, target: &Name) -> io::Result<()> {
        for _ in 0..MAX_RACES {
            let is_taken = |name: &Name| match self.dir.symlink_metadata(path_of(name.as_bytes())) {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                Err(error) => Err(error),
            };
            let free = free_name(target, is_taken)?.ok_or(io::ErrorKind::AlreadyExists)?;
            match rename_to_free(&self.dir, self.name.as_ref(), &self.dir, path_of(free.as_bytes()))
            {
                // Someone else took it in the meantime.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                done => return done,
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.published
            && let Err(error) = self.dir.remove_file(&self.name)
        {
            log::debug!("a partial file is left behind: {error}");
        }
    }
}

/// A name that no one else has, nor can guess and take before us.
fn new_name() -> Result<OsString, Status> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| Status::Io)?;
    let mut name = String::from_utf8_lossy(RESERVED_PREFIX).into_owned();
    for byte in random {
        let _ = write!(name, "{byte:02x}");
    }
    name.push_str(SUFFIX);
    Ok(path_of(name.as_bytes()).as_os_str().to_owned())
}
