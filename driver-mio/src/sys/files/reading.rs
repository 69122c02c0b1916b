//! Reading a file's bytes, and finding its holes.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt};

#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_vendor = "apple"
))]
use rustix::io::Errno;

/// Reads all of `buf` at `offset`, wherever the file's cursor is.
pub(crate) fn read_exact_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<()> {
    Reader(file).read_exact_at(buf, offset)
}

/// A file of which each single read can be watched.
struct Reader<'f>(&'f File);

impl FileExt for Reader<'_> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        #[cfg(feature = "simulation")]
        let buf = crate::simulation::shorten_mut(buf);
        watched!(Read { file: self.0, offset, len: buf.len() }, self.0.read_at(buf, offset))
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
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
