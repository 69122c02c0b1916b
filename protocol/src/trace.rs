//! What a connection tells of its packets, for who wants to watch it.

use alloc::{boxed::Box, collections::VecDeque};
use core::time::Duration;

use crate::Instant;

/// Events that wait to be taken. Some turns of a fast connection make a few thousand; who takes none for long misses some.
const MAX_WAITING: usize = 1 << 16;
/// Ranges of an ACK frame that are told, the newest first: a viewer learns nothing from more.
const MAX_TOLD_RANGES: usize = 64;

/// Something that happened to a connection ([`crate::Session::poll_trace`]).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Traced {
    /// When.
    pub at: Instant,
    /// What.
    pub what: TraceEvent,
}

/// What happened. Nothing of it is secret: no content, no key, no id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TraceEvent {
    /// A packet was sent.
    Sent {
        /// Its number.
        number: u64,
        /// Bytes of its datagram.
        size: u16,
        /// Whether it asks for an acknowledgement, and so is in flight.
        eliciting: bool,
        /// Body bytes in it: of which exchange, from which offset on, how many.
        chunk: Option<(u64, u64, u16)>,
    },
    /// The next packet that is received acknowledges these numbers, the last one included.
    AckRange {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// A packet was received and obeyed.
    Received {
        /// Its number.
        number: u64,
        /// Bytes of its datagram.
        size: u16,
    },
    /// A packet was acknowledged, maybe after it was taken for lost.
    Acked {
        /// Its number.
        number: u64,
    },
    /// A packet was taken for lost.
    Lost {
        /// Its number.
        number: u64,
    },
    /// What is known of the path now.
    Metrics(Metrics),
    /// Congestion control looks for the rate of the path, or has found it.
    Searching(bool),
    /// Events are missing here: so many were not taken in time.
    Missed(u64),
}

/// What is known of a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// The smallest round-trip time of the last minutes.
    pub min_rtt: Duration,
    /// The smoothed one.
    pub rtt: Duration,
    /// The last one.
    pub latest_rtt: Duration,
    /// Congestion window in bytes.
    pub window: u64,
    /// Bytes in flight.
    pub in_flight: u64,
    /// The rate at which packets are paced, in bytes a second.
    pub pacing: u64,
}

/// The events of a connection. Where nobody watches there is none of it, and each place that would tell something looks at that
/// alone.
#[derive(Debug, Default)]
pub(crate) struct Tracer(Option<Box<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Traced>,
    missed: u64,
    /// The last that was told of these.
    metrics: Option<Metrics>,
    searching: Option<bool>,
}

impl Tracer {
    /// One that keeps events if somebody watches.
    pub(crate) fn new(is_watched: bool) -> Self {
        Self(is_watched.then(Box::default))
    }

    pub(crate) const fn is_watched(&self) -> bool {
        self.0.is_some()
    }

    /// Takes an event in.
    #[inline]
    pub(crate) fn note(&mut self, at: Instant, what: TraceEvent) {
        if let Some(waiting) = &mut self.0 {
            waiting.push(at, what);
        }
    }

    /// Takes in what an ACK frame acknowledges, the newest ranges first.
    pub(crate) fn note_ack(
        &mut self,
        at: Instant,
        ranges: impl Iterator<Item = core::ops::RangeInclusive<u64>>,
    ) {
        let Some(waiting) = &mut self.0 else { return };
        for range in ranges.take(MAX_TOLD_RANGES) {
            waiting.push(at, TraceEvent::AckRange { from: *range.start(), to: *range.end() });
        }
    }

    /// Takes in what is known of the path, as far as that is news.
    pub(crate) fn note_path(&mut self, at: Instant, metrics: Metrics, searching: bool) {
        let Some(waiting) = &mut self.0 else { return };
        if waiting.metrics.replace(metrics) != Some(metrics) {
            waiting.push(at, TraceEvent::Metrics(metrics));
        }
        if waiting.searching.replace(searching) != Some(searching) {
            waiting.push(at, TraceEvent::Searching(searching));
        }
    }

    /// The next event.
    pub(crate) fn poll(&mut self) -> Option<Traced> {
        self.0.as_mut()?.events.pop_front()
    }
}

impl Waiting {
    // Most connections are not watched, and should not pay for those that are.
    #[cold]
    #[inline(never)]
    fn push(&mut self, at: Instant, what: TraceEvent) {
        // The last place is for what is missing.
        if self.events.len() + 1 >= MAX_WAITING {
            self.missed = self.missed.saturating_add(1);
            return;
        }
        if self.missed > 0 {
            let what = TraceEvent::Missed(core::mem::take(&mut self.missed));
            self.events.push_back(Traced { at, what });
        }
        self.events.push_back(Traced { at, what });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(number: u64) -> TraceEvent {
        TraceEvent::Lost { number }
    }

    #[test]
    fn nothing_is_kept_where_nobody_watches() {
        let mut tracer = Tracer::default();
        tracer.note(Instant::ZERO, lost(1));
        tracer.note_ack(Instant::ZERO, [1..=2].into_iter());
        assert_eq!(tracer.poll(), None);
    }

    #[test]
    fn what_is_not_taken_in_time_is_counted_and_told() {
        let mut tracer = Tracer::new(true);
        let most = MAX_WAITING as u64 - 1;
        (0..most + 5).for_each(|number| tracer.note(Instant::ZERO, lost(number)));
        for number in 0..most {
            assert_eq!(tracer.poll().map(|traced| traced.what), Some(lost(number)));
        }
        assert_eq!(tracer.poll(), None);
        tracer.note(Instant::ZERO, lost(7));
        let rest: alloc::vec::Vec<_> =
            core::iter::from_fn(|| tracer.poll()).map(|traced| traced.what).collect();
        assert_eq!(rest, [TraceEvent::Missed(5), lost(7)]);
    }

    #[test]
    fn an_ack_of_many_ranges_is_told_in_part() {
        let mut tracer = Tracer::new(true);
        tracer.note_ack(Instant::ZERO, (0..1000).map(|n| 2 * n..=2 * n));
        assert_eq!(core::iter::from_fn(|| tracer.poll()).count(), MAX_TOLD_RANGES);
    }
}
