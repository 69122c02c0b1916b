//! A command that runs.

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::Duration,
};

use crate::transfer;

use super::{
    Failure,
    command::{Command, Line},
};

/// A command that runs on its connection. Dropping it cancels it.
#[derive(Debug)]
pub struct Job<T> {
    number: Number,
    result: Receiver<Result<T, Failure>>,
    meter: Arc<Meter>,
    line: Line,
    /// Whether the result was given out.
    over: bool,
}

/// A job, numbered by its client; never used twice.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Number(pub(super) u64);

/// Where the result goes. Dropped without one, it tells that the connection is over.
#[derive(Debug)]
pub(super) struct Report<T> {
    result: Sender<Result<T, Failure>>,
    // Rung after the result was told, or will never be.
    _bell: RungAtTheEnd,
}

impl<T> Report<T> {
    pub(super) fn new(result: Sender<Result<T, Failure>>, bell: Bell) -> Self {
        Self { result, _bell: RungAtTheEnd(bell) }
    }

    /// Tells the result. Whoever asked may not listen any more.
    pub(super) fn tell(&self, result: Result<T, Failure>) {
        let _ = self.result.send(result);
    }
}

/// Tells whoever waits for any job of a client that one is over.
#[derive(Clone, Debug, Default)]
pub(super) struct Bell(Arc<Rung>);

#[derive(Debug, Default)]
struct Rung {
    is_rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    /// Waits until it is rung, or was since the last wait, or the time is up.
    pub(super) fn wait(&self, timeout: Duration) {
        let is_rung = self.0.is_rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.changed.wait_timeout_while(is_rung, timeout, |is_rung| !*is_rung);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }

    fn ring(&self) {
        *self.0.is_rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.changed.notify_all();
    }
}

/// Rings when it is dropped.
#[derive(Debug)]
struct RungAtTheEnd(Bell);

impl Drop for RungAtTheEnd {
    fn drop(&mut self) {
        self.0.ring();
    }
}

impl<T> Job<T> {
    /// Makes a job, and what its worker needs to tell how it goes.
    pub(super) fn new(number: Number, line: Line, bell: Bell) -> (Self, Report<T>, Arc<Meter>) {
        let (tell, result) = channel();
        let report = Report::new(tell, bell);
        let meter = Arc::new(Meter::default());
        let job = Self { number, result, meter: Arc::clone(&meter), line, over: false };
        (job, report, meter)
    }

    /// Waits until it is over.
    ///
    /// # Errors
    /// [`Failure`]
    pub fn wait(mut self) -> Result<T, Failure> {
        self.over = true;
        self.result.recv().unwrap_or_else(|_| Err(Failure::Lost(self.line.lost())))
    }

    /// Waits until it is over or the time is; `None` when the time is. After `Some`, it gives `None` for ever.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Option<Result<T, Failure>> {
        if self.over {
            return None;
        }
        let result = match self.result.recv_timeout(timeout) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => return None,
            Err(RecvTimeoutError::Disconnected) => Err(Failure::Lost(self.line.lost())),
        };
        self.over = true;
        Some(result)
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.meter.read()
    }

    /// Gives it up; [`Failure::Cancelled`] follows unless it was over.
    pub fn cancel(&self) {
        self.line.send(Command::Cancel(self.number));
    }
}

impl<T> Drop for Job<T> {
    fn drop(&mut self) {
        if !self.over {
            self.cancel();
        }
    }
}

/// How far a transfer is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Progress {
    /// Bytes that are at the other side: received by us, or acknowledged by it. What was there before, and holes, count too.
    pub done: u64,
    /// Bytes of the whole, once known.
    pub total: Option<u64>,
    /// Bytes that travelled, each counted once.
    pub travelled: u64,
    /// Once all bytes are there: who makes them durable.
    pub syncing: Option<Syncing>,
}

