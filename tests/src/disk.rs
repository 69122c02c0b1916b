//! How fast a host writes, and what goes wrong.

use std::{collections::VecDeque, time::Duration};

use gannet_protocol::{Instant, Ticket};

/// What a host's disk is like. The default is perfect.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiskConfig {
    /// Bytes a second that are written; `None` is at once.
    pub write_rate: Option<u64>,
    /// Time from the end of a write until it is told.
    pub latency: Duration,
    /// Writes of a body that reach this far fail with [`gannet_protocol::Status::Full`].
    pub fails_at: Option<u64>,
}

/// Writes that are under way.
#[derive(Debug)]
pub struct Disk {
    config: DiskConfig,
    /// In order of time.
    queue: VecDeque<(Instant, Ticket)>,
    /// When all that was given is written.
    free: Instant,
    queued: u64,
    peak: u64,
}

impl Disk {
    /// An idle disk.
    #[must_use]
    pub const fn new(config: DiskConfig) -> Self {
        Self { config, queue: VecDeque::new(), free: Instant::ZERO, queued: 0, peak: 0 }
    }

    /// What it is like from now on.
    pub const fn set_config(&mut self, config: DiskConfig) {
        self.config = config;
    }

    /// Whether a write that ends at `end` of its body fails.
    #[must_use]
    pub fn refuses(&self, end: u64) -> bool {
        self.config.fails_at.is_some_and(|limit| end > limit)
    }

    /// Begins a write.
    pub fn write(&mut self, now: Instant, ticket: Ticket) {
        let len = ticket.len();
        let nanos = match self.config.write_rate {
            Some(rate) => u128::from(len) * 1_000_000_000 / u128::from(rate.max(1)),
            None => 0,
        };
        let took = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.free = self.free.max(now) + took;
        self.queued += len;
        self.peak = self.peak.max(self.queued);
        self.queue.push_back((self.free + self.config.latency, ticket));
    }

    /// When the next write is done.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.queue.front().map(|(due, _)| *due)
    }

    /// The next writes that are done by `now`: those of one body in a row, told by one ticket.
    pub fn take_done(&mut self, now: Instant) -> Option<Ticket> {
        let (_, mut all) = self.queue.pop_front_if(|(due, _)| *due <= now)?;
        while let Some((due, next)) = self.queue.pop_front_if(|(due, _)| *due <= now) {
            if let Err(other) = all.merge(next) {
                self.queue.push_front((due, other));
                break;
            }
        }
        self.queued -= all.len();
        Some(all)
    }

    /// Bytes that are not written yet.
    #[must_use]
    pub const fn queued(&self) -> u64 {
        self.queued
    }

    /// The most bytes that were ever waiting: what a host has to hold for it.
    #[must_use]
    pub const fn peak(&self) -> u64 {
        self.peak
    }
}
