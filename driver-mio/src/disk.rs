//! Threads for what may block on a disk.

use std::{io, marker::PhantomData, sync::Arc};

use gannet_protocol::Status;

/// Called from a disk thread when results wait that nobody was told of.
pub(crate) type Wake = Arc<dyn Fn() + Send + Sync>;

/// How long a job may keep its thread.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Pace {
    /// A read, a write, a look at a name.
    Quick,
    /// A sync of a whole file. One thread at least is always left for the quick.
    Slow,
}

/// A few threads that run jobs in the order of their coming, each job giving a `T`.
///
/// Dropping it forgets the jobs that wait, lets those that run end, and joins the threads.
pub(crate) struct Disk<T>(PhantomData<T>);

impl<T: Send + 'static> Disk<T> {
    /// Starts the threads.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn new(_wake: Wake) -> io::Result<Self> {
        todo!()
    }

    /// Whether [`Self::submit`] will take another job. Only the caller's own submitting ends it.
    pub(crate) fn has_room(&self) -> bool {
        todo!()
    }

    /// Queues a job.
    ///
    /// # Errors
    /// [`Status::Overloaded`] when too many wait; the job is dropped.
    pub(crate) fn submit(
        &mut self,
        _pace: Pace,
        _job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<(), Status> {
        todo!()
    }

    /// A result, if there is one. Call it until there is none after each wake.
    ///
    /// # Panics
    /// If a job did, with its panic.
    pub(crate) fn try_recv(&mut self) -> Option<T> {
        todo!()
    }
}
