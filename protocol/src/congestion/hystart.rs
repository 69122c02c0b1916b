//! `HyStart++` (RFC 9406): leaves slow start when the round-trip time grows, before packets are lost.

use core::time::Duration;

/// Least growth of the round-trip time that counts (`MIN_RTT_THRESH`).
const MIN_THRESHOLD: Duration = Duration::from_millis(4);

/// Growth of the round-trip time that always counts (`MAX_RTT_THRESH`).
const MAX_THRESHOLD: Duration = Duration::from_millis(16);

/// The growth that counts in between, as a part of the round-trip time (`MIN_RTT_DIVISOR`).
const THRESHOLD_DIVISOR: u32 = 8;

/// Samples that a round needs to be judged (`N_RTT_SAMPLE`).
const SAMPLES: u32 = 8;

/// Rounds of conservative slow start (`CSS_ROUNDS`).
const CONSERVATIVE_ROUNDS: u32 = 5;

/// How the window may grow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Growth {
    /// As in slow start.
    Full,
    /// Slower, by [`Growth::CONSERVATIVE_DIVISOR`]: the path may be full.
    Conservative,
    /// The path is full: slow start is over.
    Over,
}

impl Growth {
    /// How much slower conservative slow start grows (`CSS_GROWTH_DIVISOR`).
    pub(super) const CONSERVATIVE_DIVISOR: u64 = 4;
}

/// Conservative slow start: looks whether the round-trip time grew for good.
#[derive(Clone, Debug)]
struct Conservative {
    /// The round-trip time at its start; slow start goes on if it falls below.
    baseline: Duration,
    rounds: u32,
}

/// Watches the round-trip times of slow start.
#[derive(Clone, Debug, Default)]
pub(super) struct HyStart {
    /// The smallest round-trip time of the last round, if there was one.
    last_min: Option<Duration>,
    /// The smallest round-trip time of this round so far.
    current_min: Option<Duration>,
    samples: u32,
    conservative: Option<Conservative>,
}

impl HyStart {
    /// Takes in a sample of the round-trip time; `round_began` says that it opens a new round.
    pub(super) fn on_sample(&mut self, rtt: Duration, round_began: bool) -> Growth {
        if round_began {
            self.last_min = self.current_min.take();
            self.samples = 0;
            if let Some(conservative) = &mut self.conservative {
                conservative.rounds += 1;
                if conservative.rounds >= CONSERVATIVE_ROUNDS {
                    return Growth::Over;
                }
            }
        }
        let current = self.current_min.map_or(rtt, |min| min.min(rtt));
        self.current_min = Some(current);
        self.samples = self.samples.saturating_add(1);
        if self.samples >= SAMPLES {
            self.judge(current);
        }
        if self.conservative.is_some() { Growth::Conservative } else { Growth::Full }
    }

    /// Enters or leaves conservative slow start by this round's smallest round-trip time.
    fn judge(&mut self, current: Duration) {
        match (&self.conservative, self.last_min) {
            (Some(Conservative { baseline, .. }), _) => {
                if current < *baseline {
                    self.conservative = None;
                }
            }
            (None, Some(last)) => {
                let threshold = (last / THRESHOLD_DIVISOR).clamp(MIN_THRESHOLD, MAX_THRESHOLD);
                if current >= last.saturating_add(threshold) {
                    self.conservative = Some(Conservative { baseline: current, rounds: 0 });
                }
            }
            (None, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A round of `samples` equal samples; the last answer.
    fn round(hystart: &mut HyStart, rtt: Duration, samples: u32) -> Growth {
        (0..samples).map(|n| hystart.on_sample(rtt, n == 0)).last().unwrap()
    }

    #[test]
    fn a_steady_round_trip_time_keeps_slow_start() {
        let mut hystart = HyStart::default();
        assert!((0..20).all(|_| round(&mut hystart, ms(50), 10) == Growth::Full));
    }

    #[test]
    fn growth_for_five_rounds_ends_slow_start() {
        let mut hystart = HyStart::default();
        assert_eq!(round(&mut hystart, ms(50), 10), Growth::Full);
        assert_eq!(round(&mut hystart, ms(57), 7), Growth::Full);
        assert_eq!(hystart.on_sample(ms(57), false), Growth::Conservative);
        for _ in 0..4 {
            assert_eq!(round(&mut hystart, ms(60), 10), Growth::Conservative);
        }
        assert_eq!(hystart.on_sample(ms(60), true), Growth::Over);
    }

    #[test]
    fn jitter_is_forgiven() {
        let mut hystart = HyStart::default();
        round(&mut hystart, ms(50), 10);
        assert_eq!(round(&mut hystart, ms(60), 10), Growth::Conservative);
        assert_eq!(round(&mut hystart, ms(51), 10), Growth::Full);
    }

    #[test]
    fn growth_below_the_threshold_does_not_count() {
        let mut hystart = HyStart::default();
        round(&mut hystart, ms(8), 10);
        assert_eq!(round(&mut hystart, ms(11), 10), Growth::Full);
        assert_eq!(round(&mut hystart, ms(15), 10), Growth::Conservative);
    }

    proptest! {
        /// One sample a round that is as short as the path allows keeps slow start going.
        #[test]
        fn a_round_is_judged_by_its_smallest_sample(
            base in 1..500u64,
            rounds in prop::collection::vec(prop::collection::vec(0..1000u64, 0..30), 1..20),
        ) {
            let mut hystart = HyStart::default();
            for jitters in rounds {
                prop_assert_eq!(hystart.on_sample(ms(base), true), Growth::Full);
                for jitter in jitters {
                    let growth = hystart.on_sample(ms(base + jitter), false);
                    prop_assert_eq!(growth, Growth::Full);
                }
            }
        }
    }
}
