//! The round-trip time of the path without a queue, and when to look for it again.

use core::time::Duration;

use crate::Instant;

/// Time without a sample of about the minimum after which the queue is drained to find it (`BBR.ProbeRTTInterval`).
const PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// A sample that is larger by less than this part confirms the minimum: a path with some jitter need not be drained for it.
const CONFIRMS: u32 = 16;

/// The smallest round-trip time.
#[derive(Clone, Debug, Default)]
pub(super) struct MinRtt {
    value: Option<Duration>,
    /// When it was last confirmed.
    at: Instant,
    /// The smallest sample while it is looked for.
    candidate: Option<Duration>,
}

impl MinRtt {
    /// Takes in a sample.
    pub(super) fn on_sample(&mut self, sample: Duration, now: Instant) {
        if let Some(candidate) = &mut self.candidate {
            *candidate = sample.min(*candidate);
        }
        let value = self.value.map_or(sample, |value| value.min(sample));
        self.value = Some(value);
        if sample <= value.saturating_add(value / CONFIRMS) {
            self.at = now;
        }
    }

    /// The minimum, if there is one.
    pub(super) fn get(&self) -> Option<Duration> {
        self.value
    }

    /// Whether it is so old that the path may have become longer.
    pub(super) fn is_stale(&self, now: Instant) -> bool {
        self.value.is_some() && now.saturating_since(self.at) > PROBE_INTERVAL
    }

    /// The queue is being drained: what is measured from here on counts, even if it is more.
    pub(super) fn begin_probe(&mut self) {
        self.candidate = Some(Duration::MAX);
    }

    /// The queue was drained.
    pub(super) fn end_probe(&mut self, now: Instant) {
        let candidate = self.candidate.take().filter(|candidate| *candidate < Duration::MAX);
        self.value = candidate.or(self.value);
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn about_the_minimum_confirms_it() {
        let mut rtt = MinRtt::default();
        assert!(!rtt.is_stale(at(100_000)));
        rtt.on_sample(ms(50), at(0));
        rtt.on_sample(ms(53), at(4_000));
        assert!(!rtt.is_stale(at(8_000)));
        rtt.on_sample(ms(54), at(8_900));
        assert!(rtt.is_stale(at(9_001)));
        assert_eq!(rtt.get(), Some(ms(50)));
    }

    #[test]
    fn a_longer_path_is_found_out() {
        let mut rtt = MinRtt::default();
        rtt.on_sample(ms(50), at(0));
        rtt.on_sample(ms(80), at(5_001));
        assert!(rtt.is_stale(at(5_001)));
        rtt.begin_probe();
        rtt.on_sample(ms(90), at(5_100));
        rtt.on_sample(ms(85), at(5_200));
        assert_eq!(rtt.get(), Some(ms(50)));
        rtt.end_probe(at(5_300));
        assert_eq!(rtt.get(), Some(ms(85)));
        assert!(!rtt.is_stale(at(10_000)));
    }
}
