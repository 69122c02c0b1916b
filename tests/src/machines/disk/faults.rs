//! What goes wrong with a disk, and when.

use std::{collections::BTreeMap, io};

use gannet_driver_mio::simulation::Operation;
use rustix::io::Errno;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The disk is broken there: `EIO`.
    Io,
    /// It is full, or its quota is: `ENOSPC`. Calls that need no room go well.
    Full,
    /// The process ends before it.
    Kill,
    /// The power fails before it.
    Power,
}

/// What goes wrong, by the numbers of the calls, from 1 on.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    planned: BTreeMap<u64, Fault>,
    /// Of so many reads and writes, one is shorter than was asked for; 0 for none.
    pub(super) short: u64,
}

impl Faults {
    /// Has a call fail.
    pub fn plan(&mut self, call: u64, fault: Fault) {
        self.planned.insert(call, fault);
    }

    /// Has one in so many reads and writes be shorter than was asked for.
    pub const fn shorten_one_in(&mut self, cases: u64) {
        self.short = cases;
    }

    /// Has nothing fail any more.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn take(&mut self, call: u64) -> Option<Fault> {
        self.planned.remove(&call)
    }
}

/// Whether a call can fail because the disk is full.
pub(super) const fn needs_room(operation: &Operation<'_>) -> bool {
    matches!(
        operation,
        Operation::Create { .. }
            | Operation::Write { .. }
            | Operation::SetLen { .. }
            | Operation::Reserve { .. }
            | Operation::Punch { .. }
            | Operation::SyncFile { .. }
            | Operation::Rename { .. }
    )
}

/// The error of a call that fails so; none if it does not.
pub(super) fn error_of(fault: Fault, operation: &Operation<'_>) -> Option<io::Error> {
    let errno = match fault {
        Fault::Full if needs_room(operation) => Errno::NOSPC,
        Fault::Full => return None,
        Fault::Io | Fault::Kill | Fault::Power => Errno::IO,
    };
    Some(errno.into())
}
