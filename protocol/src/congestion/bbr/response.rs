//! What loss and congestion change.

use super::{
    Bbr, Instant, Phase,
    cycle::{DRAINED, PATIENCE},
};

/// Rounds after a probe in which the queue that it left behind is gone, whatever was wrong with what it found.
const SETTLED: u32 = 5;

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
            Phase::Down | Phase::Cruise => self.rounds_since < DRAINED && !self.stood,
            _ => false,
        };
        let is_full = self.queue.is_full() || self.is_sharing_little();
        if !is_mine && is_full && self.losses.exceed_own() {
            return true;
        }
        let is_probing = matches!(self.phase, Phase::Startup | Phase::Refill | Phase::Up);
        // While no more is sent than the path carries, it takes a queue to lose more than it always does: one that is full, or,
        // where something drops packets before it is, one that stands although the last probe's is long gone.
        let is_standing = self.rounds_since >= SETTLED && self.queue.stood() && self.queue.stands();
        let is_likely = is_probing || is_full || is_standing || !self.queue.is_visible();
        is_likely && self.losses.are_excessive()
    }

    /// Routers marked packets with `in_flight` bytes on the path. Chance marks none: whatever is tried ends with that, and
    /// what goes on while nothing is tried yields (RFC 9002, section 7.1).
    pub(super) fn on_marks(&mut self, now: Instant, in_flight: u64) {
        match self.phase {
            Phase::Startup => self.end_startup(),
            Phase::Refill | Phase::Up if !self.stood => {
                self.go_down(now, in_flight);
                self.on_vain_probe(in_flight);
            }
            Phase::Down | Phase::Cruise if !self.stood && self.probed.is_some() => {
                self.probed = None;
                self.on_vain_probe(in_flight);
            }
            Phase::Down | Phase::Cruise if self.congested => {}
            Phase::Refill | Phase::Up | Phase::Down | Phase::Cruise => {
                self.begin_contest(now, in_flight);
            }
            Phase::Contest | Phase::Drain | Phase::ProbeRtt { .. } => {}
        }
        self.congested = true;
    }

    /// The rate is found, and what was delivered last is what the path bears.
    fn end_startup(&mut self) {
        self.pipe.fill();
        let held = self.held(self.rate()).unwrap_or_default();
        self.bound.met_limit(self.delivered.in_flight.max(held), held);
    }

    /// Whether others fill a queue with us that is so short that it is full at one moment and empty at the next.
    fn is_sharing_little(&self) -> bool {
        self.phase == Phase::Contest && self.queue.is_shallow() && self.queue.stands()
    }

    /// There is congestion; `in_flight` bytes were on the path when it was met.
    pub(super) fn on_congestion(&mut self, now: Instant, in_flight: u64) {
        match self.phase {
            Phase::Startup => {
                // Without a queue that is seen, as much must be lost as doubling the rate beyond the path's does.
                let is_flooded = self.losses.are_a_flood(!self.queue.stands());
                let has_stalled = self.pipe.has_stalled() && self.queue.stands();
                if is_flooded || has_stalled {
                    self.end_startup();
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
