//! A bounded pipe between a disk's thread and a thread that reads or writes what may block for ever, such as a terminal.
//!
//! A disk's thread that waits at a pipe can be freed at any time by closing it; one that waits for a terminal cannot.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Read, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

/// Bytes that wait in a pipe: enough that neither side waits for the other's every turn.
const CAPACITY: usize = 256 * 1024;
/// Bytes that are moved at once.
const CHUNK: usize = 64 * 1024;

/// Reads what its thread reads from `from`.
///
/// The thread may outlive the pipe, for as long as a read of `from` takes.
pub(super) fn reading(from: impl Read + Send + 'static) -> (impl Read + Send, Closer) {
    let (inlet, outlet, closer) = pipe();
    spawn("gannet-in", move || inlet.fill(from));
    (outlet, closer)
}

/// Writes what its thread writes to `to`; a flush waits until that has all. The thread may outlive the pipe, for as long as
/// a write to `to` takes.
pub(super) fn writing(to: impl Write + Send + 'static) -> (impl Write + Send, Closer) {
    let (inlet, outlet, closer) = pipe();
    spawn("gannet-out", move || outlet.empty(to));
    (inlet, closer)
}

/// Without a thread the pipe's end is dropped, which the other end sees.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) {
    if let Err(error) = thread::Builder::new().name(name.into()).spawn(work) {
        log::error!("no thread for a pipe: {error}");
    }
}

fn pipe() -> (Inlet, Outlet, Closer) {
    let shared = Arc::new(Shared::default());
    (Inlet(Arc::clone(&shared)), Outlet(Arc::clone(&shared)), Closer(shared))
}

/// Closes the pipe when it is dropped, and with that wakes whoever waits at it.
#[derive(Debug)]
pub(super) struct Closer(Arc<Shared>);

/// Where bytes go in.
struct Inlet(Arc<Shared>);

/// Where they come out.
struct Outlet(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    bytes: VecDeque<u8>,
    /// Whether what was taken out is still being written.
    is_busy: bool,
    /// No more bytes come.
    is_ended: bool,
    /// Why nothing goes through any more.
    fault: Option<ErrorKind>,
}

impl Shared {
    /// The lock is never poisoned: nothing that is done under it panics.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `ready` gives something, or the pipe is at fault.
    fn when<T>(&self, mut ready: impl FnMut(&mut State) -> Option<T>) -> io::Result<T> {
        let mut state = self.lock();
        loop {
            if let Some(kind) = state.fault {
                return Err(kind.into());
            }
            if let Some(result) = ready(&mut state) {
                self.changed.notify_all();
                return Ok(result);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn fail(&self, kind: ErrorKind) {
        self.lock().fault.get_or_insert(kind);
        self.changed.notify_all();
    }

    fn end(&self) {
        self.lock().is_ended = true;
        self.changed.notify_all();
    }
}

impl Inlet {
    /// Puts in what is in `from`.
    fn fill(mut self, mut from: impl Read) {
        let mut chunk = vec![0; CHUNK];
        loop {
            match from.read(&mut chunk) {
                Ok(0) => return self.0.end(),
                Ok(len) => {
                    if self.write_all(chunk.get(..len).unwrap_or_default()).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.0.fail(error.kind()),
            }
        }
    }
}

impl Write for Inlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        self.0.when(|state| {
            let room = CAPACITY.saturating_sub(state.bytes.len()).min(bytes.len());
            state.bytes.extend(bytes.get(..room)?);
            (room > 0).then_some(room)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.when(|state| (state.bytes.is_empty() && !state.is_busy).then_some(()))
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        if !self.0.lock().is_ended {
            self.0.fail(ErrorKind::ConnectionAborted);
        }
    }
}

impl Outlet {
    /// Writes all that comes out to `to`.
    fn empty(mut self, mut to: impl Write) {
        let mut chunk = vec![0; CHUNK];
        while let Ok(len @ 1..) = self.read(&mut chunk) {
            let bytes = chunk.get(..len).unwrap_or_default();
            if let Err(error) = to.write_all(bytes).and_then(|()| to.flush()) {
                return self.0.fail(error.kind());
            }
            self.0.lock().is_busy = false;
            self.0.changed.notify_all();
        }
    }
}

impl Read for Outlet {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.when(|state| {
            if state.bytes.is_empty() {
                return state.is_ended.then_some(0);
            }
            state.is_busy = true;
            state.bytes.read(buf).ok()
        })
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.0.fail(ErrorKind::BrokenPipe);
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.fail(ErrorKind::ConnectionAborted);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Reads and writes as much as is asked for, as others let it.
    struct Gate(mpsc::Receiver<Vec<u8>>);

    impl Read for Gate {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let Ok(bytes) = self.0.recv() else { return Ok(0) };
            buf[..bytes.len()].copy_from_slice(&bytes);
            Ok(bytes.len())
        }
    }

    struct Collect(mpsc::Sender<Vec<u8>>);

    impl Write for Collect {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(|_| ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn content(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i.wrapping_mul(2_654_435_761) >> 9) as u8).collect()
    }

    #[test]
    fn all_that_is_read_comes_out_and_then_the_end() {
        let content = content(3 * CAPACITY + 17);
        let (mut outlet, _closer) = reading(io::Cursor::new(content.clone()));
        let mut read = Vec::new();
        outlet.read_to_end(&mut read).unwrap();
        assert!(read == content);
    }

    #[test]
    fn a_flush_waits_until_all_is_written() {
        let (tell, told) = mpsc::channel();
        let (mut inlet, _closer) = writing(Collect(tell));
        let content = content(2 * CAPACITY + 5);
        inlet.write_all(&content).unwrap();
        inlet.flush().unwrap();
        assert!(told.try_iter().flatten().eq(content));
    }

    #[test]
    fn who_waits_is_freed_when_the_pipe_is_closed() {
        let (_tell, told) = mpsc::channel();
        let (mut outlet, closer) = reading(Gate(told));
        let waiting = thread::spawn(move || outlet.read(&mut [0; 9]).unwrap_err().kind());
        drop(closer);
        assert_eq!(waiting.join().unwrap(), ErrorKind::ConnectionAborted);
    }

    #[test]
    fn a_reader_that_wants_no_more_is_told_to_the_writer() {
        let (tell, told) = mpsc::channel();
        let (mut inlet, _closer) = writing(Collect(tell));
        drop(told);
        let written = (0..).find_map(|_| inlet.write_all(b"more").err()).unwrap();
        assert_eq!(written.kind(), ErrorKind::BrokenPipe);
    }
}
