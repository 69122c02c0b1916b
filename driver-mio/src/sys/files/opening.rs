//! Opening files and directories, and locking files.

use std::{ffi::OsStr, fs::File, io, os::unix::fs::OpenOptionsExt as _, path::Path};

use cap_std::{
    ambient_authority,
    fs::{Dir, DirEntry, OpenOptions, OpenOptionsExt as _},
};
use rustix::fs::OFlags;

/// Opens nothing that waits for a peer, and no terminal that would become ours.
const UNTOUCHED: i32 = OFlags::NONBLOCK.union(OFlags::NOCTTY).bits() as i32;

/// Holds a directory of this machine's user.
pub(crate) fn open_root(path: &Path) -> io::Result<Dir> {
    watched!(Open { path }, Dir::open_ambient_dir(path, ambient_authority()))
}

/// Holds a directory below one.
pub(crate) fn open_directory(dir: &Dir, path: &Path) -> io::Result<Dir> {
    watched!(Open { path }, dir.open_dir(path))
}

/// Holds a directory that was found in one.
pub(crate) fn open_entry(entry: &DirEntry) -> io::Result<Dir> {
    watched!(Open { path: Path::new(&entry.file_name()) }, entry.open_dir())
}

/// Holds the same directory once more.
pub(crate) fn same_directory(dir: &Dir) -> io::Result<Dir> {
    watched!(Duplicate {}, dir.try_clone())
}

/// Holds the same file once more.
pub(crate) fn same_file(file: &File) -> io::Result<File> {
    watched!(Duplicate {}, file.try_clone())
}

/// Opens a file of this machine's user to be read.
pub(crate) fn open_at(path: &Path) -> io::Result<File> {
    let open = || File::options().read(true).custom_flags(UNTOUCHED).open(path);
    watched!(Open { path }, open())
}

/// Opens a file below a directory to be read.
pub(crate) fn open_in(dir: &Dir, path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(UNTOUCHED);
    watched!(Open { path }, dir.open_with(path, &options)).map(cap_std::fs::File::into_std)
}

/// Opens a file in a directory that nobody else is to touch, to read and write it.
pub(crate) fn open_own(dir: &Dir, name: &OsStr) -> io::Result<File> {
    let path = Path::new(name);
    watched!(Open { path }, dir.open_with(path, &own())).map(cap_std::fs::File::into_std)
}

/// Makes one, if its name is free.
pub(crate) fn create_own(dir: &Dir, name: &OsStr) -> io::Result<File> {
    let (name, mut options) = (Path::new(name), own());
    options.create_new(true);
    watched!(Create { dir, name }, dir.open_with(name, &options)).map(cap_std::fs::File::into_std)
}

fn own() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(UNTOUCHED);
    options
}

/// Opens a held directory itself, to change what it says of itself.
pub(crate) fn opened_directory(dir: &Dir) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = || rustix::fs::openat(dir, ".", flags, rustix::fs::Mode::empty());
    watched!(Open { path: Path::new(".") }, open().map(File::from).map_err(io::Error::from))
}

/// Locks a file until it is closed; fails at once if someone else has it locked.
pub(crate) fn try_lock(file: &File) -> io::Result<()> {
    watched!(Lock { file }, file.try_lock().map_err(io::Error::from))
}
