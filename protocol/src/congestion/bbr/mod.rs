//! A model of the path, of the rate that it delivers and of its round-trip time without a queue: BBR, version 3
//! (draft-ietf-ccwg-bbr).
//!
//! It differs from the draft where that serves transfers over links that lose packets anyway, and those they share a link with:
//! - Loss counts only as far as it exceeds what the path loses while its queue is empty ([`losses`]), or comes while the queue is
//!   as good as full ([`queue`]); what is lost anyway is sent in addition.
//! - It looks for more every few rounds, stops as soon as that fills the queue by a quarter without delivering more, and goes
//!   faster as long as it pays.
//! - Where others fill the queue, it keeps to the law that they keep to ([`contest`]).

mod aggregation;
mod bandwidth;
mod bound;
mod contest;
mod losses;
mod min_rtt;
mod phase;
mod queue;

use core::time::Duration;

use super::{
    Acked, Controller, Gain, INITIAL_WINDOW_PACKETS, Lost, MAXIMUM_WINDOW, Marked, Sent,
    rate as rate_of, round::Round,
};
use crate::{Instant, delivery::RateSample, pacer, rtt::Rtt};
use aggregation::Aggregation;
use bandwidth::{Bandwidth, Pipe};
use bound::{Bound, Delivered};
use contest::{Contest, Outcome};
use losses::Losses;
use min_rtt::MinRtt;
use phase::Phase;
use queue::Queue;

/// Smallest window, in packets (`BBR.MinPipeCwnd`).
const MINIMUM_WINDOW_PACKETS: u64 = 4;

/// What is sent of the rate that is found, so that queues empty (`BBR.PacingMarginPercent`).
const MARGIN: Gain = Gain { of: 99, whole: 100 };

/// Time that the pipe stays drained to find the round-trip time (`BBR.ProbeRTTDuration`).
const PROBE_RTT_TIME: Duration = Duration::from_millis(200);

/// Rounds from one probe for more to the next, at least, and how many more there may be: some, lest flows that share a link
/// probe together. A rate that doubles is found out within these.
const PROBE_ROUNDS: u32 = 6;
const MORE_PROBE_ROUNDS: u32 = 4;

/// How many times longer the next probe waits if the last one met too much loss: a shallow queue is not to be flooded often.
const PATIENCE: u32 = 8;

/// Time after which the next probe comes, however few rounds that were: paths may have round trips of a second.
const PROBE_TIME: Duration = Duration::from_secs(3);

/// Rounds of probing that bring nothing after which it ends, though the window kept it from filling the queue.
const VAIN_ROUNDS: u32 = 3;

/// Bytes in flight of a probe at which it ends if nothing more is delivered, as part of what the path holds.
const PROBED: Gain = Gain { of: 5, whole: 4 };

/// Growth of the rate that is worth to go on probing.
const WORTH: Gain = Gain { of: 17, whole: 16 };

/// Rate of sending while nothing is tried though a queue stands.
const DRAINING: Gain = Gain { of: 95, whole: 100 };

/// Rounds after a probe in which the queue is its own.
const DRAINED: u32 = 3;

/// Rates of sending while a probe goes on to pay and the queue stays empty: the path has become much faster.
const PAID_ONCE: Gain = Gain { of: 150, whole: 100 };
const PAID_TWICE: Gain = Gain { of: 2, whole: 1 };

/// Rounds after which what was delivered before is forgotten while the queue is shared.
const CONTEST_CYCLE: u32 = 8;

/// A rate that is little beside what the path was seen to deliver.
const STARVED: Gain = Gain { of: 1, whole: 4 };

/// Time in which others that go on filling the queue whatever is lost are not yielded to.
const TRUCE: Duration = Duration::from_secs(20);

/// What the greatest rate is taken for after that was needed.
const LESS: Gain = Gain { of: 7, whole: 8 };

/// Batches on their way beyond what the path holds: what is put together at once is acknowledged at once.
const BATCHES: u64 = 3;

