//! How much is sent, and how fast.

use super::{
    Bbr, Gain, INITIAL_WINDOW_PACKETS, MAXIMUM_WINDOW, Phase, Rtt, cycle::TRIAL_ROUNDS, pacer,
    rate_of,
};

/// What is sent of the rate that is found, so that queues empty (`BBR.PacingMarginPercent`).
const MARGIN: Gain = Gain { of: 99, whole: 100 };

/// Rate of sending while nothing is tried though a queue stands.
const DRAINING: Gain = Gain { of: 95, whole: 100 };

/// The same, at most, of what arrives.
const EMPTYING: Gain = Gain { of: 98, whole: 100 };

/// Rates of sending while a probe goes on to pay and the queue stays empty: the path has become much faster.
const PAID_ONCE: Gain = Gain { of: 150, whole: 100 };
const PAID_TWICE: Gain = Gain { of: 2, whole: 1 };

/// Batches on their way beyond what the path holds: what is put together at once is acknowledged at once.
const BATCHES: u64 = 3;

impl Bbr {
    /// Bytes that `rate` has on the path in the least round-trip time; none before one is known.
    pub(super) fn held(&self, rate: u64) -> Option<u64> {
        let rtt = self.min_rtt.get().filter(|_| rate > 0)?;
        let bytes = u128::from(rate) * rtt.as_nanos() / 1_000_000_000;
        Some(u64::try_from(bytes).unwrap_or(u64::MAX).min(MAXIMUM_WINDOW))
    }

    /// Bytes in flight that fill the path to `gain`, and what is put together at once.
    pub(super) fn filled(&self, gain: Gain) -> u64 {
        let Some(held) = self.held(self.rate()) else {
            return self.mtu.saturating_mul(INITIAL_WINDOW_PACKETS);
        };
        let batches = pacer::burst(self.pacing, self.mtu).saturating_mul(BATCHES);
        // At first the rate is not known that the product is of.
        let batches = if self.pipe.is_full() { batches.min(held / 4) } else { batches };
        gain.scale(held).saturating_add(batches).max(self.minimum())
    }

    pub(super) fn set_pacing(&mut self, rtt: &Rtt) {
        if let (Phase::Contest, Some(contest)) = (self.phase, &self.contest) {
            self.pacing = contest.pacing_rate(rtt);
            return;
        }
        // A queue is to empty even if it was a mistake what the path loses of its own, and that is to be found out.
        let (bare, whole) = (self.rate(), self.losses.sending_for(self.rate()));
        let rate = match self.phase {
            Phase::Drain | Phase::Down => bare,
            Phase::Cruise if self.queue.stood() => DRAINING.scale(whole).min(EMPTYING.scale(bare)),
            Phase::Cruise if self.rounds < TRIAL_ROUNDS => bare,
            _ => whole,
        };
        let gain = match self.phase {
            Phase::Up if self.paid == 1 => PAID_ONCE,
            Phase::Up if self.paid > 1 => PAID_TWICE,
            phase => phase.pacing(),
        };
        let pacing = MARGIN.scale(gain.scale(rate));
        if self.pipe.is_full() {
            self.pacing = pacing.min(self.bounded()).max(1);
            return;
        }
        // Who has had little to send so far has seen no rate worth keeping to.
        let initial = self.mtu.saturating_mul(INITIAL_WINDOW_PACKETS);
        let first =
            self.min_rtt.get().map_or(0, |rtt| rate_of(self.phase.pacing().scale(initial), rtt));
        self.pacing = self.pacing.max(pacing).max(first);
    }

    /// The rate that spreads what may be in flight while nothing is tried over a round trip. Were it sent faster than that, it
    /// would come in bunches, which a short queue does not hold.
    fn bounded(&self) -> u64 {
        let bound = self.bound.with_headroom();
        match (self.phase, self.min_rtt.get()) {
            (Phase::Cruise, Some(rtt)) if bound < u64::MAX => rate_of(bound, rtt),
            _ => u64::MAX,
        }
    }

    pub(super) fn set_window(&mut self, acked: u64) {
        let target = self.filled(self.phase.window());
        let grown = self.window.saturating_add(acked);
        if self.pipe.is_full() {
            self.window = grown.min(target.saturating_add(self.aggregation.extra()));
        } else if self.window < target {
            self.window = grown;
        }
        let bounded = match (self.phase, &self.contest) {
            (Phase::Contest, Some(contest)) => {
                contest.window(self.filled(Gain { of: 1, whole: 1 }))
            }
            (Phase::ProbeRtt { .. }, _) => self.window.min(target),
            (Phase::Cruise, _) => self.window.min(self.bound.with_headroom()),
            _ => self.window.min(self.bound.get()),
        };
        self.window = bounded.clamp(self.minimum(), MAXIMUM_WINDOW);
    }
}
