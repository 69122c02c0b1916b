//! When it is told how far the jobs are.

use std::time::Duration;

use gannet_protocol::Instant;

/// How often it is told how far each job is: finer than anybody looks, and no matter with a thousand of them.
const METER_EVERY: Duration = Duration::from_millis(20);

/// When it is told how far the jobs are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Metering {
    /// The next time, and whether there may be something new to tell then.
    next: Instant,
    is_stale: bool,
}

impl Metering {
    /// Whether to tell it in this turn.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = now >= self.next;
        if is_due {
            self.next = now + METER_EVERY;
        }
        self.is_stale = !is_due;
        is_due
    }

    /// When another turn is needed for it.
    pub(super) fn timeout(&self) -> Option<Instant> {
        self.is_stale.then_some(self.next)
    }
}