/// A model of the path.
#[derive(Clone, Debug)]
pub(crate) struct Bbr {
    mtu: u64,
    window: u64,
    /// The rate of sending; zero before it is known.
    pacing: u64,
    round: Round,
    phase: Phase,
    /// When the phase began, and the rounds that began in it.
    since: Instant,
    rounds: u32,
    /// When the last probe for more ended, the rounds since, and those before the next.
    probed_at: Instant,
    rounds_since: u32,
    rounds_before: u32,
    /// The greatest rate when probing last paid, and the rounds since.
    worth: u64,
    vain: u32,
    paid: u32,
    /// Bytes in flight at the end of a probe, until it is known what became of them.
    probed: Option<u64>,
    bandwidth: Bandwidth,
    pipe: Pipe,
    bound: Bound,
    min_rtt: MinRtt,
    losses: Losses,
    aggregation: Aggregation,
    queue: Queue,
    /// A queue stood before the last probe.
    stood: bool,
    /// What is kept to while others fill the queue.
    contest: Option<Contest>,
    /// The greatest rate ever, and until when others are not yielded to, since they do not yield.
    best: u64,
    truce_until: Instant,
    /// Of this round: the greatest delivery, whether there was too little to send, whether congestion was met, and whether
    /// anything was lost while the queue was full.
    delivered: Delivered,
    app_limited: bool,
    congested: bool,
    lost_full: bool,
}

impl Bbr {
    /// The state of a new path of packets up to `mtu` bytes.
    pub(crate) fn new(mtu: u64) -> Self {
        let mtu = mtu.max(1);
        Self {
            mtu,
            window: mtu.saturating_mul(INITIAL_WINDOW_PACKETS),
            pacing: 0,
            round: Round::default(),
            phase: Phase::Startup,
            since: Instant::ZERO,
            rounds: 0,
            probed_at: Instant::ZERO,
            rounds_since: 0,
            rounds_before: PROBE_ROUNDS,
            worth: 0,
            vain: 0,
            paid: 0,
            probed: None,
            bandwidth: Bandwidth::default(),
            pipe: Pipe::default(),
            bound: Bound::default(),
            min_rtt: MinRtt::default(),
            losses: Losses::default(),
            aggregation: Aggregation::default(),
            queue: Queue::default(),
            stood: false,
            contest: None,
            best: 0,
            truce_until: Instant::ZERO,
            delivered: Delivered::default(),
            app_limited: false,
            congested: false,
            lost_full: false,
        }
    }

    const fn minimum(&self) -> u64 {
        self.mtu.saturating_mul(MINIMUM_WINDOW_PACKETS)
    }

    fn packets(&self, bytes: u64) -> u64 {
        bytes.div_ceil(self.mtu)
    }

    /// The rate that the path delivers, as far as is known, in bytes a second.
    fn rate(&self) -> u64 {
        self.bandwidth.max()
    }

    /// Bytes that `rate` has on the path in the least round-trip time; none before one is known.
    fn held(&self, rate: u64) -> Option<u64> {
        let rtt = self.min_rtt.get().filter(|_| rate > 0)?;
        let bytes = u128::from(rate) * rtt.as_nanos() / 1_000_000_000;
        Some(u64::try_from(bytes).unwrap_or(u64::MAX).min(MAXIMUM_WINDOW))
    }

    /// Bytes in flight that fill the path to `gain`, and what is put together at once.
    fn filled(&self, gain: Gain) -> u64 {
        let Some(held) = self.held(self.rate()) else {
            return self.mtu.saturating_mul(INITIAL_WINDOW_PACKETS);
        };
        let batches = pacer::burst(self.pacing, self.mtu).saturating_mul(BATCHES);
        // At first the rate is not known that the product is of.
        let batches = if self.pipe.is_full() { batches.min(held / 4) } else { batches };
        gain.scale(held).saturating_add(batches).max(self.minimum())
    }

    fn enter(&mut self, phase: Phase, now: Instant) {
        self.phase = phase;
        self.since = now;
        self.rounds = 0;
        self.losses.restart(now);
    }

    /// Probing is over.
    fn go_down(&mut self, now: Instant, dice: u64) {
        self.bandwidth.end_cycle();
        self.probed_at = now;
        self.rounds_since = 0;
        // The upper bits of a product of odd numbers are as good as random here.
        let dice = (now.as_nanos() ^ dice).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        self.rounds_before = PROBE_ROUNDS.saturating_add(dice as u32 % MORE_PROBE_ROUNDS);
        self.enter(Phase::Down, now);
    }

