//! Calls of the file system, and who watches them.

use std::{
    cell::{Cell, RefCell},
    fmt,
    fs::File,
    io,
    ops::Range,
    os::fd::AsFd,
    path::Path,
    rc::Rc,
    time::{Duration, SystemTime},
};

use rustix::fs::{AtFlags, fstat, statat};

/// A call of the file system. Names are components of paths in the directory that is named with them.
#[derive(Clone)]
pub enum Operation<'a> {
    /// A file or directory that is there is opened.
    Open {
        /// By this path.
        path: &'a Path,
    },
    /// A file or directory that is open is held once more.
    Duplicate {},
    /// A file or directory is made, where nothing has the name.
    Create {
        /// In this directory.
        dir: &'a dyn AsFd,
        /// Under this name.
        name: &'a Path,
    },
    /// It is looked what a name or an open file is.
    Look {},
    /// A directory's names are read.
    List {},
    /// A file is locked.
    Lock {
        /// Which.
        file: &'a File,
    },
    /// Bytes are read.
    Read {
        /// Of this file.
        file: &'a File,
        /// From here on.
        offset: u64,
        /// At most so many.
        len: usize,
    },
    /// Bytes are written.
    Write {
        /// To this file.
        file: &'a File,
        /// From here on.
        offset: u64,
        /// Which.
        data: &'a [u8],
    },
    /// A file is cut, or lengthened by a hole.
    SetLen {
        /// Which.
        file: &'a File,
        /// To so many bytes.
        len: u64,
    },
    /// Room is reserved.
    Reserve {
        /// For this file.
        file: &'a File,
        /// For so many bytes.
        len: u64,
    },
    /// It is asked how much room there is.
    Room {
        /// In this file's file system.
        file: &'a File,
    },
    /// Bytes become a hole.
    Punch {
        /// Of this file.
        file: &'a File,
        /// Which.
        range: Range<u64>,
    },
    /// Permission bits are set.
    SetMode {
        /// Of this file.
        file: &'a File,
        /// To these.
        bits: u32,
    },
    /// The time of modification is set.
    SetModified {
        /// Of this file.
        file: &'a File,
        /// To this.
        time: SystemTime,
    },
    /// What was written to a file is made durable, and its length.
    SyncFile {
        /// Which.
        file: &'a File,
    },
    /// The names in a directory are made durable.
    SyncDirectory {
        /// Which.
        dir: &'a dyn AsFd,
    },
    /// Something gets another name.
    Rename {
        /// From this directory.
        from_dir: &'a dyn AsFd,
        /// And this name.
        from: &'a Path,
        /// To this directory.
        to_dir: &'a dyn AsFd,
        /// And this name.
        to: &'a Path,
    },
    /// A name is taken away.
    Remove {
        /// From this directory.
        dir: &'a dyn AsFd,
        /// Which.
        name: &'a Path,
    },
}

