//! What the path delivers in a second, and whether it could be more.

use crate::congestion::Gain;

/// Growth of the rate that shows that the pipe is not full yet (`BBR.StartupFullBwThresh`).
const GROWTH: Gain = Gain { of: 5, whole: 4 };

/// Rounds without such growth after which it is (`BBR.StartupFullBwCnt`).
const FULL_ROUNDS: u8 = 3;

/// The greatest rate of delivery of this and the last cycle of probing, in bytes a second (`BBR.max_bw`).
#[derive(Clone, Debug, Default)]
pub(super) struct Bandwidth {
    cycle: u64,
    last_cycle: u64,
}

impl Bandwidth {
    /// Takes in a sample. One from when there was too little to send counts only if it is more than was known.
    pub(super) fn on_sample(&mut self, rate: u64, app_limited: bool) {
        if !app_limited || rate >= self.max() {
            self.cycle = self.cycle.max(rate);
        }
    }

    /// A cycle is over: what the one before it showed is forgotten, unless this one showed nothing.
    pub(super) fn end_cycle(&mut self) {
        if self.cycle > 0 {
            self.last_cycle = core::mem::take(&mut self.cycle);
        }
    }

    /// Only what was delivered at `rate` or is from now on counts.
    pub(super) fn restart(&mut self, rate: u64) {
        *self = Self { cycle: rate, last_cycle: 0 };
    }

    /// The greatest rate; zero before the first sample.
    pub(super) fn max(&self) -> u64 {
        self.cycle.max(self.last_cycle)
    }
}

/// Whether the pipe is full: sending more does not bring more.
#[derive(Clone, Debug, Default)]
pub(super) struct Pipe {
    /// The rate that was last seen to grow.
    rate: u64,
    stalled: u8,
    full: bool,
}

impl Pipe {
    /// Takes in the greatest rate after a round in which there was enough to send.
    pub(super) fn on_round(&mut self, rate: u64) {
        if rate >= GROWTH.scale(self.rate) {
            self.rate = rate;
            self.stalled = 0;
        } else {
            self.stalled = self.stalled.saturating_add(1);
            self.full |= self.stalled >= FULL_ROUNDS;
        }
    }

    /// Whether the last round brought no growth.
    pub(super) fn has_stalled(&self) -> bool {
        self.stalled > 0
    }

    /// Other signs say that it is full.
    pub(super) fn fill(&mut self) {
        self.full = true;
    }

    /// Whether it is full.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_two_cycles_counts() {
        let mut bandwidth = Bandwidth::default();
        bandwidth.on_sample(100, false);
        bandwidth.end_cycle();
        bandwidth.on_sample(80, false);
        assert_eq!(bandwidth.max(), 100);
        bandwidth.end_cycle();
        assert_eq!(bandwidth.max(), 80);
        // Without a sample nothing is forgotten.
        bandwidth.end_cycle();
        assert_eq!(bandwidth.max(), 80);
    }

    #[test]
    fn too_little_to_send_shows_nothing_but_more() {
        let mut bandwidth = Bandwidth::default();
        bandwidth.on_sample(100, false);
        bandwidth.end_cycle();
        bandwidth.on_sample(50, true);
        bandwidth.end_cycle();
        assert_eq!(bandwidth.max(), 100);
        bandwidth.on_sample(120, true);
        assert_eq!(bandwidth.max(), 120);
    }

    #[test]
    fn three_rounds_without_growth_fill_the_pipe() {
        let mut pipe = Pipe::default();
        for rate in [100, 200, 400, 490, 499] {
            pipe.on_round(rate);
            assert!(!pipe.is_full());
        }
        pipe.on_round(500);
        assert!(!pipe.is_full() && !pipe.has_stalled());
        (0..3).for_each(|_| pipe.on_round(510));
        assert!(pipe.is_full());
    }
}
