//! A command that runs.

use std::{marker::PhantomData, time::Duration};

use super::Failure;

/// A command that runs on its connection. Dropping it cancels it.
#[derive(Debug)]
pub struct Job<T>(PhantomData<T>);

impl<T> Job<T> {
    /// Waits until it is over.
    ///
    /// # Errors
    /// [`Failure`]
    pub fn wait(self) -> Result<T, Failure> {
        todo!()
    }

    /// Waits until it is over or the time is; `None` when the time is. After `Some`, it gives `None` for ever.
    pub fn wait_timeout(&mut self, _timeout: Duration) -> Option<Result<T, Failure>> {
        todo!()
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        todo!()
    }

    /// Gives it up; [`Failure::Cancelled`] follows unless it was over.
    pub fn cancel(&self) {
        todo!()
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
