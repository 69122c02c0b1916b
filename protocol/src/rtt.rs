//! Round-trip time estimation (RFC 9002 section 5).

use core::time::Duration;

use crate::Instant;

/// Smallest believed sample: nothing answers faster, and no rate is divided by zero.
const MIN_SAMPLE: Duration = Duration::from_micros(1);

/// Largest believed sample: a peer or a clock that claims more must not stop the timers for hours.
const MAX_SAMPLE: Duration = Duration::from_secs(60);

/// How long a minimum is believed. A path that became longer is found out after this; the minutes
/// are long enough that a standing queue has drained in between.
const MIN_RTT_WINDOW: Duration = Duration::from_secs(300);

/// Timer granularity (kGranularity of RFC 9002 section 6.1.2).
const GRANULARITY: Duration = Duration::from_millis(1);

/// What the samples of a path tell about its round-trip time.
#[derive(Clone, Debug)]
pub(crate) struct Rtt {
    smoothed: Duration,
    var: Duration,
    latest: Duration,
    adjusted: Duration,
    /// The smallest recent sample, and when it came; none before the first sample.
    min: Option<(Duration, Instant)>,
    has_sample: bool,
}

impl Rtt {
    /// An estimate without samples, which takes `initial` for the round-trip time.
    pub(crate) fn new(initial: Duration) -> Self {
        let initial = initial.clamp(MIN_SAMPLE, MAX_SAMPLE);
        Self {
            smoothed: initial,
            var: initial / 2,
            latest: initial,
            adjusted: initial,
            min: None,
            has_sample: false,
        }
    }

    /// Takes in that a packet sent `sample` ago was acknowledged at `now`, and that the peer says to
    /// have held the acknowledgement back for `ack_delay`; the caller limits that to the peer's
    /// maximum (RFC 9002 section 5.3).
    pub(crate) fn update(&mut self, sample: Duration, ack_delay: Duration, now: Instant) {
        let sample = sample.clamp(MIN_SAMPLE, MAX_SAMPLE);
        self.latest = sample;
        let min = match self.min {
            Some((min, at)) if min < sample && now.saturating_since(at) <= MIN_RTT_WINDOW => min,
            _ => {
                self.min = Some((sample, now));
                sample
            }
        };
        // A delay that would take the sample below the minimum is not believed.
        let held = sample.saturating_sub(ack_delay);
        self.adjusted = if held >= min { held } else { sample };
        if self.has_sample {
            let deviation = self.smoothed.abs_diff(self.adjusted);
            self.var = (self.var * 3 + deviation) / 4;
            self.smoothed = (self.smoothed * 7 + self.adjusted) / 8;
        } else {
            self.has_sample = true;
            self.smoothed = sample;
            self.var = sample / 2;
        }
    }

    /// Forgets the minimum, so that the next sample sets it: after persistent congestion the path
    /// may be another one (RFC 9002 section 5.2).
    pub(crate) fn forget_min(&mut self) {
        self.min = None;
    }

    /// The exponentially weighted moving average; the initial value before the first sample.
    pub(crate) const fn smoothed(&self) -> Duration {
        self.smoothed
    }

    /// Mean deviation of the samples from the average.
    #[cfg(test)]
    pub(crate) const fn var(&self) -> Duration {
        self.var
    }

    /// The smallest sample of the last minutes; the average while there is none.
    pub(crate) fn min(&self) -> Duration {
        self.min.map_or(self.smoothed, |(min, _)| min)
    }

    /// The last sample, with the peer's delay in it.
    pub(crate) const fn latest(&self) -> Duration {
        self.latest
    }

    /// The last sample without the delay the peer owned up to.
    pub(crate) const fn adjusted(&self) -> Duration {
        self.adjusted
    }

    /// Whether there was a sample.
    pub(crate) const fn has_sample(&self) -> bool {
        self.has_sample
    }

    /// The probe timeout, before any backoff (RFC 9002 section 6.2.1).
    pub(crate) fn pto(&self, max_ack_delay: Duration) -> Duration {
        let margin = (self.var * 4).max(GRANULARITY);
        self.smoothed.saturating_add(margin).saturating_add(max_ack_delay)
    }

    /// Age at which a packet older than an acknowledged one is lost: 9/8 of a round trip
    /// (RFC 9002 section 6.1.2).
    pub(crate) fn loss_delay(&self) -> Duration {
        let rtt = self.smoothed.max(self.latest);
        (rtt + rtt / 8).max(GRANULARITY)
    }

