//! What POSIX systems can do with files beyond the standard library, and where they differ.

use std::{
    ffi::OsStr,
    fs::{File, FileTimes, Permissions},
    io,
    ops::Range,
    os::{
        fd::AsFd,
        unix::{
            ffi::OsStrExt,
            fs::{FileExt, MetadataExt, PermissionsExt},
        },
    },
    path::Path,
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use gannet_protocol::{FileTime, Mode, Status};
use rustix::{
    fs::{AtFlags, OFlags},
    io::Errno,
};

use crate::journal::BootId;

/// Opens nothing that waits for a peer, and no terminal that would become ours.
pub(crate) const OPEN_UNTOUCHED: i32 = OFlags::NONBLOCK.union(OFlags::NOCTTY).bits() as i32;

/// Most bytes to reserve: a stranger's claim alone does not take more of the disk than this.
#[cfg(target_os = "linux")]
const MAX_RESERVED: u64 = 4 << 30;

/// The bytes of a name as a path; every byte means itself on these systems.
pub(crate) fn path_of(name: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(name))
}

/// The bytes of one component of a path.
pub(crate) fn bytes_of(component: &OsStr) -> &[u8] {
    component.as_bytes()
}

/// The status of an error that [`io::ErrorKind`] has no name for.
pub(crate) fn status_of_code(error: &io::Error) -> Option<Status> {
    Some(match Errno::from_io_error(error)? {
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN => Status::Overloaded,
        Errno::LOOP => Status::Denied,
        Errno::NXIO | Errno::NODEV => Status::NotRegular,
        Errno::ILSEQ => Status::Unnameable,
        Errno::OPNOTSUPP => Status::Unsupported,
        _ => return None,
    })
}

/// Reads all of `buf` at `offset`, wherever the file's cursor is.
pub(crate) fn read_exact_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<()> {
    file.read_exact_at(buf, offset)
}

/// Writes all of `data` at `offset`, wherever the file's cursor is.
pub(crate) fn write_all_at(file: &File, data: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(data, offset)
}

/// Which run of the system it is: asked for once, for a process that is confined may not be told later.
pub(crate) fn boot_id() -> BootId {
    static BOOT: OnceLock<BootId> = OnceLock::new();
    *BOOT.get_or_init(|| read_boot_id().map_or(BootId::Unknown, BootId::Known))
}

/// Only Linux tells it so that it is told apart from all others for sure.
fn read_boot_id() -> Option<[u8; 16]> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let number = u128::from_str_radix(&text.trim().replace('-', ""), 16).ok()?;
    Some(number.to_be_bytes())
}

/// Whether a file is a regular one of this user's, under one name only: nobody else can change it.
pub(crate) fn is_our_own(metadata: &std::fs::Metadata) -> bool {
    let own = rustix::process::geteuid().as_raw();
    metadata.is_file() && metadata.uid() == own && metadata.nlink() == 1
}

/// Device and inode of what has this name itself, be it a symbolic link.
pub(crate) fn named_number(dir: &cap_std::fs::Dir, name: &OsStr) -> io::Result<[u64; 2]> {
    use cap_std::fs::MetadataExt;
    let metadata = dir.symlink_metadata(name)?;
    Ok([metadata.dev(), metadata.ino()])
}

/// Bytes that a file takes on the disk.
pub(crate) fn allocated(file: &File) -> u64 {
    // POSIX's unit of `st_blocks`.
    file.metadata().map_or(0, |metadata| metadata.blocks().saturating_mul(512))
}

/// Device and inode of a directory.
pub(crate) fn directory_number(dir: &impl AsFd) -> io::Result<[u64; 2]> {
    let stat = rustix::fs::fstat(dir)?;
    Ok([stat.st_dev, stat.st_ino])
}

/// Device and inode: which file it is as long as it exists.
pub(crate) fn file_number(metadata: &std::fs::Metadata) -> [u64; 2] {
    [metadata.dev(), metadata.ino()]
}

/// Its permission bits.
pub(crate) fn mode_of(metadata: &std::fs::Metadata) -> Mode {
    Mode::from_bits(metadata.mode())
}

/// When it was modified.
pub(crate) fn modified(metadata: &std::fs::Metadata) -> FileTime {
    file_time(metadata.mtime(), metadata.mtime_nsec())
}

