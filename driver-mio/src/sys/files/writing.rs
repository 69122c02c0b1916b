//! Changing a file: its bytes, its length, its holes, what it says of itself.

use std::{
    fs::{File, FileTimes, Permissions},
    io,
    ops::Range,
    os::unix::fs::{FileExt, PermissionsExt},
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use gannet_protocol::{FileTime, Mode};
#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::io::Errno;

/// Most bytes to reserve: a stranger's claim alone does not take more of the disk than this.
#[cfg(target_os = "linux")]
const MAX_RESERVED: u64 = 4 << 30;

/// Writes all of `data` at `offset`, wherever the file's cursor is.
pub(crate) fn write_all_at(file: &File, data: &[u8], offset: u64) -> io::Result<()> {
    Writer(file).write_all_at(data, offset)
}

/// A file of which each single write can be watched.
struct Writer<'f>(&'f File);

impl FileExt for Writer<'_> {
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<usize> {
        #[cfg(feature = "simulation")]
        let data = crate::simulation::shorten(data);
        watched!(Write { file: self.0, offset, data }, self.0.write_at(data, offset))
    }

    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Cuts a file, or lets it end with a hole.
pub(crate) fn set_len(file: &File, len: u64) -> io::Result<()> {
    watched!(SetLen { file, len }, file.set_len(len))
}

/// Sets permission bits, less those that this process's umask takes away.
pub(crate) fn set_mode(file: &File, mode: Mode) -> io::Result<()> {
    let bits = mode.bits() & !umask();
    watched!(SetMode { file, bits }, file.set_permissions(Permissions::from_mode(bits)))
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
        Some(time) => {
            let times = FileTimes::new().set_modified(time);
            watched!(SetModified { file, time }, file.set_times(times))
        }
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
    watched!(Room { file }, rustix::fs::fstatvfs(file).map_err(io::Error::from))
        .is_ok_and(|fs| fs.f_blocks > 0 && len > fs.f_bavail.saturating_mul(fs.f_frsize))
}

/// Reserves room, so that a full disk or quota is told before the bytes come, where that costs less than writing them.
///
/// The file's length stays. tmpfs is left out: it would fill its pages with zeros here.
#[cfg(target_os = "linux")]
pub(crate) fn reserve(file: &File, len: u64) -> io::Result<()> {
    watched!(Reserve { file, len }, reserve_now(file, len))
}

#[cfg(target_os = "linux")]
fn reserve_now(file: &File, len: u64) -> io::Result<()> {
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

/// Has a range read as zeros, and take no room where the file system knows how. The file's length stays.
pub(crate) fn clear(file: &File, range: Range<u64>) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    match watched!(Punch { file, range: range.clone() }, punch(file, &range)) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
        done => return done,
    }
    overwrite(file, range)
}

/// Gives a range back to the file system. [`io::ErrorKind::Unsupported`] if that knows nothing of it.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn punch(file: &File, range: &Range<u64>) -> io::Result<()> {
    use rustix::fs::FallocateFlags;
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    loop {
        match rustix::fs::fallocate(file, flags, range.start, range.end - range.start) {
            Err(Errno::INTR) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Err(io::ErrorKind::Unsupported.into()),
            done => return done.map_err(Into::into),
        }
    }
}

/// Writes zeros over what stands there already. Beyond the file's end there is nothing to be overwritten.
pub(super) fn overwrite(file: &File, range: Range<u64>) -> io::Result<()> {
    static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
    let end = range.end.min(super::metadata(file)?.len());
    let mut at = range.start;
    while at < end {
        let step = usize::try_from(end - at).unwrap_or(usize::MAX).min(ZEROS.len());
        write_all_at(file, ZEROS.get(..step).unwrap_or_default(), at)?;
        at += step as u64;
    }
    Ok(())
}