    fn go_up(&mut self, now: Instant) {
        self.worth = self.bandwidth.max();
        self.vain = 0;
        self.paid = 0;
        self.enter(Phase::Up, now);
    }

    /// Whether the probe shows more than was known.
    fn pays(&self) -> bool {
        self.bandwidth.max() > WORTH.scale(self.worth)
    }

    fn measure(&mut self, sample: RateSample) {
        let rate = rate_of(sample.delivered, sample.interval);
        self.bandwidth.on_sample(rate, sample.app_limited);
        self.best = self.best.max(self.bandwidth.max());
        self.app_limited |= sample.app_limited;
        self.delivered.rate = self.delivered.rate.max(rate);
        self.delivered.in_flight = self.delivered.in_flight.max(sample.delivered);
    }

    /// Others fill the queue: from here on it is shared.
    fn begin_contest(&mut self, now: Instant, in_flight: u64) {
        self.bandwidth.restart(self.delivered.rate);
        self.bound = Bound::default();
        self.contest = Some(Contest::new(self.mtu, in_flight.max(self.minimum()), now));
        self.enter(Phase::Contest, now);
    }

    /// Nobody fills the queue any more.
    fn end_contest(&mut self, now: Instant, dice: u64) {
        self.contest = None;
        self.go_down(now, dice);
        self.rounds_before = self.rounds_before.saturating_mul(PATIENCE);
    }