    /// The same on a path that proved to be `late` at times: a bit longer than that, up to 3/2 of a round trip.
    pub(crate) fn loss_delay_after(&self, late: Duration) -> Duration {
        let rtt = self.smoothed.max(self.latest);
        self.loss_delay().max((late + late / 8).min(rtt + rtt / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const INITIAL: Duration = Duration::from_millis(333);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn before_the_first_sample_the_initial_value_counts() {
        let rtt = Rtt::new(INITIAL);
        assert!(!rtt.has_sample());
        assert_eq!((rtt.smoothed(), rtt.min(), rtt.latest()), (INITIAL, INITIAL, INITIAL));
        assert_eq!(rtt.var(), INITIAL / 2);
        assert_eq!(rtt.pto(ms(25)), INITIAL * 3 + ms(25));
    }

    #[test]
    fn follows_the_formulas_of_the_rfc() {
        let mut rtt = Rtt::new(INITIAL);
        rtt.update(ms(100), ms(90), at(0));
        assert_eq!((rtt.smoothed(), rtt.var(), rtt.min()), (ms(100), ms(50), ms(100)));
        rtt.update(ms(180), ms(40), at(200));
        assert_eq!((rtt.latest(), rtt.adjusted()), (ms(180), ms(140)));
        assert_eq!(rtt.smoothed(), ms(105));
        assert_eq!(rtt.var(), Duration::from_micros(47_500));
        assert_eq!(rtt.loss_delay(), Duration::from_micros(202_500));
        assert_eq!(rtt.pto(ms(0)), ms(295));
    }

    #[test]
    fn a_delay_below_the_minimum_is_not_believed() {
        let mut rtt = Rtt::new(INITIAL);
        rtt.update(ms(100), ms(0), at(0));
        rtt.update(ms(110), ms(11), at(1));
        assert_eq!(rtt.adjusted(), ms(110));
        rtt.update(ms(110), ms(10), at(2));
        assert_eq!(rtt.adjusted(), ms(100));
    }

    #[test]
    fn the_minimum_expires_and_can_be_forgotten() {
        let mut rtt = Rtt::new(INITIAL);
        rtt.update(ms(10), ms(0), at(0));
        rtt.update(ms(50), ms(0), at(300_000));
        assert_eq!(rtt.min(), ms(10));
        rtt.update(ms(50), ms(0), at(300_001));
        assert_eq!(rtt.min(), ms(50));
        rtt.forget_min();
        assert_eq!(rtt.min(), rtt.smoothed());
        rtt.update(ms(70), ms(0), at(300_002));
        assert_eq!(rtt.min(), ms(70));
    }

    #[test]
    fn a_steady_path_is_learned() {
        let mut rtt = Rtt::new(INITIAL);
        rtt.update(Duration::from_secs(2), ms(0), at(0));
        (1..100).for_each(|n| rtt.update(ms(40), ms(0), at(n)));
        assert!(rtt.smoothed() < ms(41) && rtt.var() < ms(1), "{rtt:?}");
    }

    fn any_duration() -> impl Strategy<Value = Duration> {
        prop_oneof![
            3 => (0..200_000_000u64).prop_map(Duration::from_nanos),
            1 => any::<u64>().prop_map(Duration::from_nanos),
            1 => Just(Duration::MAX),
        ]
    }

    proptest! {
        #[test]
        fn stays_within_the_samples(
            samples in prop::collection::vec((any_duration(), any_duration()), 1..50),
            max_ack_delay in any_duration(),
        ) {
            let mut rtt = Rtt::new(INITIAL);
            let mut seen = Vec::new();
            for (sample, ack_delay) in samples {
                rtt.update(sample, ack_delay, at(seen.len() as u64));
                seen.push(sample.clamp(MIN_SAMPLE, MAX_SAMPLE));
                let least = seen.iter().min().copied().unwrap();
                let most = seen.iter().max().copied().unwrap();
                prop_assert!(rtt.has_sample());
                prop_assert_eq!(rtt.min(), least);
                prop_assert!(least <= rtt.adjusted() && rtt.adjusted() <= rtt.latest());
                // Integer division may lose a nanosecond.
                prop_assert!(least <= rtt.smoothed() + Duration::from_nanos(1));
                prop_assert!(rtt.smoothed() <= most && rtt.var() <= most);
                prop_assert!(rtt.pto(max_ack_delay) > rtt.smoothed());
                prop_assert!(rtt.loss_delay() > rtt.latest());
            }
        }
    }
}
