//! CUBIC (RFC 9438) with `HyStart++` (RFC 9406) and the bookkeeping of RFC 9002 section 7.

use core::time::Duration;

use super::{
    Acked, Controller, Gain, INITIAL_WINDOW_PACKETS, Lost, MAXIMUM_WINDOW, Marked, Sent,
    curve::Curve,
    hystart::{Growth, HyStart},
    minimum_window, rate,
    round::Round,
    usage::Usage,
};
use crate::{Instant, rtt::Rtt};

/// What is left of the window after congestion (RFC 9438 section 4.6).
const BETA: Gain = Gain { of: 7, whole: 10 };

/// What is left of `W_max` when congestion comes before the window has reached it again, so that
/// newcomers get their share: (1 + beta) / 2 (RFC 9438 section 4.7).
const FAST_CONVERGENCE: Gain = Gain { of: 17, whole: 20 };

/// Growth of the Reno-friendly window, in packets a round trip, that gives Reno's share with
/// CUBIC's beta: 3 (1 - beta) / (1 + beta) (RFC 9438 section 4.3).
const ALPHA: (u128, u128) = (9, 17);

/// What of a queue is worth keeping beyond a round trip's bytes, so that the sender does not wait for acknowledgements that come
/// an eighth of a round trip late.
const SPARE: Gain = Gain { of: 5, whole: 4 };

/// Pacing in slow start: the window doubles in a round trip.
const SLOW_START_PACING: Gain = Gain { of: 2, whole: 1 };

/// Pacing afterwards: faster than the window needs, so that the pacer is not what limits
/// (RFC 9002 section 7.7).
const PACING: Gain = Gain { of: 5, whole: 4 };

/// A window that grows with time since the last congestion, not with round trips.
#[derive(Clone, Debug)]
pub(crate) struct Cubic {
    mtu: u64,
    window: u64,
    /// Below this window, slow start: `ssthresh`.
    threshold: u64,
    /// The window when congestion was last met, less after fast convergence: `W_max`.
    w_max: u64,
    /// The window just before the last congestion: `cwnd_prior`.
    prior: u64,
    /// Packets sent until then tell nothing new about congestion.
    recovery_start: Option<Instant>,
    /// The Reno-friendly window grows no faster above it, as most implementations have it.
    is_gentle: bool,
    /// Watches the first slow start; later ones know where to end (RFC 9406 section 4.3).
    hystart: Option<HyStart>,
    /// Congestion avoidance, once an acknowledgement came in it.
    avoidance: Option<Avoidance>,
    round: Round,
    usage: Usage,
}

impl Cubic {
    /// The state of a new path of packets up to `mtu` bytes.
    pub(crate) fn new(mtu: u64) -> Self {
        let mtu = mtu.max(1);
        Self {
            mtu,
            window: mtu.saturating_mul(INITIAL_WINDOW_PACKETS),
            threshold: u64::MAX,
            w_max: 0,
            prior: 0,
            is_gentle: false,
            recovery_start: None,
            hystart: Some(HyStart::default()),
            avoidance: None,
            round: Round::default(),
            usage: Usage::default(),
        }
    }

    /// The state of a path that met congestion with a window of `window` bytes.
    pub(super) fn after_congestion(mtu: u64, window: u64, now: Instant) -> Self {
        let mut cubic = Self { window, hystart: None, is_gentle: true, ..Self::new(mtu) };
        cubic.on_congestion(now, now);
        cubic
    }

    /// Whether the window is as large again as when congestion was last met.
    pub(super) fn has_regained(&self) -> bool {
        self.window >= self.w_max
    }

    /// Whether a packet sent at `sent_at` was sent before the last congestion was noticed.
    fn in_recovery(&self, sent_at: Instant) -> bool {
        self.recovery_start.is_some_and(|start| sent_at <= start)
    }

    /// Shrinks the window, once a round trip.
    fn on_congestion(&mut self, now: Instant, sent_at: Instant) {
        if self.in_recovery(sent_at) {
            return;
        }
        self.recovery_start = Some(now);
        let w_max = self.w_max;
        self.shrink(BETA.scale(self.window));
        if self.w_max < w_max {
            self.w_max = FAST_CONVERGENCE.scale(self.w_max);
        }
        self.hystart = None;
    }

    /// Goes on from a smaller window, towards the one that there was.
    fn shrink(&mut self, window: u64) {
        self.prior = if self.is_gentle { u64::MAX } else { self.window };
        self.w_max = self.window;
        self.window = window.max(minimum_window(self.mtu));
        self.threshold = self.window;
        self.avoidance = None;
    }

    /// Grows the window by what was acknowledged, or less as the path fills.
    fn grow_in_slow_start(&mut self, acked: &Acked<'_>, growth: Growth) {
        let bytes = match growth {
            Growth::Full => acked.bytes,
            Growth::Conservative => acked.bytes / Growth::CONSERVATIVE_DIVISOR,
            Growth::Over => 0,
        };
        self.window = self.window.saturating_add(bytes).min(self.threshold);
    }

    /// Grows the window along the curve, or with Reno's window if that is larger.
    fn grow_in_avoidance(&mut self, acked: &Acked<'_>, used: bool) {
        let (window, w_max, mtu) = (self.window, self.w_max, self.mtu);
        let avoidance =
            self.avoidance.get_or_insert_with(|| Avoidance::new(acked.now, window, w_max, mtu));
        avoidance.pass(acked.now, used);
        if used {
            let wanted = avoidance.window(acked, window, mtu, self.prior);
            // Never faster than slow start.
            self.window = wanted.clamp(window, window.saturating_add(acked.bytes));
        }
    }
}

