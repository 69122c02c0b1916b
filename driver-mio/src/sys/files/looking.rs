//! What the system says of files: what they are, how long, whose, since when.

use std::{
    ffi::OsStr,
    fs::{File, Metadata},
    io,
    os::{fd::AsFd, unix::fs::MetadataExt as _},
    path::Path,
};

use cap_std::fs::{Dir, DirEntry, MetadataExt as _, ReadDir};
use gannet_protocol::{FileTime, Mode};

/// What an open file is like.
pub(crate) fn metadata(file: &File) -> io::Result<Metadata> {
    watched!(Look {}, file.metadata())
}

/// What a path of this machine's user leads to.
pub(crate) fn metadata_at(path: &Path) -> io::Result<Metadata> {
    watched!(Look {}, std::fs::metadata(path))
}

/// What a path below a directory leads to.
pub(crate) fn metadata_in(dir: &Dir, path: &Path) -> io::Result<cap_std::fs::Metadata> {
    watched!(Look {}, dir.metadata(path))
}

/// What has this name itself, be it a symbolic link.
pub(crate) fn own_metadata_in(dir: &Dir, path: &Path) -> io::Result<cap_std::fs::Metadata> {
    watched!(Look {}, dir.symlink_metadata(path))
}

/// What has the name that was found in a directory, be it a symbolic link.
pub(crate) fn metadata_of_entry(entry: &DirEntry) -> io::Result<cap_std::fs::Metadata> {
    watched!(Look {}, entry.metadata())
}

/// The names in a directory. It ends with the first error.
#[derive(Debug)]
pub(crate) struct Entries(Option<ReadDir>);

impl Iterator for Entries {
    type Item = io::Result<DirEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        let names = self.0.as_mut()?;
        let next = watched!(List {}, names.next().transpose()).transpose();
        if next.as_ref().is_none_or(Result::is_err) {
            self.0 = None;
        }
        next
    }
}

/// The names in a directory.
pub(crate) fn entries(dir: &Dir) -> io::Result<Entries> {
    watched!(List {}, dir.entries()).map(|names| Entries(Some(names)))
}

/// The names in a directory below one.
pub(crate) fn entries_in(dir: &Dir, path: &Path) -> io::Result<Entries> {
    watched!(List {}, dir.read_dir(path)).map(|names| Entries(Some(names)))
}

/// Whether a file is a regular one of this user's, under one name only: nobody else can change it.
pub(crate) fn is_our_own(metadata: &Metadata) -> bool {
    let own = rustix::process::geteuid().as_raw();
    metadata.is_file() && metadata.uid() == own && metadata.nlink() == 1
}

/// Bytes that a file takes on the disk.
pub(crate) fn allocated(file: &File) -> u64 {
    // POSIX's unit of `st_blocks`.
    metadata(file).map_or(0, |metadata| metadata.blocks().saturating_mul(512))
}

/// Device and inode of what has this name itself, be it a symbolic link.
pub(crate) fn named_number(dir: &Dir, name: &OsStr) -> io::Result<[u64; 2]> {
    let metadata = own_metadata_in(dir, name.as_ref())?;
    Ok(number([metadata.dev(), metadata.ino()]))
}

/// Device and inode of a directory.
pub(crate) fn directory_number(dir: &impl AsFd) -> io::Result<[u64; 2]> {
    let stat = watched!(Look {}, rustix::fs::fstat(dir).map_err(io::Error::from))?;
    Ok([stat.st_dev, stat.st_ino])
}

/// Device and inode: which file it is as long as it exists.
pub(crate) fn file_number(metadata: &Metadata) -> [u64; 2] {
    number([metadata.dev(), metadata.ino()])
}

fn number(real: [u64; 2]) -> [u64; 2] {
    #[cfg(feature = "simulation")]
    let real = crate::simulation::number_of(real);
    real
}

/// Its permission bits.
pub(crate) fn mode_of(metadata: &Metadata) -> Mode {
    Mode::from_bits(metadata.mode())
}

/// When anything of it was changed: its content, its mode, its names.
pub(crate) fn changed(metadata: &Metadata) -> FileTime {
    file_time(metadata.ctime(), metadata.ctime_nsec())
}

/// When it was modified.
pub(crate) fn modified(metadata: &Metadata) -> FileTime {
    file_time(metadata.mtime(), metadata.mtime_nsec())
}

/// When it was modified.
pub(crate) fn modified_in(metadata: &cap_std::fs::Metadata) -> FileTime {
    file_time(metadata.mtime(), metadata.mtime_nsec())
}

/// Its permission bits.
pub(crate) fn mode_in(metadata: &cap_std::fs::Metadata) -> Mode {
    Mode::from_bits(metadata.mode())
}

fn file_time(secs: i64, nanos: i64) -> FileTime {
    FileTime::new(secs, u32::try_from(nanos).unwrap_or_default())
}
