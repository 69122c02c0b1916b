//! The bottleneck: a drop-tail queue, and a wire that sends one packet after another at a rate.

use super::config::{LinkConfig, Queue};
use gannet_protocol::Instant;
use std::{collections::VecDeque, time::Duration};

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// Sends what it is given at a rate that is exact over any time: no rounding adds up.
#[derive(Debug)]
pub(super) struct Wire {
    /// The rate at `free`, in bits per second.
    rate: Option<u64>,
    /// Rates to come, in order of time.
    changes: VecDeque<(Instant, u64)>,
    most_bytes: u64,
    most_packets: usize,
    /// When all that was given is sent, rounded down.
    free: Instant,
    /// What was cut off `free`, in units of a nanosecond divided by the rate.
    fraction: u128,
    /// When each packet that waits begins to be sent, and its bytes.
    waiting: VecDeque<(Instant, u64)>,
    waiting_bytes: u64,
}

/// The queue had no room.
#[derive(Debug)]
pub(super) struct Full;

impl Wire {
    pub(super) fn new(config: &LinkConfig) -> Self {
        let mut changes: Vec<_> =
            config.rate_changes.iter().map(|(at, rate)| (Instant::ZERO + *at, *rate)).collect();
        changes.sort_by_key(|(at, _)| *at);
        let highest = changes.iter().map(|(_, rate)| *rate).chain(config.rate).max();
        let (most_bytes, most_packets) = match config.queue {
            Queue::RoundTrip => (
                Queue::round_trip_bytes(highest.unwrap_or(0), config.delay.saturating_mul(2)),
                usize::MAX,
            ),
            Queue::Bytes(bytes) => (bytes, usize::MAX),
            Queue::Packets(packets) => (u64::MAX, packets),
        };
        Self {
            rate: config.rate,
            changes: changes.into(),
            most_bytes,
            most_packets,
            free: Instant::ZERO,
            fraction: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
        }
    }

    /// Queues `len` bytes at `now`: when their last bit will be sent.
    pub(super) fn send(&mut self, now: Instant, len: u64) -> Result<Instant, Full> {
        self.forget_started(now);
        if self.free > now {
            if !self.has_room(len) {
                return Err(Full);
            }
            self.waiting.push_back((self.free, len));
            self.waiting_bytes += len;
        } else if self.free < now {
            self.free = now;
            self.fraction = 0;
        }
        self.work_off(u128::from(len) * 8 * NANOS_PER_SECOND);
        Ok(self.free)
    }

    /// What waits, in bytes.
    pub(super) const fn waiting_bytes(&self) -> u64 {
        self.waiting_bytes
    }

    fn has_room(&self, len: u64) -> bool {
        self.waiting.len() < self.most_packets
            && self.waiting_bytes.saturating_add(len) <= self.most_bytes
    }

    fn forget_started(&mut self, now: Instant) {
        while let Some((_, len)) = self.waiting.pop_front_if(|(starts, _)| *starts <= now) {
            self.waiting_bytes -= len;
        }
    }

    /// Moves `free` on by the time that `work` takes, in bits times nanoseconds per second, at
    /// the rates of that time.
    fn work_off(&mut self, mut work: u128) {
        while let Some((at, next)) = self.changes.front().copied() {
            let until = at.saturating_since(self.free).as_nanos();
            let possible = match self.rate {
                _ if until == 0 => 0,
                Some(rate) => (until * u128::from(rate)).saturating_sub(self.fraction),
                None => return,
            };
            if until > 0 && possible >= work {
                break;
            }
            work -= possible;
            self.free = self.free.max(at);
            (self.rate, self.fraction) = (Some(next), 0);
            self.changes.pop_front();
        }
        let Some(rate) = self.rate.map(u128::from) else { return };
        let total = work + self.fraction;
        // A wire that stands still forever is free at the end of time.
        self.free = self.free + nanos(total.checked_div(rate).unwrap_or(u128::MAX));
        self.fraction = total.checked_rem(rate).unwrap_or(0);
    }
}

fn nanos(count: u128) -> Duration {
    Duration::from_nanos(u64::try_from(count).unwrap_or(u64::MAX))
}