/// Who makes the bytes of a file durable that are all there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Syncing {
    /// This side, and for so many bytes that is not known to be done.
    Here(u64),
    /// The server, if it does. It does not tell how much is left.
    AtServer,
}

/// A progress that one thread writes and others read.
#[derive(Debug)]
pub(super) struct Meter {
    done: AtomicU64,
    total: AtomicU64,
    travelled: AtomicU64,
    /// Bytes that this side has yet to sync, or one of the figures below.
    syncing: AtomicU64,
}

/// Stands for a total that is not known, or for nobody who syncs. No file is as large.
const UNKNOWN: u64 = u64::MAX;
/// Stands for the server that syncs.
const AT_SERVER: u64 = u64::MAX - 1;

impl Default for Meter {
    fn default() -> Self {
        Self {
            done: AtomicU64::new(0),
            total: AtomicU64::new(UNKNOWN),
            travelled: AtomicU64::new(0),
            syncing: AtomicU64::new(UNKNOWN),
        }
    }
}

impl Meter {
    /// Notes how far it is; `is_put`: the file is to be stored at the server.
    pub(super) fn set(&self, progress: transfer::Progress, is_put: bool) {
        let transfer::Progress { done, travelled, unsynced } = progress;
        self.done.store(done, Ordering::Relaxed);
        self.travelled.store(travelled, Ordering::Relaxed);
        let is_there = is_put && self.total() == Some(done);
        let syncing = unsynced.unwrap_or(if is_there { AT_SERVER } else { UNKNOWN });
        self.syncing.store(syncing, Ordering::Relaxed);
    }

    pub(super) fn set_total(&self, bytes: u64) {
        self.total.store(bytes, Ordering::Relaxed);
    }

    /// Bytes of the whole, once known.
    pub(super) fn total(&self) -> Option<u64> {
        self.read().total
    }

    fn read(&self) -> Progress {
        let total = self.total.load(Ordering::Relaxed);
        let done = self.done.load(Ordering::Relaxed);
        let travelled = self.travelled.load(Ordering::Relaxed);
        let syncing = match self.syncing.load(Ordering::Relaxed) {
            UNKNOWN => None,
            AT_SERVER => Some(Syncing::AtServer),
            left => Some(Syncing::Here(left)),
        };
        Progress { done, total: (total != UNKNOWN).then_some(total), travelled, syncing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It would wait for an hour otherwise.
    #[test]
    fn a_bell_rings_when_a_job_is_over_however_that_ends() {
        let hour = Duration::from_secs(3600);
        let bell = Bell::default();
        let report = || Report::<()>::new(channel().0, bell.clone());
        drop(report());
        bell.wait(hour);
        let (first, second) = (report(), report());
        std::thread::scope(|scope| {
            scope.spawn(|| bell.wait(hour));
            first.tell(Ok(()));
            drop(first);
        });
        second.tell(Err(Failure::Cancelled));
        drop(second);
        bell.wait(hour);
        // What was heard is over.
        bell.wait(Duration::from_millis(1));
    }

    #[test]
    fn who_syncs_is_told_once_all_is_there() {
        let meter = Meter::default();
        assert_eq!(meter.read(), Progress::default());
        let of = |done, unsynced| transfer::Progress { done, travelled: done / 2, unsynced };
        meter.set(of(9, None), true);
        assert_eq!(meter.read(), Progress { done: 9, travelled: 4, ..Progress::default() });
        meter.set_total(10);
        for (done, unsynced, is_put, syncing) in [
            (9, None, true, None),
            (10, None, true, Some(Syncing::AtServer)),
            (10, None, false, None),
            (10, Some(7), false, Some(Syncing::Here(7))),
            (10, Some(0), false, Some(Syncing::Here(0))),
        ] {
            meter.set(of(done, unsynced), is_put);
            let expected = Progress { done, total: Some(10), travelled: done / 2, syncing };
            assert_eq!(meter.read(), expected);
        }
    }
}
