//! A file that is read to be sent.

use std::{
    fs::{File, Metadata},
    ops::Range,
    path::Path,
};

use gannet_protocol::{
    BLOCK_LEN, BodyLen, End, FileTime, Identity, MAX_BODY, MAX_HOLES, Meta, Status, Version,
};

use super::status::{status_of, status_of_name};
use crate::sys::files::{
    changed, file_number, hole_from, metadata, metadata_at, mode_of, modified, open_at,
    read_exact_at, time_of_now,
};

/// Most holes of a file that are looked at, whole blocks or not: some ten milliseconds. What lies beyond is read.
const MAX_LOOKS: usize = 4 * MAX_HOLES as usize;

/// Seconds in which whoever writes two files one after the other also has one of them moved onto the other.
const MOMENT: i64 = 10;

/// Seconds after which a name is durable by itself: file systems write them after 5 to 30.
const SETTLED_AFTER: i64 = 300;

/// An open regular file, and what it was like when it was opened.
#[derive(Debug)]
pub(crate) struct SourceFile {
    file: File,
    meta: Meta,
    len: u64,
    /// When it was changed last, its names included.
    changed: FileTime,
    holes: Box<[Range<u64>]>,
}

impl SourceFile {
    /// Opens a file of this machine's user, following symbolic links as users expect. Blocks on the disk.
    ///
    /// # Errors
    /// The system's; [`Status::IsDirectory`], or [`Status::NotRegular`] for a fifo, socket or device, which is
    /// not touched.
    pub(crate) fn open_local(path: &Path) -> Result<Self, Status> {
        let metadata = metadata_at(path).map_err(|error| status_of_name(&error))?;
        expect_regular(metadata.is_file(), metadata.is_dir())?;
        Self::new(open_at(path).map_err(|error| status_of_name(&error))?)
    }

    /// Takes a file that was opened, and looks again at what it is: its name may have changed hands since the look before.
    pub(super) fn new(file: File) -> Result<Self, Status> {
        let metadata = metadata(&file).map_err(|error| status_of(&error))?;
        expect_regular(metadata.is_file(), metadata.is_dir())?;
        let len = metadata.len();
        if len > MAX_BODY {
            return Err(Status::TooLarge);
        }
        let meta = Meta {
            len: BodyLen::Known(len),
            mode: mode_of(&metadata),
            modified: modified(&metadata),
            identity: identity_of(&metadata),
        };
        let holes = find_holes(&file, len).into();
        Ok(Self { file, meta, len, changed: changed(&metadata), holes })
    }

    /// Its length, mode, time and identity as they were at the opening.
    pub(crate) fn meta(&self) -> Meta {
        self.meta
    }

    /// How long it was at the opening, in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Its holes as they were at the opening: whole blocks, but for the last of the file, in ascending order, and not more than may
    /// be told. What was written since shows in [`Self::end`].
    pub(crate) fn holes(&self) -> &[Range<u64>] {
        &self.holes
    }

    /// Bytes of them.
    pub(crate) fn hollow(&self) -> u64 {
        self.holes.iter().map(|hole| hole.end - hole.start).sum()
    }

    /// Whether it is this version, as far as that can be told without reading it.
    pub(crate) fn is_version(&self, version: Version) -> bool {
        self.len == version.len && self.meta.modified == version.modified
    }

    /// Whether its time tells which version it is. What was just written where it is, and not given a time, has that of the moment,
    /// and the clocks of file systems are so coarse that another file of the moment has the same.
    pub(crate) fn has_telling_time(&self) -> bool {
        self.changed != self.meta.modified || self.age() >= MOMENT
    }

    /// Seconds since it was changed last. If the clock was set back, it seems to be newer than new.
    fn age(&self) -> i64 {
        time_of_now().secs().saturating_sub(self.changed.secs())
    }

    /// Whether it is so new that its name may be in memory alone: for five minutes, which is ten times what file systems take.
    pub(crate) fn is_recent(&self) -> bool {
        self.age() < SETTLED_AFTER
    }

    /// Its version.
    pub(crate) fn version(&self) -> Version {
        Version { len: self.len, modified: self.meta.modified }
    }

    /// The file itself.
    pub(crate) fn into_file(self) -> File {
        self.file
    }

    /// Fills `buf` with what stands at `offset`. Blocks on the disk.
    ///
    /// # Errors
    /// [`Status::Changed`] if the file ends before; the system's.
    pub(crate) fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Status> {
        read_exact_at(&self.file, buf, offset).map_err(|error| status_of(&error))
    }

    /// What to say after its last byte was read: whether it is still what it was at the opening. Blocks on the disk.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn end(&self) -> Result<End, Status> {
        let identity = identity_of(&metadata(&self.file).map_err(|error| status_of(&error))?);
        Ok(End { len: self.len, identity, stable: identity == self.meta.identity })
    }
}

/// Holes of a file of `len` bytes, each of a block or more. A file of less has none: it is not worth it that nobody would know its hash.
fn find_holes(file: &File, len: u64) -> Vec<Range<u64>> {
    let mut holes = Vec::new();
    let mut from = 0;
    for _ in 0..MAX_LOOKS {
        if len < BLOCK_LEN || holes.len() as u64 >= MAX_HOLES {
            break;
        }
        let Some(hole) = hole_from(file, from, len) else { break };
        from = hole.end;
        let start = hole.start.next_multiple_of(BLOCK_LEN);
        let end = if hole.end == len { len } else { hole.end - hole.end % BLOCK_LEN };
        if start.saturating_add(BLOCK_LEN) <= end {
            holes.push(start..end);
        }
    }
    holes
}