/// Who watches calls.
pub trait Watcher {
    /// Takes note of a call that is about to be made.
    ///
    /// # Errors
    /// The call fails with this instead.
    fn before(&mut self, operation: &Operation<'_>) -> io::Result<()>;

    /// Takes note of a call that succeeded.
    fn after(&mut self, operation: &Operation<'_>);

    /// How many of so many bytes the next read or write takes: at least one.
    fn shorten(&mut self, len: usize) -> usize;

    /// What is told as device and inode of the file of which these are the real ones.
    fn number(&mut self, real: [u64; 2]) -> [u64; 2];

    /// Which run of the system it is.
    fn boot_id(&self) -> [u8; 16];

    /// Fills `bytes` with what nobody can guess.
    fn fill_random(&mut self, bytes: &mut [u8]);
}

type Shared = Rc<RefCell<dyn Watcher>>;

thread_local! {
    static WATCHER: RefCell<Option<Shared>> = const { RefCell::new(None) };
    static PAUSE: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Lets `watcher` watch every call that `run` makes on this thread.
pub fn watching<T>(watcher: &Shared, run: impl FnOnce() -> T) -> T {
    struct Former(Option<Shared>);
    impl Drop for Former {
        fn drop(&mut self) {
            WATCHER.set(self.0.take());
        }
    }
    let _former = Former(WATCHER.replace(Some(Rc::clone(watcher))));
    run()
}

/// Device and inode of an open file or directory.
///
/// # Errors
/// The system's.
pub fn real_number(file: &dyn AsFd) -> io::Result<[u64; 2]> {
    let stat = fstat(file.as_fd())?;
    Ok([stat.st_dev, stat.st_ino])
}

/// Device and inode of what has that name in a directory, and whether it is a directory.
///
/// # Errors
/// The system's.
pub fn real_number_at(dir: &dyn AsFd, name: &Path) -> io::Result<([u64; 2], bool)> {
    let stat = statat(dir.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW)?;
    let is_directory = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir();
    Ok(([stat.st_dev, stat.st_ino], is_directory))
}

fn watcher() -> Option<Shared> {
    WATCHER.with_borrow(Option::clone)
}

/// Makes a call, if the watcher lets it.
pub(crate) fn watched<T>(
    operation: &Operation<'_>,
    call: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let Some(watcher) = watcher() else { return call() };
    watcher.borrow_mut().before(operation)?;
    let done = call()?;
    watcher.borrow_mut().after(operation);
    Ok(done)
}

pub(crate) fn shorten(data: &[u8]) -> &[u8] {
    let len = shortened(data.len());
    data.get(..len).unwrap_or(data)
}

pub(crate) fn shorten_mut(data: &mut [u8]) -> &mut [u8] {
    let len = shortened(data.len());
    &mut data[..len]
}

fn shortened(len: usize) -> usize {
    match watcher() {
        Some(watcher) if len > 0 => watcher.borrow_mut().shorten(len).clamp(1, len),
        _ => len,
    }
}

pub(crate) fn number_of(real: [u64; 2]) -> [u64; 2] {
    watcher().map_or(real, |watcher| watcher.borrow_mut().number(real))
}

pub(crate) fn boot_id() -> Option<[u8; 16]> {
    watcher().map(|watcher| watcher.borrow().boot_id())
}

pub(crate) fn fill_random(bytes: &mut [u8]) -> bool {
    watcher().inspect(|watcher| watcher.borrow_mut().fill_random(bytes)).is_some()
}

pub(crate) fn is_watched() -> bool {
    watcher().is_some()
}

/// Takes note that a thread would rest; false if nobody watches.
pub(crate) fn pause(time: Duration) -> bool {
    let is_watched = is_watched();
    if is_watched {
        PAUSE.set(PAUSE.get() + time);
    }
    is_watched
}

/// For how long it would have rested.
pub(crate) fn take_pause() -> Duration {
    PAUSE.take()
}

impl fmt::Debug for Operation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { path } => {
                let name = path.file_name().unwrap_or_default();
                write!(f, "open {}", name.to_string_lossy())
            }
            Self::Duplicate {} => f.write_str("duplicate"),
            Self::Create { name, .. } => write!(f, "create {}", name.display()),
            Self::Look {} => f.write_str("look"),
            Self::List {} => f.write_str("list"),
            Self::Lock { .. } => f.write_str("lock"),
            Self::Read { offset, len, .. } => write!(f, "read {len} at {offset}"),
            Self::Write { offset, data, .. } => write!(f, "write {} at {offset}", data.len()),
            Self::SetLen { len, .. } => write!(f, "set length {len}"),
            Self::Reserve { len, .. } => write!(f, "reserve {len}"),
            Self::Room { .. } => f.write_str("ask for room"),
            Self::Punch { range, .. } => write!(f, "punch {range:?}"),
            Self::SetMode { bits, .. } => write!(f, "set mode {bits:o}"),
            Self::SetModified { .. } => f.write_str("set time"),
            Self::SyncFile { .. } => f.write_str("sync file"),
            Self::SyncDirectory { .. } => f.write_str("sync directory"),
            Self::Rename { from, to, .. } => {
                write!(f, "rename {} to {}", from.display(), to.display())
            }
            Self::Remove { name, .. } => write!(f, "remove {}", name.display()),
        }
    }
}
