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
mod cycle;
mod losses;
mod min_rtt;
mod output;
mod phase;
mod queue;
mod response;
mod rivals;

use super::{
    Acked, Controller, Gain, INITIAL_WINDOW_PACKETS, Lost, MAXIMUM_WINDOW, Marked, Sent,
    rate as rate_of, round::Round,
};
use crate::{Instant, delivery::RateSample, pacer, rtt::Rtt};
use aggregation::Aggregation;
use bandwidth::{Bandwidth, Pipe};
use bound::{Bound, Delivered};
use contest::{Contest, Outcome};
use cycle::PROBE_ROUNDS;
use losses::Losses;
use min_rtt::MinRtt;
use phase::Phase;
use queue::Queue;
use rivals::Rivals;

/// Smallest window, in packets (`BBR.MinPipeCwnd`).
const MINIMUM_WINDOW_PACKETS: u64 = 4;

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
    rivals: Rivals,
    /// The greatest rate ever.
    best: u64,
    /// Until when others are not yielded to, since they do not yield.
    truce_until: Instant,
    /// Of this round: the greatest delivery, whether there was too little to send, whether congestion was met, and how many more
    /// losses there were lately while the queue was full than while it was not.
    delivered: Delivered,
    app_limited: bool,
    congested: bool,
    lost_full: u32,
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
            rivals: Rivals::default(),
            best: 0,
            truce_until: Instant::ZERO,
            delivered: Delivered::default(),
            app_limited: false,
            congested: false,
            lost_full: 0,
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

    fn measure(&mut self, sample: RateSample) {
        let rate = rate_of(sample.delivered, sample.interval);
        self.bandwidth.on_sample(rate, sample.app_limited);
        self.best = self.best.max(self.bandwidth.max());
        self.app_limited |= sample.app_limited;
        self.delivered.rate = self.delivered.rate.max(rate);
        self.delivered.in_flight = self.delivered.in_flight.max(sample.delivered);
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
            if self.queue.on_sample(sample, acked.rtt.min(), acked.now) {
                self.losses.forget();
            }
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
        self.lost_full = match self.queue.is_full() {
            true => self.lost_full.saturating_add(1),
            false => self.lost_full.saturating_sub(1),
        };
        let is_congestion = self.is_congestion();
        if let Some(contest) = &mut self.contest
            && (is_congestion || lost.persistent)
        {
            contest.on_lost(lost);
            self.losses.restart(lost.now);
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
            self.on_marks(marked.now, marked.in_flight);
        }
    }

    fn on_late(&mut self, now: Instant) {
        self.queue.on_late(now);
    }

    /// The path past the change is the same, and so is its model.
    fn on_diverted(&mut self, _: &Rtt) {}

    fn resume(&mut self, window: u64) {
        // The rate was measured on the way.
        if self.phase == Phase::Startup {
            self.window = self.window.max(window);
        }
    }

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
