//! What loss and congestion change.

use super::{
    Bbr, Instant, Phase,
    cycle::{DRAINED, PATIENCE},
};

impl Bbr {
    /// A probe that had `in_flight` bytes on the path lost too much.
    pub(super) fn on_vain_probe(&mut self, in_flight: u64) {
        let held = self.held(self.rate()).unwrap_or_default();
        self.bound.met_limit(in_flight, held.min(self.window));
        self.rounds_before = self.rounds_before.saturating_mul(PATIENCE);
    }

    /// Whether what was lost so far shows congestion.
    pub(super) fn is_congestion(&self) -> bool {
        // The queue that a probe left behind is no sign of others.
        let is_mine = match self.phase {
            Phase::Cruise => self.rounds < 1 && !self.stood,
            Phase::Down => self.rounds < DRAINED && !self.stood,
            _ => false,
        };
        if !is_mine && self.queue.is_full() && self.losses.exceed_own() {
            return true;
        }
        let is_probing = matches!(self.phase, Phase::Startup | Phase::Refill | Phase::Up);
        // While no more is sent than the path carries, it takes a queue to lose more than it always does.
        let is_likely = is_probing || self.queue.stands() || !self.queue.is_visible();
        is_likely && self.losses.are_excessive()
    }

    /// There is congestion; `in_flight` bytes were on the path when it was met.
    pub(super) fn on_congestion(&mut self, now: Instant, in_flight: u64) {
        match self.phase {
            Phase::Startup => {
                // Without a queue that is seen, as much must be lost as doubling the rate beyond the path's does.
                let is_sure = self.queue.stands() || self.losses.are_most();
                if self.pipe.has_stalled() && is_sure {
                    self.pipe.fill();
                    let held = self.held(self.rate()).unwrap_or_default();
                    self.bound.met_limit(self.delivered.in_flight.max(held), held);
                }
            }
            // As long as the path delivers more and more, it is not the limit.
            Phase::Up if self.pays() => return,
            // Others who do not yield are not yielded to; a probe ends all the same.
            Phase::Refill | Phase::Up if now < self.truce_until => self.go_down(now, in_flight),
            Phase::Down | Phase::Cruise if now < self.truce_until => {}
            Phase::Refill | Phase::Up if self.stood => self.begin_contest(now, in_flight),
            Phase::Refill | Phase::Up => {
                self.go_down(now, in_flight);
                self.on_vain_probe(in_flight);
            }
            Phase::Down | Phase::Cruise if self.probed.is_some() && self.stood => {
                self.begin_contest(now, in_flight);
            }
            Phase::Down | Phase::Cruise if let Some(probed) = self.probed.take() => {
                self.on_vain_probe(probed);
                self.losses.restart(now);
            }
            Phase::Down | Phase::Cruise if !self.congested => {
                self.begin_contest(now, in_flight);
            }
            Phase::Contest
            | Phase::Drain
            | Phase::Down
            | Phase::Cruise
            | Phase::ProbeRtt { .. } => {}
        }
        self.congested = true;
    }
}
