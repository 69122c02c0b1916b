//! The clock of a loop.

use std::time;

use gannet_protocol::Instant;

/// Counts from its start.
#[derive(Debug)]
pub(super) struct Clock(time::Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(time::Instant::now())
    }

    pub(super) fn now(&self) -> Instant {
        Instant::ZERO + self.0.elapsed()
    }
}
