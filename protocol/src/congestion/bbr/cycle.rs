//! From one phase to the next.

use core::time::Duration;

use super::{Acked, Bbr, Bound, Contest, Delivered, Gain, Instant, Outcome, Phase};

/// Time that the pipe stays drained to find the round-trip time (`BBR.ProbeRTTDuration`).
const PROBE_RTT_TIME: Duration = Duration::from_millis(200);

/// Rounds from one probe for more to the next, at least, and how many more there may be: some, lest flows that share a link
/// probe together. A rate that doubles is found out within these.
pub(super) const PROBE_ROUNDS: u32 = 6;
const MORE_PROBE_ROUNDS: u32 = 4;

/// How many times longer the next probe waits if the last one met too much loss: a shallow queue is not to be flooded often.
pub(super) const PATIENCE: u32 = 8;

/// Time after which the next probe comes, however few rounds that were: paths may have round trips of a second.
const PROBE_TIME: Duration = Duration::from_secs(3);

/// Rounds of probing that bring nothing after which it ends, though the window kept it from filling the queue.
const VAIN_ROUNDS: u32 = 3;

/// Bytes in flight of a probe at which it ends if nothing more is delivered, as part of what the path holds.
const PROBED: Gain = Gain { of: 5, whole: 4 };

/// Growth of the rate that is worth to go on probing.
const WORTH: Gain = Gain { of: 17, whole: 16 };

/// Rounds of sending no more than arrives, to see whether the path loses packets even so.
pub(super) const TRIAL_ROUNDS: u32 = 2;

/// Rounds after a probe in which the queue is its own.
pub(super) const DRAINED: u32 = 3;

/// Rounds after which what was delivered before is forgotten while the queue is shared.
const CONTEST_CYCLE: u32 = 8;

/// A rate that is little beside what the path was seen to deliver.
const STARVED: Gain = Gain { of: 1, whole: 4 };

/// Time in which others that go on filling the queue whatever is lost are not yielded to.
const TRUCE: Duration = Duration::from_secs(60);

impl Bbr {
    pub(super) fn enter(&mut self, phase: Phase, now: Instant) {
        self.phase = phase;
        self.since = now;
        self.rounds = 0;
        self.losses.restart(now);
    }

    /// Probing is over.
    pub(super) fn go_down(&mut self, now: Instant, dice: u64) {
        self.bandwidth.end_cycle();
        self.probed_at = now;
        self.rounds_since = 0;
        // The upper bits of a product of odd numbers are as good as random here.
        let dice = (now.as_nanos() ^ dice).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        self.rounds_before = PROBE_ROUNDS.saturating_add(dice as u32 % MORE_PROBE_ROUNDS);
        self.enter(Phase::Down, now);
    }

    pub(super) fn go_up(&mut self, now: Instant) {
        self.worth = self.bandwidth.max();
        self.vain = 0;
        self.paid = 0;
        self.enter(Phase::Up, now);
    }

    /// Whether the probe shows more than was known.
    pub(super) fn pays(&self) -> bool {
        self.bandwidth.max() > WORTH.scale(self.worth)
    }

    /// A round is over.
    pub(super) fn end_round(&mut self) {
        self.rounds = self.rounds.saturating_add(1);
        self.rounds_since = self.rounds_since.saturating_add(1);
        self.aggregation.on_round();
        let was_empty = self.queue.end_round();
        if !matches!(self.phase, Phase::ProbeRtt { .. }) {
            self.rivals.end_round(was_empty);
        }
        match self.phase {
            Phase::Startup if !self.app_limited && self.delivered.rate > 0 => {
                self.pipe.on_round(self.bandwidth.max());
                if self.pipe.has_stalled() && !was_empty {
                    self.pipe.fill();
                }
            }
            Phase::Up => {
                if self.pays() {
                    self.worth = self.bandwidth.max();
                    self.vain = 0;
                    self.paid = if was_empty { self.paid.saturating_add(1) } else { 0 };
                } else {
                    self.vain = self.vain.saturating_add(1);
                    self.paid = 0;
                }
                self.bound.raise(self.window, self.paid);
            }
            Phase::Contest => {
                // Whatever others do, a short queue is not to be flooded.
                let is_flooded = self.rivals.are_deaf()
                    && self.delivered.rate < STARVED.scale(self.best)
                    && !self.queue.is_shallow();
                if let Some(contest) = &mut self.contest {
                    contest.end_round(self.rounds, was_empty, is_flooded);
                }
                if self.rounds.is_multiple_of(CONTEST_CYCLE) {
                    self.bandwidth.end_cycle();
                }
            }
            _ => {}
        }
        if self.phase != Phase::Up && self.rounds > 1 {
            self.probed = None;
        }
        let is_own = match self.phase {
            // What is lost while more is sent than arrives may be lost for that.
            Phase::Cruise => {
                self.rounds <= TRIAL_ROUNDS && !self.congested && self.probed.is_none()
            }
            // A short queue that others fill is full at one moment and empty at the next.
            Phase::Contest => was_empty && !self.queue.is_shallow() && !self.congested,
            _ => false,
        };
        match self.phase {
            Phase::Startup => self.losses.end_search(was_empty, !self.pipe.has_stalled()),
            _ => self.losses.end_round(is_own && self.lost_full == 0),
        }
        self.lost_full = 0;
        self.delivered = Delivered::default();
        self.app_limited = false;
        self.congested = false;
    }

