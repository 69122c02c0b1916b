//! What may block on a disk, and who does it.

#[cfg(feature = "simulation")]
mod stepped;
mod threads;

use std::io;

use gannet_protocol::Status;

#[cfg(feature = "simulation")]
pub(crate) use stepped::Stepped;
pub(crate) use threads::{Threads, Wake};

/// Enough to keep a disk's queue filled and both cores of a small machine hashing.
const THREADS: usize = 4;

/// Most jobs that wait. Transfers keep theirs back when it is reached, so it bounds how many requests can be on
/// their way to a disk that hangs: some MiB of them.
const MAX_WAITING: usize = 8192;

/// How long a job may keep its thread.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Pace {
    /// A read, a write, a look at a name.
    Quick,
    /// A sync of a whole file. One thread at least is always left for the quick.
    Slow,
}

/// Who does what may block on a disk, each job giving a `T`.
#[derive(Debug)]
pub(crate) enum Disk<T> {
    /// Threads.
    Threads(Threads<T>),
    /// Whoever moves its clock.
    #[cfg(feature = "simulation")]
    Stepped(Stepped<T>),
}

impl<T: Send + 'static> Disk<T> {
    /// Threads that do not run so far: until [`Self::start`], jobs wait.
    pub(crate) fn new(wake: Wake) -> Self {
        Self::Threads(Threads::new(wake))
    }

    /// Starts the threads, unless they run.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(&mut self) -> io::Result<()> {
        match self {
            Self::Threads(threads) => threads.start(),
            #[cfg(feature = "simulation")]
            Self::Stepped(_) => Ok(()),
        }
    }

    /// Whether [`Self::submit`] will take another job. Only the caller's own submitting ends it.
    pub(crate) fn has_room(&self) -> bool {
        match self {
            Self::Threads(threads) => threads.has_room(),
            #[cfg(feature = "simulation")]
            Self::Stepped(stepped) => stepped.has_room(),
        }
    }

    /// Queues a job.
    ///
    /// # Errors
    /// [`Status::Overloaded`] when too many wait; the job is dropped.
    pub(crate) fn submit(
        &mut self,
        pace: Pace,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<(), Status> {
        match self {
            Self::Threads(threads) => threads.submit(pace, job),
            #[cfg(feature = "simulation")]
            Self::Stepped(stepped) => stepped.submit(pace, Box::new(job)),
        }
    }

    /// A result, if there is one. Call it until there is none after each wake.
    ///
    /// # Panics
    /// If a job did, with its panic.
    pub(crate) fn try_recv(&mut self) -> Option<T> {
        match self {
            Self::Threads(threads) => threads.try_recv(),
            #[cfg(feature = "simulation")]
            Self::Stepped(stepped) => stepped.try_recv(),
        }
    }
}
