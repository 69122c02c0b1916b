//! When word that nothing listens at the server's port is believed.

use std::time::Duration;

use gannet_protocol::Instant;

/// A connection is not given up for fewer refusals: they are not authenticated, and anyone may forge them.
const LEAST: u32 = 3;
/// Nor for refusals over less time: a server's host may be busy with something that passes.
const SPAN: Duration = Duration::from_secs(3);

/// A series of refusals without one valid packet between.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    first: Option<Instant>,
    count: u32,
    /// Valid packets that had arrived when the series began.
    heard: u64,
}

impl Refusals {
    /// Takes note of refusals after `heard` valid packets in all; true if the connection is to be given up.
    pub(super) fn add(&mut self, now: Instant, count: u32, heard: u64) -> bool {
        if self.heard != heard {
            *self = Self { heard, ..Self::default() };
        }
        self.first.get_or_insert(now);
        self.count = self.count.saturating_add(count);
        self.count >= LEAST && self.lasted(now) >= SPAN
    }

    /// For how long they have gone on.
    pub(super) fn lasted(&self, now: Instant) -> Duration {
        self.first.map_or(Duration::ZERO, |first| now.saturating_since(first))
    }

    /// Whether there were any.
    pub(super) fn any(&self) -> bool {
        self.count > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn three_over_three_seconds_are_believed() {
        let mut refusals = Refusals::default();
        assert!(!refusals.add(at(100), 1, 7));
        assert!(!refusals.add(at(1000), 5, 7), "many, but too soon");
        assert!(!refusals.add(at(3000), 1, 7));
        assert!(refusals.add(at(3100), 1, 7));
    }

    #[test]
    fn two_are_not_enough_however_far_apart() {
        let mut refusals = Refusals::default();
        assert!(!refusals.add(at(0), 1, 7) && !refusals.add(at(60_000), 1, 7));
    }

    #[test]
    fn a_valid_packet_between_begins_the_series_anew() {
        let mut refusals = Refusals::default();
        assert!(!refusals.add(at(0), 2, 7));
        assert!(!refusals.add(at(3500), 2, 8));
        assert!(!refusals.add(at(6000), 2, 8));
        assert!(refusals.add(at(6500), 2, 8));
    }
}
