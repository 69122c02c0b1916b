//! Acknowledgements that come in bunches: how much more than the rate lets expect.

use crate::Instant;

/// Rounds after which the greatest bunch is forgotten, once or twice over.
const ROUNDS: u8 = 8;

/// How many bytes beyond what the rate lets expect were acknowledged at once lately (`BBR.extra_acked`).
#[derive(Clone, Debug, Default)]
pub(super) struct Aggregation {
    /// When the bunch began, and the bytes acknowledged since.
    since: Instant,
    acked: u64,
    extra: [u64; 2],
    rounds: u8,
}

impl Aggregation {
    /// Takes in that `bytes` were acknowledged where `rate` bytes a second are expected, of `window` at most.
    pub(super) fn on_acked(&mut self, now: Instant, bytes: u64, rate: u64, window: u64) {
        let nanos = now.saturating_since(self.since).as_nanos();
        let expected = u128::from(rate) * nanos / 1_000_000_000;
        let mut expected = u64::try_from(expected).unwrap_or(u64::MAX);
        if self.acked <= expected {
            self.since = now;
            self.acked = 0;
            expected = 0;
        }
        self.acked = self.acked.saturating_add(bytes);
        let extra = self.acked.saturating_sub(expected).min(window);
        let [newest, _] = &mut self.extra;
        *newest = extra.max(*newest);
    }

    /// A round began.
    pub(super) fn on_round(&mut self) {
        self.rounds = self.rounds.saturating_add(1);
        if self.rounds >= ROUNDS {
            self.rounds = 0;
            self.extra = [0, self.extra[0]];
        }
    }

    /// The greatest bunch, in bytes.
    pub(super) fn extra(&self) -> u64 {
        let [newest, older] = self.extra;
        newest.max(older)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bunches_are_remembered_for_a_while() {
        let mut aggregation = Aggregation::default();
        let at = |ms: u64| Instant::from_nanos(ms * 1_000_000);
        let rate = 1_000_000;
        // 10 kB every 10 ms are what is expected: a bunch holds no more than one such.
        for n in 1..10 {
            aggregation.on_acked(at(n * 10), 10_000, rate, u64::MAX);
        }
        assert_eq!(aggregation.extra(), 10_000);
        // Nothing for 40 ms, then all at once.
        aggregation.on_acked(at(130), 40_000, rate, u64::MAX);
        assert_eq!(aggregation.extra(), 40_000);
        (0..2 * ROUNDS).for_each(|_| aggregation.on_round());
        assert_eq!(aggregation.extra(), 0);
    }
}
