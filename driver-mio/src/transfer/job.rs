//! What a disk's thread does for a transfer.

use crate::disk::Pace;

/// A piece of work that may block on the disk.
#[derive(Debug)]
#[must_use = "a transfer waits for it"]
pub(crate) struct Job {}

/// What came of a [`Job`].
#[derive(Debug)]
#[must_use = "a transfer waits for it"]
pub(crate) struct Done {}

impl Job {
    /// How long it may take.
    pub(crate) fn pace(&self) -> Pace {
        todo!()
    }

    /// Does it.
    pub(crate) fn run(self) -> Done {
        todo!()
    }
}
