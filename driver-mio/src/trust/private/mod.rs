//! Files that nobody else may read, or change: looked at before they are believed, and replaced whole or not at all.

mod error;
mod replace;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    path::Path,
};

use zeroize::Zeroizing;

pub use error::{Exposure, FileError};
pub(super) use replace::Lock;

/// Most bytes of a file that is read: ten thousand lines of a key and what belongs to it.
const MAX_FILE: u64 = 1 << 20;

/// Who besides its owner must not do what with a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Guard {
    /// Nobody else reads it, or owns it.
    Secret,
    /// Nobody else but the superuser changes it, or owns it.
    Unchanged,
}

/// Reads a file, unless there is none.
///
/// # Errors
/// [`FileError`]
pub(super) fn read(path: &Path, guard: Guard) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
    let fail = |error| FileError::Io { path: path.to_owned(), error };
    let file = match open_to_read(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fail(error)),
    };
    let metadata = file.metadata().map_err(fail)?;
    if !metadata.is_file() {
        return Err(FileError::NotAFile { path: path.to_owned() });
    }
    check(path, &metadata, guard)?;
    // With room for all that is read at once, the vector never moves and leaves no copy behind.
    let room = metadata.len().min(MAX_FILE) as usize + 64;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    (&file).take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(FileError::TooLarge { path: path.to_owned() });
    }
    Ok(Some(bytes))
}

/// Fails unless a file or directory is as `guard` says.
pub(super) fn check(path: &Path, metadata: &fs::Metadata, guard: Guard) -> Result<(), FileError> {
    match exposure(metadata, guard) {
        None => Ok(()),
        Some(exposure) => Err(FileError::Exposed { path: path.to_owned(), exposure }),
    }
}

#[cfg(unix)]
fn exposure(metadata: &fs::Metadata, guard: Guard) -> Option<Exposure> {
    use std::os::unix::fs::MetadataExt;
    const GROUP_OR_OTHERS: u32 = 0o077;
    const WRITABLE: u32 = 0o022;
    let me = rustix::process::geteuid().as_raw();
    let by_root = guard == Guard::Unchanged && metadata.uid() == 0;
    let mode = metadata.mode() & 0o7777;
    match guard {
        _ if metadata.uid() != me && !by_root => {
            Some(Exposure::OwnedByAnother { owner: metadata.uid(), me })
        }
        Guard::Secret if mode & GROUP_OR_OTHERS != 0 => Some(Exposure::Readable { mode }),
        Guard::Unchanged if mode & WRITABLE != 0 => Some(Exposure::Writable { mode }),
        _ => None,
    }
}

/// What other systems know about it is not looked at.
#[cfg(not(unix))]
fn exposure(_: &fs::Metadata, _: Guard) -> Option<Exposure> {
    None
}

#[cfg(unix)]
fn open_to_read(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    // Nothing is waited for that is no file.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    OpenOptions::new().read(true).custom_flags(nonblocking).open(path)
}

#[cfg(not(unix))]
fn open_to_read(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Makes a directory, and those that it stands in, for nobody but their owner; one that is there stays as it is.
pub(super) fn create_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