    /// A round is over.
    fn end_round(&mut self) {
        self.rounds = self.rounds.saturating_add(1);
        self.rounds_since = self.rounds_since.saturating_add(1);
        self.aggregation.on_round();
        let was_empty = self.queue.end_round();
        match self.phase {
            Phase::Startup if !self.app_limited && self.delivered.rate > 0 => {
                self.pipe.on_round(self.bandwidth.max());
                if self.pipe.has_stalled() && !was_empty {
                    self.pipe.fill();
                }
            }
            Phase::Up => {
                self.bound.raise(self.window);
                if self.pays() {
                    self.worth = self.bandwidth.max();
                    self.vain = 0;
                    self.paid = if was_empty { self.paid.saturating_add(1) } else { 0 };
                } else {
                    self.vain = self.vain.saturating_add(1);
                }
            }
            Phase::Contest => {
                // Whatever others do, a short queue is not to be flooded.
                let is_starved =
                    self.delivered.rate < STARVED.scale(self.best) && !self.queue.is_shallow();
                if let Some(contest) = &mut self.contest {
                    contest.end_round(self.rounds, was_empty, is_starved);
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
        // While the rate still grows, loss is no sign of a limit.
        let is_own = match self.phase {
            Phase::Startup => !self.pipe.has_stalled(),
            Phase::Up | Phase::ProbeRtt { .. } => false,
            _ => !self.congested && self.probed.is_none(),
        };
        self.losses.end_round(was_empty && is_own && !self.lost_full);
        self.lost_full = false;
        self.delivered = Delivered::default();
        self.app_limited = false;
        self.congested = false;
    }

    /// Goes on to the next phase, if it is time.
    fn proceed(&mut self, acked: &Acked<'_>) {
        let (now, in_flight) = (acked.now, acked.in_flight);
        match self.phase {
            Phase::Startup if self.pipe.is_full() => self.enter(Phase::Drain, now),
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
                if in_flight <= drained {
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
                    // Were it the path that has become slower, this would find out.
                    self.best = LESS.scale(self.best);
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

    fn is_time_to_probe(&self, now: Instant) -> bool {
        self.rounds_since >= self.rounds_before
            || now.saturating_since(self.probed_at) >= PROBE_TIME
    }

    fn probe_rtt(&mut self, acked: &Acked<'_>, until: Option<Instant>) {
        let now = acked.now;
        match until {
            None if acked.in_flight <= self.filled(self.phase.window()) => {
                self.rounds = 0;
                self.phase = Phase::ProbeRtt { until: Some(now + PROBE_RTT_TIME) };
            }
            Some(until) if now >= until && self.rounds > 0 => {
                self.min_rtt.end_probe(now);
                let is_empty = self.min_rtt.get().is_none_or(|rtt| !self.queue.shows(rtt));
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

    fn set_pacing(&mut self, rtt: &Rtt) {
        if let (Phase::Contest, Some(contest)) = (self.phase, &self.contest) {
            self.pacing = contest.pacing_rate(rtt);
            return;
        }
        let rate = self.losses.sending_for(self.rate());
        let gain = match self.phase {
            Phase::Cruise if self.queue.stood() => DRAINING,
            Phase::Up if self.paid == 1 => PAID_ONCE,
            Phase::Up if self.paid > 1 => PAID_TWICE,
            phase => phase.pacing(),
        };
        let pacing = MARGIN.scale(gain.scale(rate));
        if self.pipe.is_full() {
            self.pacing = pacing.max(1);
            return;
        }
        // Who has had little to send so far has seen no rate worth keeping to.
        let initial = self.mtu.saturating_mul(INITIAL_WINDOW_PACKETS);
        let first =
            self.min_rtt.get().map_or(0, |rtt| rate_of(self.phase.pacing().scale(initial), rtt));
        self.pacing = self.pacing.max(pacing).max(first);
    }

    fn set_window(&mut self, acked: u64) {
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

    /// A probe that had `in_flight` bytes on the path lost too much.
    fn on_vain_probe(&mut self, in_flight: u64) {
        let held = self.held(self.rate()).unwrap_or_default();
        self.bound.met_limit(in_flight, held.min(self.window));
        self.rounds_before = self.rounds_before.saturating_mul(PATIENCE);
    }

    /// Whether what was lost so far shows congestion.
    fn is_congestion(&self) -> bool {
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
    fn on_congestion(&mut self, now: Instant, in_flight: u64) {
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

impl Controller for Bbr {
    fn on_sent(&mut self, sent: &Sent) {
        self.round.on_sent(sent.number);
        if let Some(contest) = &mut self.contest {
            contest.on_sent(sent);
        }
    }

    fn on_acked(&mut self, acked: &Acked<'_>) {
        let round_began = self.round.on_acked(acked.largest);
        self.losses.on_acked(self.packets(acked.bytes), acked.largest_sent_at);
        if let Some(sample) = acked.rate {
            self.measure(sample);
        }
        if acked.rtt.has_sample() {
            let sample = acked.rtt.adjusted();
            self.min_rtt.on_sample(sample, acked.now);
            self.queue.on_sample(sample, acked.rtt.min(), acked.now);
        }
        self.aggregation.on_acked(acked.now, acked.bytes, self.rate(), self.window);
        if round_began {
            self.end_round();
        }
        if let Some(contest) = &mut self.contest {
            contest.on_acked(acked);
        }
        self.proceed(acked);
        self.set_pacing(acked.rtt);
        self.set_window(acked.bytes);
    }

    fn on_lost(&mut self, lost: &Lost) {
        self.losses.on_lost(self.packets(lost.bytes), lost.largest_sent_at);
        self.lost_full |= self.queue.is_full();
        let is_congestion = self.is_congestion();
        if let Some(contest) = &mut self.contest {
            let has_to_yield = is_congestion || lost.persistent;
            contest.on_lost(lost, has_to_yield);
            if has_to_yield {
                self.losses.restart(lost.now);
            }
        }
        if is_congestion {
            self.on_congestion(lost.now, lost.in_flight.saturating_add(lost.bytes));
        }
        if lost.persistent {
            // The path was away. What it carries now is found out from a few packets on, at most what it carried before.
            self.window = self.minimum();
        }
    }

    fn on_ecn(&mut self, marked: &Marked) {
        if let Some(contest) = &mut self.contest {
            contest.on_ecn(marked);
        }
        if marked.largest_sent_at >= self.since {
            self.on_congestion(marked.now, marked.in_flight);
        }
    }

    /// The path past the change is the same, and so is its model.
    fn on_diverted(&mut self, _: &Rtt) {}

    fn on_mtu(&mut self, mtu: u64) {
        self.mtu = mtu.max(1);
        self.window = self.window.max(self.minimum());
        if let Some(contest) = &mut self.contest {
            contest.on_mtu(mtu);
        }
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn pacing_rate(&self, rtt: &Rtt) -> u64 {
        match self.pacing {
            0 => rate_of(self.phase.pacing().scale(self.window), rtt.smoothed()),
            pacing => pacing,
        }
    }

    fn in_slow_start(&self) -> bool {
        self.phase == Phase::Startup
    }
}

#[cfg(test)]
mod tests;