    /// Goes on to the next phase, if it is time.
    pub(super) fn proceed(&mut self, acked: &Acked<'_>) {
        let (now, in_flight) = (acked.now, acked.in_flight);
        match self.phase {
            Phase::Startup if self.pipe.is_full() => {
                self.queue.forget_jitter();
                self.enter(Phase::Drain, now);
            }
            Phase::Drain if in_flight <= self.filled(Gain { of: 1, whole: 1 }) => {
                self.go_down(now, acked.largest);
            }
            Phase::Down | Phase::Cruise if self.is_time_to_probe(now) => {
                self.stood =
                    self.queue.stood() && (self.phase == Phase::Cruise || self.rounds >= DRAINED);
                self.enter(Phase::Refill, now);
            }
            Phase::Down => {
                let drained = self.filled(Gain { of: 1, whole: 1 }).min(self.bound.with_headroom());
                if in_flight <= drained || self.rounds >= DRAINED {
                    self.enter(Phase::Cruise, now);
                }
            }
            Phase::Refill if self.rounds > 0 => self.go_up(now),
            Phase::Up => {
                let is_full =
                    self.vain > 0 && in_flight >= self.filled(PROBED) && self.queue.stands();
                if is_full || self.vain >= VAIN_ROUNDS {
                    let losses = self.losses.clone();
                    self.go_down(now, acked.largest);
                    // What the probe sent last is still to be judged.
                    self.losses = losses;
                    self.probed = Some(in_flight);
                }
            }
            Phase::Contest => match self.contest.as_ref().and_then(Contest::outcome) {
                Some(Outcome::Alone) => self.end_contest(now, acked.largest),
                Some(Outcome::Flooded) => {
                    self.truce_until = now + TRUCE;
                    self.end_contest(now, acked.largest);
                }
                None => {}
            },
            Phase::ProbeRtt { until } => self.probe_rtt(acked, until),
            _ => {}
        }
        let is_probing_rtt = matches!(self.phase, Phase::ProbeRtt { .. });
        if self.min_rtt.is_stale(now) && !is_probing_rtt {
            self.min_rtt.begin_probe();
            self.enter(Phase::ProbeRtt { until: None }, now);
        }
    }

    pub(super) fn is_time_to_probe(&self, now: Instant) -> bool {
        self.rounds_since >= self.rounds_before
            || now.saturating_since(self.probed_at) >= PROBE_TIME
    }

    pub(super) fn probe_rtt(&mut self, acked: &Acked<'_>, until: Option<Instant>) {
        let now = acked.now;
        match until {
            None if acked.in_flight <= self.filled(self.phase.window()) => {
                self.rounds = 0;
                self.phase = Phase::ProbeRtt { until: Some(now + PROBE_RTT_TIME) };
            }
            Some(until) if now >= until && self.rounds > 0 => {
                self.min_rtt.end_probe(now);
                let left = self.min_rtt.get().unwrap_or_default();
                let is_empty = !self.queue.shows(left);
                self.rivals.on_drained(self.queue.holds_much(left), now);
                match (&mut self.contest, self.pipe.is_full()) {
                    (Some(contest), _) => {
                        // Where the queue is short it tells too little, and filling it costs little.
                        if is_empty && !self.queue.is_shallow() {
                            contest.begin_audit();
                        }
                        self.enter(Phase::Contest, now);
                    }
                    (None, true) => self.go_down(now, acked.largest),
                    (None, false) => self.enter(Phase::Startup, now),
                }
            }
            _ => {}
        }
    }

    /// Others fill the queue: from here on it is shared.
    pub(super) fn begin_contest(&mut self, now: Instant, in_flight: u64) {
        self.bandwidth.restart(self.delivered.rate);
        self.bound = Bound::default();
        self.contest = Some(Contest::new(self.mtu, in_flight.max(self.minimum()), now));
        self.enter(Phase::Contest, now);
    }

    /// Nobody fills the queue any more.
    pub(super) fn end_contest(&mut self, now: Instant, dice: u64) {
        self.contest = None;
        self.go_down(now, dice);
        // Who has been left little is to find out what there is.
        if self.rate() >= STARVED.scale(self.best) {
            self.rounds_before = self.rounds_before.saturating_mul(PATIENCE);
        }
    }
}
