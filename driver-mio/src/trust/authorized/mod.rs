//! The clients that a server lets in, as the file says at this moment.

mod add;
mod list;

use std::{
    error, fmt, fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use gannet_protocol::PublicKey;

use super::private::{self, FileError, Guard};

pub use add::{Authorized, authorize};
pub use list::{BadLine, ClientList, Standing};

/// A file that changed less than this ago may change again and look the same: file systems tell times in steps, some of
/// whole seconds. It is also the time that whoever writes it has to finish.
const SETTLED: Duration = Duration::from_secs(2);

/// The list in a file, read again whenever the file changes.
///
/// At the start a line that is wrong is an error. Later it grants nothing and is logged, and so is a file that cannot be
/// read: then nobody is let in.
#[derive(Debug)]
pub struct AuthorizedClients {
    path: PathBuf,
    list: ClientList,
    content: Vec<u8>,
    /// Whether its last line was held back, since more of it may come.
    held_back: bool,
    stamp: Stamp,
    /// When the stamp was seen to be another.
    changed: SystemTime,
    settled: bool,
    /// The last trouble that was logged, and since when there is any.
    trouble: Option<(String, SystemTime)>,
    /// Whether that lasts.
    is_lost: bool,
    generation: u64,
}

impl AuthorizedClients {
    /// Reads the list; without a file it is empty. `now` is the time of the day.
    ///
    /// # Errors
    /// [`AuthorizedError`]: any line is wrong, or the file cannot be used.
    pub fn load(path: PathBuf, now: SystemTime) -> Result<Self, AuthorizedError> {
        let stamp = Stamp::of(&path);
        let content = read(&path).map_err(AuthorizedError::File)?;
        let list = ClientList::parse(&content);
        if let ([(line, why), ..], _) = list.bad() {
            let (line, why) = (*line, why.clone());
            return Err(AuthorizedError::Line { path, line, why });
        }
        let changed = SystemTime::UNIX_EPOCH;
        let settled = stamp == Stamp::of(&path) && stamp.is_settled(now, changed);
        Ok(Self {
            path,
            list,
            content,
            held_back: false,
            stamp,
            changed,
            settled,
            trouble: None,
            is_lost: false,
            generation: 0,
        })
    }

    /// Looks whether the file changed, and reads it again if so: one look at its metadata if not. Call it before every
    /// decision. True if the list is another now.
    pub fn refresh(&mut self, now: SystemTime) -> bool {
        let stamp = Stamp::of(&self.path);
        if self.settled && stamp == self.stamp {
            return false;
        }
        let (content, trouble) = match read(&self.path) {
            Ok(content) => (content, None),
            Err(error) => (Vec::new(), Some(with_cause(&error))),
        };
        if stamp != self.stamp {
            self.changed = now;
        }
        self.settled = trouble.is_none()
            && stamp == Stamp::of(&self.path)
            && stamp.is_settled(now, self.changed);
        self.stamp = stamp;
        self.note_trouble(trouble, now);
        // What was accepted once needs no end of line.
        if content == self.content && !(self.held_back && self.settled) {
            return false;
        }
        self.take(content);
        true
    }

    fn note_trouble(&mut self, trouble: Option<String>, now: SystemTime) {
        let before = self.trouble.take();
        self.trouble = trouble.map(|trouble| {
            if before.as_ref().is_none_or(|(logged, _)| *logged != trouble) {
                log::warn!(target: "gannet::trust", "{trouble}: nobody is let in by it");
            }
            (trouble, before.map_or(now, |(_, since)| since))
        });
        let is_past = |since| since_1970(now).abs_diff(since_1970(since)) >= SETTLED.as_nanos();
        self.is_lost = self.trouble.as_ref().is_some_and(|(_, since)| is_past(*since));
    }

    fn take(&mut self, content: Vec<u8>) {
        let end = content.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        self.held_back = !self.settled && end < content.len();
        let whole = if self.held_back { content.get(..end) } else { Some(&content[..]) };
        self.list = ClientList::parse(whole.unwrap_or_default());
        self.content = content;
        self.generation += 1;
        let path = self.path.display();
        let (bad, more) = self.list.bad();
        for (line, why) in bad {
            log::warn!(target: "gannet::trust", "line {line} of {path} grants nothing: {why}");
        }
        if more > 0 {
            log::warn!(target: "gannet::trust", "{more} more lines of {path} grant nothing");
        }
        log::info!(target: "gannet::trust", "{path} was read again, clients in it: {}", self.list.len());
    }

    /// What the list says of `key`, as of the last [`refresh`](Self::refresh).
    #[must_use]
    pub fn standing(&self, key: &PublicKey) -> Standing<'_> {
        self.list.standing(key)
    }

    /// The list, as of the last [`refresh`](Self::refresh).
    #[must_use]
    pub const fn list(&self) -> &ClientList {
        &self.list
    }

    /// Which list it is: another number after every change.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether the file rests since some seconds, or cannot be read since then. While neither is so, it may be half written: that
    /// is reason enough to refuse what is new, and not to end what runs.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        self.settled || self.is_lost
    }
}

fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let found = private::read(path, Guard::Unchanged)?;
    Ok(found.map(|found| found.to_vec()).unwrap_or_default())
}

fn with_cause(error: &dyn error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// What tells one state of a file from another, without reading it.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Stamp {
    Absent,
    Unknown(io::ErrorKind),
    File {
        /// Device, inode, mode and owner, where the system has them.
        numbers: [u64; 4],
        len: u64,
        /// The last change of content or, where the system tells, of anything: nanoseconds since 1970.
        times: [i128; 2],
    },
}

impl Stamp {
    fn of(path: &Path) -> Self {
        match fs::metadata(path) {
            Ok(metadata) => Self::File {
                numbers: numbers(&metadata),
                len: metadata.len(),
                times: times(&metadata),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::Absent,
            Err(error) => Self::Unknown(error.kind()),
        }
    }

    /// Whether a later change cannot look the same, and whoever was at it has finished. Times that are ahead tell nothing of
    /// when it was.
    fn is_settled(&self, now: SystemTime, changed: SystemTime) -> bool {
        let is_past = |time: i128| (since_1970(now) - time).abs() >= SETTLED.as_nanos() as i128;
        match self {
            // As it is for a moment in the hands of an editor.
            Self::Absent => is_past(since_1970(changed)),
            Self::Unknown(_) => false,
            Self::File { times, .. } => times.iter().all(|time| is_past(*time)),
        }
    }
}

fn since_1970(time: SystemTime) -> i128 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => since.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    }
}

#[cfg(unix)]
fn numbers(metadata: &fs::Metadata) -> [u64; 4] {
    use std::os::unix::fs::MetadataExt;
    [metadata.dev(), metadata.ino(), metadata.mode().into(), metadata.uid().into()]
}

#[cfg(unix)]
fn times(metadata: &fs::Metadata) -> [i128; 2] {
    use std::os::unix::fs::MetadataExt;
    let nanos = |secs: i64, nanos: i64| i128::from(secs) * 1_000_000_000 + i128::from(nanos);
    [nanos(metadata.mtime(), metadata.mtime_nsec()), nanos(metadata.ctime(), metadata.ctime_nsec())]
}

#[cfg(not(unix))]
fn numbers(_: &fs::Metadata) -> [u64; 4] {
    [0; 4]
}

#[cfg(not(unix))]
fn times(metadata: &fs::Metadata) -> [i128; 2] {
    [metadata.modified().map_or(0, since_1970); 2]
}

/// Why a server cannot start with its list.
#[derive(Debug)]
pub enum AuthorizedError {
    /// The file cannot be used.
    File(FileError),
    /// A line is wrong.
    Line {
        /// Of which file.
        path: PathBuf,
        /// Which, counted from 1.
        line: usize,
        /// What is wrong.
        why: BadLine,
    },
}

impl fmt::Display for AuthorizedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Line { path, line, why } => write!(f, "line {line} of {}: {why}", path.display()),
        }
    }
}

impl error::Error for AuthorizedError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::File(error) => error.source(),
            Self::Line { .. } => None,
        }
    }
}
