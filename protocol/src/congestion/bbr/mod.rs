//! A model of the path, of the rate that it delivers and of its round-trip time without a queue: BBR, version 3
//! (draft-ietf-ccwg-bbr).
//!
//! It differs from the draft where that serves transfers over links that lose packets anyway: loss counts only as far as it
//! exceeds what the path loses while its queue is empty ([`losses`]), and what is lost anyway is sent in addition. It looks for
//! more every few rounds, and stops looking as soon as that fills the queue by a quarter without delivering more.

mod aggregation;
mod bandwidth;
mod bounds;
mod losses;
mod min_rtt;
mod phase;

use core::time::Duration;

use super::{
    Acked, Controller, Gain, INITIAL_WINDOW_PACKETS, Lost, MAXIMUM_WINDOW, Marked, Sent,
    rate as rate_of, round::Round,
};
use crate::{Instant, delivery::RateSample, pacer, rtt::Rtt};
use aggregation::Aggregation;
use bandwidth::{Bandwidth, Pipe};
use bounds::{Bounds, Delivered};
use losses::Losses;
use min_rtt::MinRtt;
use phase::Phase;

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

/// Round-trip times above the least by more than this part, on average, show that there is a queue.
const QUEUED: u32 = 16;

/// A difference of round-trip times that is no more than timers and bunches make.
const RTT_NOISE: Duration = Duration::from_millis(1);

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
    /// Bytes in flight at the end of a probe, until it is known what became of them.
    probed: Option<u64>,
    bandwidth: Bandwidth,
    pipe: Pipe,
    bounds: Bounds,
    min_rtt: MinRtt,
    losses: Losses,
    aggregation: Aggregation,
    /// Of this round: the sum of the round-trip times and their number, the greatest delivery, whether there was too little to
    /// send, and whether congestion was met.
    round_rtt: (Duration, u32),
    delivered: Delivered,
    app_limited: bool,
    congested: bool,
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
            probed: None,
            bandwidth: Bandwidth::default(),
            pipe: Pipe::default(),
            bounds: Bounds::default(),
            min_rtt: MinRtt::default(),
            losses: Losses::default(),
            aggregation: Aggregation::default(),
            round_rtt: (Duration::ZERO, 0),
            delivered: Delivered::default(),
            app_limited: false,
            congested: false,
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
        self.bounds.rate(self.bandwidth.max())
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
        self.enter(Phase::Up, now);
    }

    /// Whether the probe shows more than was known.
    fn pays(&self) -> bool {
        self.bandwidth.max() > WORTH.scale(self.worth)
    }

    fn measure(&mut self, sample: RateSample) {
        let rate = rate_of(sample.delivered, sample.interval);
        self.bandwidth.on_sample(rate, sample.app_limited);
        self.app_limited |= sample.app_limited;
        self.delivered.rate = self.delivered.rate.max(rate);
        self.delivered.in_flight = self.delivered.in_flight.max(sample.delivered);
    }

    /// Whether the queue was empty all through this round, as far as its round-trip times tell.
    fn was_empty(&self) -> bool {
        let ((sum, count), Some(min)) = (self.round_rtt, self.min_rtt.get()) else { return false };
        let Some(mean) = sum.checked_div(count) else { return false };
        mean <= min.saturating_add((min / QUEUED).max(RTT_NOISE))
    }

    /// A round is over.
    fn end_round(&mut self) {
        self.rounds = self.rounds.saturating_add(1);
        self.rounds_since = self.rounds_since.saturating_add(1);
        self.aggregation.on_round();
        let was_empty = self.was_empty();
        match self.phase {
            Phase::Startup if !self.app_limited && self.delivered.rate > 0 => {
                self.pipe.on_round(self.bandwidth.max());
                if self.pipe.has_stalled() && !was_empty {
                    self.pipe.fill();
                }
            }
            Phase::Up => {
                self.bounds.raise(self.window);
                if self.pays() {
                    self.worth = self.bandwidth.max();
                    self.vain = 0;
                } else {
                    self.vain = self.vain.saturating_add(1);
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
        self.losses.end_round(was_empty && is_own);
        self.round_rtt = (Duration::ZERO, 0);
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
                self.bounds.forget_short();
                self.enter(Phase::Refill, now);
            }
            Phase::Down => {
                let drained =
                    self.filled(Gain { of: 1, whole: 1 }).min(self.bounds.with_headroom());
                if in_flight <= drained {
                    self.enter(Phase::Cruise, now);
                }
            }
            Phase::Refill if self.rounds > 0 => self.go_up(now),
            Phase::Up => {
                let is_full = self.vain > 0 && in_flight >= self.filled(PROBED);
                if is_full || self.vain >= VAIN_ROUNDS {
                    let losses = self.losses.clone();
                    self.go_down(now, acked.largest);
                    // What the probe sent last is still to be judged.
                    self.losses = losses;
                    self.probed = Some(in_flight);
                }
            }
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
                match self.pipe.is_full() {
                    true => self.go_down(now, acked.largest),
                    false => self.enter(Phase::Startup, now),
                }
            }
            _ => {}
        }
    }

    fn set_pacing(&mut self) {
        let rate = self.losses.sending_for(self.rate());
        let pacing = MARGIN.scale(self.phase.pacing().scale(rate));
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
        let headroom = self.phase == Phase::Cruise;
        let bounded = self.bounds.window(self.window, self.phase.is_probing(), headroom);
        let drained = match self.phase {
            Phase::ProbeRtt { .. } => target,
            _ => u64::MAX,
        };
        self.window = bounded.min(drained).clamp(self.minimum(), MAXIMUM_WINDOW);
    }

    /// A probe that had `in_flight` bytes on the path lost too much.
    fn on_vain_probe(&mut self, in_flight: u64) {
        let held = self.held(self.rate()).unwrap_or_default();
        self.bounds.met_limit(in_flight, held.min(self.window));
        self.rounds_before = self.rounds_before.saturating_mul(PATIENCE);
    }

    /// There is congestion; `in_flight` bytes were on the path when it was met.
    fn on_congestion(&mut self, now: Instant, in_flight: u64) {
        match self.phase {
            Phase::Startup => {
                if self.pipe.has_stalled() {
                    self.pipe.fill();
                    let held = self.held(self.rate()).unwrap_or_default();
                    self.bounds.met_limit(self.delivered.in_flight.max(held), held);
                }
            }
            // As long as the path delivers more and more, it is not the limit.
            Phase::Up if self.pays() => return,
            Phase::Refill | Phase::Up => {
                self.go_down(now, in_flight);
                self.on_vain_probe(in_flight);
            }
            Phase::Down | Phase::Cruise if let Some(probed) = self.probed.take() => {
                self.on_vain_probe(probed);
                self.losses.restart(now);
            }
            Phase::Down | Phase::Cruise if !self.congested => {
                let current = Delivered { rate: self.rate(), in_flight: self.window };
                self.bounds.met_congestion(self.delivered, current);
            }
            Phase::Drain | Phase::Down | Phase::Cruise | Phase::ProbeRtt { .. } => {}
        }
        self.congested = true;
    }
}

