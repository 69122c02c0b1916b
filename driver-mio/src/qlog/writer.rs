//! The thread that writes a trace.

use std::{
    fmt,
    fs::File,
    io::{self, Write as _},
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    thread,
    time::Duration,
};

/// Pieces of text that wait to be written, 64 KiB each: what a fast connection tells in the time that a disk may take to answer.
const MOST_WAITING: usize = 256;
/// Most bytes of a file: a few million packets, and more than most viewers can hold.
const MOST_BYTES: u64 = 1 << 30;
/// How long the rest is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a trace ends before its connection.
#[derive(Debug)]
pub(super) enum Ended {
    /// The file cannot be made or written.
    Io(io::Error),
    /// The disk is too slow for it.
    Slow,
    /// The file is as large as it may be.
    Large,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Slow => f.write_str("the disk is too slow for it"),
            Self::Large => write!(f, "it has {MOST_BYTES} bytes, and may have no more"),
        }
    }
}

/// A file that a thread writes.
#[derive(Debug)]
pub(super) struct Writer {
    to: SyncSender<String>,
    result: Receiver<io::Result<()>>,
    bytes: u64,
}

impl Writer {
    /// Makes the file, and the thread, which ends when all is written or a write that is under way does.
    pub(super) fn start(path: &Path) -> Result<Self, Ended> {
        let mut file = File::create(path).map_err(Ended::Io)?;
        let (to, texts) = sync_channel::<String>(MOST_WAITING);
        let (tell, result) = sync_channel(1);
        let mut write = move || texts.iter().try_for_each(|text| file.write_all(text.as_bytes()));
        thread::Builder::new()
            .name("gannet-trace".into())
            .spawn(move || {
                let _ = tell.send(write());
            })
            .map_err(Ended::Io)?;
        Ok(Self { to, result, bytes: 0 })
    }

    /// Has a text be written, without waiting for that.
    pub(super) fn write(&mut self, text: String) -> Result<(), Ended> {
        self.bytes = self.bytes.saturating_add(text.len() as u64);
        if self.bytes > MOST_BYTES {
            return Err(Ended::Large);
        }
        match self.to.try_send(text) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(Ended::Slow),
            Err(TrySendError::Disconnected(_)) => Err(self.failure()),
        }
    }

    /// Waits until all is written, but not for ever.
    pub(super) fn finish(self) -> Result<(), Ended> {
        let Self { to, result, .. } = self;
        drop(to);
        match result.recv_timeout(PATIENCE) {
            Ok(result) => result.map_err(Ended::Io),
            Err(RecvTimeoutError::Timeout) => Err(Ended::Slow),
            Err(RecvTimeoutError::Disconnected) => Ok(()),
        }
    }

    /// Why the thread takes no more.
    fn failure(&self) -> Ended {
        match self.result.recv_timeout(PATIENCE) {
            Ok(Err(error)) => Ended::Io(error),
            _ => Ended::Slow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_there_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace");
        let mut writer = Writer::start(&path).unwrap();
        writer.write("one ".into()).unwrap();
        writer.write("two".into()).unwrap();
        writer.finish().unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "one two");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_told() {
        let nowhere = tempfile::tempdir().unwrap().path().join("gone/trace");
        assert!(matches!(Writer::start(&nowhere), Err(Ended::Io(_))));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_ends_it() {
        let mut writer = Writer::start(Path::new("/dev/full")).unwrap();
        writer.write("text".into()).unwrap();
        assert!(matches!(writer.finish(), Err(Ended::Io(_))));
    }

    #[test]
    fn it_grows_no_larger_than_it_may() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::start(&dir.path().join("trace")).unwrap();
        writer.bytes = MOST_BYTES - 3;
        writer.write("abc".into()).unwrap();
        assert!(matches!(writer.write("d".into()), Err(Ended::Large)));
    }
}
