//! Giving files their names, and taking names away.

use std::{io, os::fd::AsFd, path::Path};

use cap_std::fs::{Dir, DirBuilder, DirBuilderExt as _};
use gannet_protocol::Mode;
use rustix::fs::{AtFlags, OFlags};
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
use rustix::io::Errno;

/// Removes a file or a symbolic link.
pub(crate) fn remove_file(dir: &Dir, name: &Path) -> io::Result<()> {
    watched!(Remove { dir, name }, dir.remove_file(name))
}

/// Removes an empty directory.
pub(crate) fn remove_directory(dir: &Dir, name: &Path) -> io::Result<()> {
    watched!(Remove { dir, name }, dir.remove_dir(name))
}

/// Makes a directory, with permission bits that its owner can use it by, and others if they are given; the umask takes its own away.
pub(crate) fn make_directory(dir: &Dir, name: &Path, mode: Option<Mode>) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    if let Some(mode) = mode {
        builder.mode(mode.bits() | 0o700);
    }
    watched!(Create { dir, name }, dir.create_dir_with(name, &builder))
}

/// Renames within a held directory, whatever stood there.
pub(crate) fn rename(dir: &Dir, from: &Path, to: &Path) -> io::Result<()> {
    watched!(Rename { from_dir: dir, from, to_dir: dir, to }, dir.rename(from, dir, to))
}

/// Renames within held directories, and fails with [`io::ErrorKind::AlreadyExists`] if `to` is taken, however late it was taken.
pub(crate) fn rename_to_free(
    from_dir: &impl AsFd,
    from: &Path,
    to_dir: &impl AsFd,
    to: &Path,
) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        let flags = rustix::fs::RenameFlags::NOREPLACE;
        let renamed = watched!(
            Rename { from_dir, from, to_dir, to },
            rustix::fs::renameat_with(from_dir, from, to_dir, to, flags).map_err(io::Error::from)
        );
        match renamed.map_err(|error| (Errno::from_io_error(&error), error)) {
            // Old kernels, and file systems such as NFS, do not know it.
            Err((Some(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP), _)) => {}
            done => return done.map_err(|(_, error)| error),
        }
    }
    rename_over_placeholder(from_dir, from, to_dir, to)
}

/// Takes the new name first, which fails if it is taken, then renames over what took it.
///
/// For a moment an empty file or directory stands there, and what others put into that file is lost.
pub(super) fn rename_over_placeholder(
    from_dir: &impl AsFd,
    from: &Path,
    to_dir: &impl AsFd,
    to: &Path,
) -> io::Result<()> {
    let stat = rustix::fs::statat(from_dir, from, AtFlags::SYMLINK_NOFOLLOW)?;
    let is_directory = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir();
    let mode = rustix::fs::Mode::RWXU;
    if is_directory {
        rustix::fs::mkdirat(to_dir, to, mode)?;
    } else {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        rustix::fs::openat(to_dir, to, flags, mode)?;
    }
    rustix::fs::renameat(from_dir, from, to_dir, to).map_err(|error| {
        let flags = if is_directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        let _ = rustix::fs::unlinkat(to_dir, to, flags);
        error.into()
    })
}