impl Controller for Bbr {
    fn on_sent(&mut self, sent: &Sent) {
        self.round.on_sent(sent.number);
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
            let (sum, count) = self.round_rtt;
            self.round_rtt = (sum.saturating_add(sample), count.saturating_add(1));
        }
        self.aggregation.on_acked(acked.now, acked.bytes, self.rate(), self.window);
        if round_began {
            self.end_round();
        }
        self.proceed(acked);
        self.set_pacing();
        self.set_window(acked.bytes);
    }

    fn on_lost(&mut self, lost: &Lost) {
        self.losses.on_lost(self.packets(lost.bytes), lost.largest_sent_at);
        if self.losses.are_excessive() {
            self.on_congestion(lost.now, lost.in_flight.saturating_add(lost.bytes));
        }
        if lost.persistent {
            // The path was away. What it carries now is found out from a few packets on, at most what it carried before.
            self.window = self.minimum();
            self.bounds.forget_short();
        }
    }

    fn on_ecn(&mut self, marked: &Marked) {
        if marked.largest_sent_at >= self.since {
            self.on_congestion(marked.now, marked.in_flight);
        }
    }

    /// The path past the change is the same, and so is its model.
    fn on_diverted(&mut self, _: &Rtt) {}

    fn on_mtu(&mut self, mtu: u64) {
        self.mtu = mtu.max(1);
        self.window = self.window.max(self.minimum());
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
