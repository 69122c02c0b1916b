//! A command that runs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::Duration,
};

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
pub(super) type Report<T> = Sender<Result<T, Failure>>;

impl<T> Job<T> {
    /// Makes a job, and what its worker needs to tell how it goes.
    pub(super) fn new(number: Number, line: Line) -> (Self, Report<T>, Arc<Meter>) {
        let (report, result) = channel();
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
    /// Bytes that are at the other side: received by us, or acknowledged by it.
    pub done: u64,
    /// Bytes of the whole, once known.
    pub total: Option<u64>,
}

/// A progress that one thread writes and others read.
#[derive(Debug)]
pub(super) struct Meter {
    done: AtomicU64,
    total: AtomicU64,
}

/// Stands for a total that is not known. No file is as large.
const UNKNOWN: u64 = u64::MAX;

impl Default for Meter {
    fn default() -> Self {
        Self { done: AtomicU64::new(0), total: AtomicU64::new(UNKNOWN) }
    }
}

impl Meter {
    pub(super) fn set_done(&self, bytes: u64) {
        self.done.store(bytes, Ordering::Relaxed);
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
        Progress { done, total: (total != UNKNOWN).then_some(total) }
    }
}