/// Tells what is not a regular file.
pub(super) fn expect_regular(is_file: bool, is_directory: bool) -> Result<(), Status> {
    match (is_file, is_directory) {
        (true, _) => Ok(()),
        (_, true) => Err(Status::IsDirectory),
        _ => Err(Status::NotRegular),
    }
}

/// A hash of what tells this state of this file from any other: device, inode, length, time of modification.
fn identity_of(metadata: &Metadata) -> Identity {
    let mut hasher = blake3::Hasher::new();
    for number in file_number(metadata) {
        hasher.update(&number.to_le_bytes());
    }
    let time = modified(metadata);
    hasher.update(&metadata.len().to_le_bytes());
    hasher.update(&time.secs().to_le_bytes());
    hasher.update(&time.nanos().to_le_bytes());
    let mut identity = [0; 16];
    hasher.finalize_xof().fill(&mut identity);
    Identity(identity)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, OpenOptions},
        io::Write,
    };

    use super::*;

    #[test]
    fn a_change_of_content_or_time_is_told_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "0123456789").unwrap();
        let source = SourceFile::open_local(&path).unwrap();
        let mut read = [0; 4];
        source.read_at(3, &mut read).unwrap();
        assert_eq!(&read, b"3456");
        let end = source.end().unwrap();
        assert_eq!(end, End { len: 10, identity: source.meta().identity, stable: true });

        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"more").unwrap();
        let end = source.end().unwrap();
        assert!(!end.stable && end.len == 10 && end.identity != source.meta().identity);
    }

    #[test]
    fn a_file_that_shrinks_has_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, [7; 5000]).unwrap();
        let source = SourceFile::open_local(&path).unwrap();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(100).unwrap();
        assert_eq!(source.read_at(0, &mut [0; 5000]), Err(Status::Changed));
    }

    #[test]
    fn holes_are_whole_blocks_and_worth_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let file = File::create(&path).unwrap();
        let holes = || {
            let source = SourceFile::open_local(&path).unwrap();
            source.holes().iter().map(|hole| (hole.start, hole.end)).collect::<Vec<_>>()
        };
        let write = |at| std::os::unix::fs::FileExt::write_all_at(&file, b"x", at).unwrap();
        file.set_len(BLOCK_LEN).unwrap();
        if holes().is_empty() {
            eprintln!("SKIPPED: the file system at {} tells of no holes", dir.path().display());
            return;
        }
        file.set_len(BLOCK_LEN - 1).unwrap();
        assert_eq!(holes(), []);
        file.set_len(9 * BLOCK_LEN + 5).unwrap();
        assert_eq!(holes(), [(0, 9 * BLOCK_LEN + 5)]);
        // A hole of two blocks, one of less than one, one of just one, and the end.
        write(0);
        write(3 * BLOCK_LEN + 70_000);
        write(4 * BLOCK_LEN);
        write(6 * BLOCK_LEN);
        let three = [
            (BLOCK_LEN, 3 * BLOCK_LEN),
            (5 * BLOCK_LEN, 6 * BLOCK_LEN),
            (7 * BLOCK_LEN, 9 * BLOCK_LEN + 5),
        ];
        assert_eq!(holes(), three);
        // What remains of the end is less than a block.
        write(8 * BLOCK_LEN + 70_000);
        assert_eq!(holes()[2..], [(7 * BLOCK_LEN, 8 * BLOCK_LEN)]);
    }

    #[test]
    fn an_equal_file_elsewhere_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| {
            let path = dir.path().join(name);
            let file = File::create(&path).unwrap();
            crate::sys::files::set_modified(&file, FileTime::new(9, 9)).unwrap();
            SourceFile::open_local(&path).unwrap().meta()
        });
        assert_eq!((a.len, a.modified), (b.len, b.modified));
        assert_ne!(a.identity, b.identity);
    }

    #[test]
    fn what_is_no_file_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let open = |path: &Path| SourceFile::open_local(path).map(drop);
        assert_eq!(open(dir.path()), Err(Status::IsDirectory));
        assert_eq!(open(Path::new("/dev/null")), Err(Status::NotRegular));
        assert_eq!(open(&dir.path().join("missing")), Err(Status::NotFound));
        assert_eq!(open(&dir.path().join("x".repeat(300))), Err(Status::Unnameable));
        assert_eq!(open(Path::new("a\0b")), Err(Status::Unnameable));
    }

    /// Over the largest body, without a byte on the disk.
    #[test]
    fn a_file_over_the_greatest_length_is_refused() {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let path = dir.path().join("huge");
        let file = File::create(&path).unwrap();
        match file.set_len(MAX_BODY + 1) {
            Ok(()) => assert_eq!(SourceFile::open_local(&path).map(drop), Err(Status::TooLarge)),
            Err(error) => eprintln!("SKIPPED: no sparse file of 2^60 bytes here: {error}"),
        }
    }
}