impl Controller for Cubic {
    fn on_sent(&mut self, sent: &Sent) {
        self.round.on_sent(sent.number);
        self.usage.on_sent(sent.in_flight);
    }

    fn on_acked(&mut self, acked: &Acked<'_>) {
        let round_began = self.round.on_acked(acked.largest);
        let used =
            !acked.app_limited && self.usage.filled(self.window, self.mtu, self.in_slow_start());
        if round_began {
            self.usage.turn();
        }
        if self.in_recovery(acked.largest_sent_at) {
            return;
        }
        if self.in_slow_start() {
            let growth = self
                .hystart
                .as_mut()
                .map_or(Growth::Full, |h| h.on_sample(acked.rtt.adjusted(), round_began));
            if growth == Growth::Over {
                self.threshold = self.window;
                self.hystart = None;
            } else if used {
                self.grow_in_slow_start(acked, growth);
            }
        } else {
            self.grow_in_avoidance(acked, used);
        }
        self.window = self.window.min(MAXIMUM_WINDOW);
    }

    fn on_lost(&mut self, lost: &Lost) {
        self.on_congestion(lost.now, lost.largest_sent_at);
        if lost.persistent {
            self.window = minimum_window(self.mtu);
            self.avoidance = None;
            // Losses of what was sent before tell nothing about the new window.
            self.recovery_start = Some(lost.now);
        }
    }

    fn on_ecn(&mut self, marked: &Marked) {
        self.on_congestion(marked.now, marked.largest_sent_at);
    }

    fn on_diverted(&mut self, rtt: &Rtt) {
        if self.in_slow_start() {
            return;
        }
        // A NAT that forgot its mapping may do so again, and then what stands in the queue is lost as well. It is empty once what
        // is in flight is gone, and need not be filled again at once.
        let queueless = Gain { of: nanos(rtt.min()), whole: nanos(rtt.smoothed()).max(1) };
        let window = SPARE.scale(queueless.scale(self.window));
        self.shrink(window.clamp(BETA.scale(self.window), self.window));
    }

    fn resume(&mut self, window: u64) {
        // Who has met the limit of the path knows it better.
        if self.in_slow_start() {
            self.window = self.window.max(window.min(self.threshold));
        }
    }

    fn on_mtu(&mut self, mtu: u64) {
        self.mtu = mtu.max(1);
        self.window = self.window.max(minimum_window(self.mtu));
        // The curve is in packets; a new one starts here.
        self.avoidance = None;
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn pacing_rate(&self, rtt: &Rtt) -> u64 {
        let gain = if self.in_slow_start() { SLOW_START_PACING } else { PACING };
        rate(gain.scale(self.window), rtt.smoothed())
    }

    fn in_slow_start(&self) -> bool {
        self.window < self.threshold
    }
}

/// A period of congestion avoidance.
#[derive(Clone, Debug)]
struct Avoidance {
    curve: Curve,
    /// Time on the curve: that in which the window was used (RFC 9438 section 5.8).
    elapsed: Duration,
    /// When the last acknowledgement came.
    last: Instant,
    /// The window that Reno would have: `W_est`.
    reno: u64,
    /// What did not make a byte of `reno` yet, in parts of the divisor it was divided by.
    remainder: u128,
}

impl Avoidance {
    fn new(now: Instant, window: u64, w_max: u64, mtu: u64) -> Self {
        let curve = Curve::new(window, w_max, mtu);
        Self { curve, elapsed: Duration::ZERO, last: now, reno: window, remainder: 0 }
    }

    /// Lets time pass until `now`, which counts if the window was `used`.
    fn pass(&mut self, now: Instant, used: bool) {
        if used {
            self.elapsed = self.elapsed.saturating_add(now.saturating_since(self.last));
        }
        self.last = self.last.max(now);
    }

    /// The window to have after `acked`, with `window` and before the last congestion `prior`.
    fn window(&mut self, acked: &Acked<'_>, window: u64, mtu: u64, prior: u64) -> u64 {
        self.grow_reno(acked.bytes, window, mtu, prior);
        if self.curve.at(self.elapsed) < self.reno {
            return self.reno.max(window);
        }
        let ahead = self.elapsed.saturating_add(acked.rtt.smoothed());
        let target = self.curve.at(ahead).clamp(window, window.saturating_add(window / 2));
        let step =
            u128::from(target - window) * u128::from(acked.bytes) / u128::from(window.max(1));
        window.saturating_add(u64::try_from(step).unwrap_or(u64::MAX))
    }

    /// Grows Reno's window by [`ALPHA`] packets for a window of `bytes`, one from `prior` on.
    fn grow_reno(&mut self, bytes: u64, window: u64, mtu: u64, prior: u64) {
        let (of, whole) = if self.reno < prior { ALPHA } else { (1, 1) };
        let divisor = whole * u128::from(window.max(1));
        let bytes = u128::from(bytes) * u128::from(mtu) * of + self.remainder;
        self.remainder = bytes % divisor;
        let growth = u64::try_from(bytes / divisor).unwrap_or(u64::MAX);
        self.reno = self.reno.saturating_add(growth).min(MAXIMUM_WINDOW);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