/// When it was modified.
pub(crate) fn modified_in(metadata: &cap_std::fs::Metadata) -> FileTime {
    use cap_std::fs::MetadataExt;
    file_time(metadata.mtime(), metadata.mtime_nsec())
}

/// Its permission bits.
pub(crate) fn mode_in(metadata: &cap_std::fs::Metadata) -> Mode {
    use cap_std::fs::MetadataExt;
    Mode::from_bits(metadata.mode())
}

/// The time now.
pub(crate) fn time_of_now() -> FileTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or_else(
        |_| FileTime::default(),
        |since| FileTime::new(since.as_secs().try_into().unwrap_or_default(), since.subsec_nanos()),
    )
}

fn file_time(secs: i64, nanos: i64) -> FileTime {
    FileTime::new(secs, u32::try_from(nanos).unwrap_or_default())
}

/// Sets permission bits, less those that this process's umask takes away.
pub(crate) fn set_mode(file: &File, mode: Mode) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode.bits() & !umask()))
}

/// Sets the time of modification.
pub(crate) fn set_modified(file: &File, time: FileTime) -> io::Result<()> {
    let whole = Duration::from_secs(time.secs().unsigned_abs());
    let base = if time.secs() < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(whole)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(whole)
    };
    match base.and_then(|base| base.checked_add(Duration::from_nanos(time.nanos().into()))) {
        Some(time) => file.set_times(FileTimes::new().set_modified(time)),
        None => Ok(()),
    }
}

/// The bits that new files do not get. Asked for once: the process never changes it.
fn umask() -> u32 {
    static UMASK: OnceLock<u32> = OnceLock::new();
    *UMASK.get_or_init(|| read_umask().unwrap_or_else(swap_umask))
}

/// Linux tells it without changing it.
fn read_umask() -> Option<u32> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(line.trim(), 8).ok()
}

/// Elsewhere it can only be asked for by changing it; the strictest of all stands for that moment.
#[cfg_attr(
    target_os = "linux",
    expect(clippy::useless_conversion, reason = "other systems have modes of 16 bits")
)]
fn swap_umask() -> u32 {
    let old = rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    rustix::process::umask(old);
    u32::from(old.bits())
}

/// Whether the file system of `file` has no room for `len` bytes, as far as it tells.
pub(crate) fn lacks_room(file: &File, len: u64) -> bool {
    rustix::fs::fstatvfs(file)
        .is_ok_and(|fs| fs.f_blocks > 0 && len > fs.f_bavail.saturating_mul(fs.f_frsize))
}

/// Reserves room, so that a full disk or quota is told before the bytes come, where that costs less than writing them.
///
/// The file's length stays. tmpfs is left out: it would fill its pages with zeros here.
#[cfg(target_os = "linux")]
pub(crate) fn reserve(file: &File, len: u64) -> io::Result<()> {
    use rustix::fs::FallocateFlags;
    const TMPFS_MAGIC: rustix::fs::FsWord = 0x0102_1994;
    if len == 0 || rustix::fs::fstatfs(file).is_ok_and(|fs| fs.f_type == TMPFS_MAGIC) {
        return Ok(());
    }
    loop {
        let len = len.min(MAX_RESERVED);
        match rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, 0, len) {
            Err(Errno::INTR) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => return Ok(()),
            done => return done.map_err(Into::into),
        }
    }
}

/// Here a full disk shows when it is written.
#[cfg(not(target_os = "linux"))]
pub(crate) fn reserve(_: &File, _: u64) -> io::Result<()> {
    Ok(())
}

/// The first hole of a file from `from` on, up to `len`; nothing where the system or the file system tells of none. Moves the
/// file's cursor.
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_vendor = "apple"
))]
pub(crate) fn hole_from(file: &File, from: u64, len: u64) -> Option<Range<u64>> {
    use rustix::fs::{SeekFrom, seek};
    let start = seek(file, SeekFrom::Hole(from)).ok().filter(|start| *start < len)?;
    match seek(file, SeekFrom::Data(start)) {
        Ok(end) => Some(start..end.min(len)),
        Err(Errno::NXIO) => Some(start..len),
        Err(_) => None,
    }
}

/// Here nothing is known of holes.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_vendor = "apple"
)))]
pub(crate) fn hole_from(_: &File, _: u64, _: u64) -> Option<Range<u64>> {
    None
}

/// Has a range read as zeros, and take no room where the file system knows how. The file's length stays.
pub(crate) fn clear(file: &File, range: Range<u64>) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::fs::FallocateFlags;
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        loop {
            match rustix::fs::fallocate(file, flags, range.start, range.end - range.start) {
                Err(Errno::INTR) => {}
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => break,
                done => return done.map_err(Into::into),
            }
        }
    }
    overwrite(file, range)
}

/// Writes zeros over what stands there already. Beyond the file's end there is nothing to be overwritten.
fn overwrite(file: &File, range: Range<u64>) -> io::Result<()> {
    static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
    let end = range.end.min(file.metadata()?.len());
    let mut at = range.start;
    while at < end {
        let step = usize::try_from(end - at).unwrap_or(usize::MAX).min(ZEROS.len());
        write_all_at(file, ZEROS.get(..step).unwrap_or_default(), at)?;
        at += step as u64;
    }
    Ok(())
}

/// Makes a rename in a directory last through a power failure.
pub(crate) fn sync_directory(dir: &impl AsFd) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match rustix::fs::openat(dir, ".", flags, rustix::fs::Mode::empty()) {
        Ok(dir) => match rustix::fs::fsync(dir) {
            Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(()),
            done => done.map_err(Into::into),
        },
        Err(Errno::ACCESS) => Ok(()),
        Err(error) => Err(error.into()),
    }
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
        match rustix::fs::renameat_with(from_dir, from, to_dir, to, flags) {
            // Old kernels, and file systems such as NFS, do not know it.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            done => return done.map_err(Into::into),
        }
    }
    rename_over_placeholder(from_dir, from, to_dir, to)
}

/// Takes the new name first, which fails if it is taken, then renames over what took it.
///
/// For a moment an empty file or directory stands there, and what others put into that file is lost.
fn rename_over_placeholder(
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn both_ways_of_renaming_refuse_a_taken_name() {
        type Rename = fn(&File, &Path, &File, &Path) -> io::Result<()>;
        let ways: [Rename; 2] = [rename_to_free, rename_over_placeholder];
        for rename in ways {
            let dir = tempfile::tempdir().unwrap();
            let held = File::open(dir.path()).unwrap();
            let at = |name: &str| dir.path().join(name);
            fs::write(at("file"), "content").unwrap();
            fs::write(at("taken"), "other").unwrap();
            fs::create_dir(at("dir")).unwrap();
            fs::write(at("dir/inner"), "inner").unwrap();
            let go = |from: &str, to: &str| {
                rename(&held, Path::new(from), &held, Path::new(to)).map_err(|e| e.kind())
            };
            for from in ["file", "dir"] {
                for to in ["taken", "file", "dir"] {
                    assert_eq!(go(from, to), Err(io::ErrorKind::AlreadyExists), "{from} {to}");
                }
            }
            assert_eq!(go("missing", "new"), Err(io::ErrorKind::NotFound));
            assert!(go("dir", "dir/below").is_err());
            assert_eq!(fs::read_to_string(at("taken")).unwrap(), "other");
            assert_eq!(fs::read_dir(at("dir")).unwrap().count(), 1, "nothing is left behind");
            assert_eq!(go("file", "moved"), Ok(()));
            assert_eq!(go("dir", "moved-dir"), Ok(()));
            assert_eq!(fs::read_to_string(at("moved")).unwrap(), "content");
            assert_eq!(fs::read_to_string(at("moved-dir/inner")).unwrap(), "inner");
            assert!(!at("file").exists() && !at("dir").exists());
        }
    }

    #[test]
    fn what_is_cleared_reads_as_zeros() {
        let dir = tempfile::tempdir().unwrap();
        for clear in [clear, overwrite] {
            let path = dir.path().join("file");
            fs::write(&path, [7; 300_000]).unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            clear(&file, 65_536..200_000).unwrap();
            clear(&file, 299_999..500_000).unwrap();
            let mut expected = vec![7; 300_000];
            expected[65_536..200_000].fill(0);
            expected[299_999] = 0;
            assert!(fs::read(path).unwrap() == expected);
        }
    }

    #[test]
    fn times_before_1970_are_kept() {
        let file = tempfile::tempfile().unwrap();
        for time in [FileTime::new(-5, 250_000_000), FileTime::new(1_700_000_000, 1)] {
            set_modified(&file, time).unwrap();
            assert_eq!(modified(&file.metadata().unwrap()), time);
        }
    }
}
