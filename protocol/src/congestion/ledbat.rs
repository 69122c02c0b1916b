//! LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus): what nobody waits for, sent in what others leave.
//!
//! The window follows the delay that the queue adds, not loss alone: it is given up as soon as a queue grows that this sender would
//! otherwise fill together with the rest. A loss halves it, as the most timid of senders have it.

use core::time::Duration;

use super::{
    Acked, Controller, Gain, INITIAL_WINDOW_PACKETS, Lost, MAXIMUM_WINDOW, Marked, Sent,
    minimum_window, rate, round::Round, usage::Usage,
};
use crate::{Instant, rtt::Rtt};

/// Delay by a queue that is aimed at: `TARGET`, of which the draft has 60 ms. Those who keep queues short themselves, as BBR does,
/// would never make as much of it.
const TARGET: Duration = Duration::from_millis(15);

/// The shortest delay that is aimed at, where a queue overflows before it is as long as the target. What is lost while there is less
/// of a queue is lost by chance.
const LEAST_TARGET: Duration = Duration::from_millis(2);

/// What of the delay at which the queue overflowed is aimed at from there on.
const SHORT_OF_LOSS: u32 = 2;

/// The slowest that the window grows, as a part of what Reno's does: `GAIN` is one in sixteen at least (section 4.2).
const MAX_DIVISOR: u128 = 16;

/// Part of the target at which the first slow start ends (section 4.3).
const LEAVE_SLOW_START: Gain = Gain { of: 3, whole: 4 };

/// What is left of the window after a loss.
const BETA: Gain = Gain { of: 1, whole: 2 };

/// Samples of which the smallest is the delay now: jitter and late acknowledgements are no queue.
const SAMPLES: usize = 4;

/// Round trips for which a slowdown holds the window at its smallest, so that the queue drains and the delay without it is seen, by
/// this sender and by others like it (section 4.4).
const SLOWDOWN_ROUNDS: u32 = 2;

/// Time from one slowdown to the next, in times of what one takes: they cost a tenth at most.
const SLOWDOWN_SPACING: u32 = 9;

/// Pacing in slow start and after it.
const SLOW_START_PACING: Gain = Gain { of: 2, whole: 1 };
const PACING: Gain = Gain { of: 5, whole: 4 };

/// A window that gives way to others.
#[derive(Clone, Debug)]
pub(crate) struct Ledbat {
    mtu: u64,
    window: u64,
    /// Below this window, slow start: `ssthresh`.
    threshold: u64,
    /// What did not make a byte of the window yet, in parts of the window.
    remainder: u128,
    /// The delay that is aimed at.
    target: Duration,
    /// The longest that the queue was since it last overflowed.
    peak: Duration,
    /// The latest samples of the round-trip time.
    samples: [Duration; SAMPLES],
    /// Packets sent until then tell nothing new about congestion.
    recovery_start: Option<Instant>,
    slowdown: Slowdown,
    round: Round,
    usage: Usage,
}

/// Where the sender is between one slowdown and the next.
#[derive(Clone, Copy, Debug)]
enum Slowdown {
    /// The first slow start goes on.
    None,
    /// One begins at that moment.
    Due(Instant),
    /// The queue drains.
    Draining { began: Instant, until: Instant },
    /// The window grows back to the threshold.
    Returning { began: Instant },
}

impl Ledbat {
    /// The state of a new path of packets up to `mtu` bytes.
    pub(crate) fn new(mtu: u64) -> Self {
        let mtu = mtu.max(1);
        Self {
            mtu,
            window: mtu.saturating_mul(INITIAL_WINDOW_PACKETS),
            threshold: u64::MAX,
            remainder: 0,
            target: TARGET,
            peak: Duration::ZERO,
            samples: [Duration::MAX; SAMPLES],
            recovery_start: None,
            slowdown: Slowdown::None,
            round: Round::default(),
            usage: Usage::default(),
        }
    }

    /// The delay that the queue adds now.
    fn on_sample(&mut self, rtt: &Rtt) -> Duration {
        self.samples.rotate_right(1);
        if let Some(newest) = self.samples.first_mut() {
            *newest = rtt.adjusted();
        }
        let now = self.samples.iter().min().copied().unwrap_or_default();
        let queue = now.saturating_sub(rtt.min());
        self.peak = self.peak.max(queue);
        queue
    }

    /// Lets slowdowns begin and end; whether the window stays as small as it is.
    fn pass(&mut self, now: Instant, rtt: &Rtt) -> bool {
        match self.slowdown {
            Slowdown::Due(at) if now >= at => {
                self.threshold = self.window;
                self.window = minimum_window(self.mtu);
                let until = now + rtt.smoothed() * SLOWDOWN_ROUNDS;
                self.slowdown = Slowdown::Draining { began: now, until };
            }
            Slowdown::Draining { began, until } if now >= until => {
                self.slowdown = Slowdown::Returning { began };
                self.target = (self.target + self.target / SLOWDOWN_SPACING).min(TARGET);
            }
            Slowdown::Returning { began } if !self.in_slow_start() => {
                let took = now.saturating_since(began);
                self.slowdown = Slowdown::Due(now + took * SLOWDOWN_SPACING);
            }
            Slowdown::None if !self.in_slow_start() => {
                self.slowdown = Slowdown::Due(now + rtt.smoothed() * SLOWDOWN_ROUNDS);
            }
            _ => {}
        }
        matches!(self.slowdown, Slowdown::Draining { .. })
    }

    /// Grows the window by that part of what was acknowledged that the path's length allows.
    fn grow_in_slow_start(&mut self, acked: &Acked<'_>, queue: Duration) {
        if matches!(self.slowdown, Slowdown::None) && queue > part(self.target, LEAVE_SLOW_START) {
            self.threshold = self.window;
            return;
        }
        let step = u128::from(acked.bytes) / divisor(acked.rtt.min());
        let step = u64::try_from(step).unwrap_or(u64::MAX);
        self.window = self.window.saturating_add(step).min(self.threshold);
    }

    /// Grows the window by a part of a packet a round trip, or shrinks it by what the queue is too long: by half at most.
    fn follow(&mut self, acked: &Acked<'_>, queue: Duration, used: bool) {
        let (bytes, window) = (u128::from(acked.bytes), u128::from(self.window.max(1)));
        if used {
            let whole = window * divisor(acked.rtt.min());
            let gained = bytes * u128::from(self.mtu) + self.remainder;
            self.remainder = gained % whole;
            let step = u64::try_from(gained / whole).unwrap_or(u64::MAX);
            self.window = self.window.saturating_add(step);
        }
        let excess = queue.saturating_sub(self.target).min(self.target / 2).as_nanos();
        let back = bytes * excess / self.target.as_nanos().max(1);
        let back = u64::try_from(back).unwrap_or(u64::MAX);
        self.window = self.window.saturating_sub(back).max(minimum_window(self.mtu));
        // What was given up is not taken back by slow start.
        self.threshold = self.threshold.min(self.window);
    }

    /// Aims at less where the queue overflows before the target: there delay has to tell of others before loss does.
    fn shorten(&mut self) {
        let short = core::mem::take(&mut self.peak) / SHORT_OF_LOSS;
        if short >= LEAST_TARGET {
            self.target = self.target.min(short);
        }
    }

    /// Gives way to a loss or a mark, once a round trip.
    fn on_congestion(&mut self, now: Instant, sent_at: Instant) {
        if self.recovery_start.is_some_and(|start| sent_at <= start) {
            return;
        }
        self.recovery_start = Some(now);
        self.shorten();
        self.window = BETA.scale(self.window).max(minimum_window(self.mtu));
        self.threshold = self.window;
    }
}

impl Controller for Ledbat {
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
        let queue = self.on_sample(acked.rtt);
        if self.pass(acked.now, acked.rtt) {
            return;
        }
        if !self.in_slow_start() {
            self.follow(acked, queue, used);
        } else if used {
            self.grow_in_slow_start(acked, queue);
        }
        self.window = self.window.min(MAXIMUM_WINDOW);
    }

    fn on_lost(&mut self, lost: &Lost) {
        self.on_congestion(lost.now, lost.largest_sent_at);
        if lost.persistent {
            self.window = minimum_window(self.mtu);
            self.recovery_start = Some(lost.now);
        }
    }

    fn on_ecn(&mut self, marked: &Marked) {
        self.on_congestion(marked.now, marked.largest_sent_at);
    }

    fn on_diverted(&mut self, _: &Rtt) {}

    fn resume(&mut self, _: u64) {}

    fn on_mtu(&mut self, mtu: u64) {
        self.mtu = mtu.max(1);
        self.window = self.window.max(minimum_window(self.mtu));
        self.remainder = 0;
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn pacing_rate(&self, rtt: &Rtt) -> u64 {
        // On the way back no faster than where it leads to: a burst on top of that would fill a queue anew.
        let paced = if self.in_slow_start() {
            SLOW_START_PACING.scale(self.window).min(self.threshold)
        } else {
            PACING.scale(self.window)
        };
        rate(paced, rtt.smoothed())
    }

    fn in_slow_start(&self) -> bool {
        self.window < self.threshold
    }
}

/// How many times slower than Reno's the window grows on a path of this round-trip time: short ones fill at once (section 4.2).
fn divisor(base: Duration) -> u128 {
    let twice = TARGET.as_nanos().saturating_mul(2);
    twice.div_ceil(base.as_nanos().max(1)).clamp(1, MAX_DIVISOR)
}

fn part(time: Duration, gain: Gain) -> Duration {
    Duration::from_nanos(gain.scale(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MTU: u64 = 1200;

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    /// A path of 100 ms whose queue adds `queue` milliseconds now.
    fn path(queue: u64) -> Rtt {
        let base = Duration::from_millis(100);
        let mut rtt = Rtt::new(base);
        rtt.update(base, Duration::ZERO, at(0));
        (0..20)
            .for_each(|_| rtt.update(base + Duration::from_millis(queue), Duration::ZERO, at(1)));
        rtt
    }

    /// Sends a window and has it acknowledged at once in eight frames; the number that comes next.
    fn round(ledbat: &mut Ledbat, now: u64, number: u64, rtt: &Rtt) -> u64 {
        let packets = (ledbat.window() / MTU).max(8);
        for sent in 0..packets {
            let (number, in_flight) = (number + sent, (sent + 1) * MTU);
            ledbat.on_sent(&Sent { now: at(now), number, bytes: MTU, in_flight });
        }
        for part in 1..=8 {
            let (before, so_far) = (packets * (part - 1) / 8, packets * part / 8);
            ledbat.on_acked(&Acked {
                now: at(now + 100),
                bytes: (so_far - before) * MTU,
                largest: number + so_far - 1,
                largest_sent_at: at(now),
                in_flight: (packets - so_far) * MTU,
                app_limited: false,
                rtt,
                rate: None,
            });
        }
        number + packets
    }

    #[test]
    fn a_queue_beyond_the_target_is_given_up_and_one_below_is_filled() {
        let mut ledbat = Ledbat::new(MTU);
        ledbat.threshold = ledbat.window;
        ledbat.slowdown = Slowdown::Due(at(1_000_000));
        let before = ledbat.window();
        let next = round(&mut ledbat, 0, 0, &path(0));
        // A packet more, but for what rounding leaves for the next.
        assert!((before + MTU - 32..=before + MTU).contains(&ledbat.window()));
        let next = round(&mut ledbat, 100, next, &path(40));
        let less = ledbat.window();
        assert!((before / 2..before * 4 / 5).contains(&less), "{less} of {before}");
        round(&mut ledbat, 200, next, &path(15));
        assert!(ledbat.window() >= less);
    }

    #[test]
    fn the_first_slow_start_ends_with_a_queue_and_the_path_is_then_left_alone_for_two_round_trips()
    {
        let mut ledbat = Ledbat::new(MTU);
        let next = round(&mut ledbat, 0, 0, &path(0));
        assert_eq!(ledbat.window(), 2 * INITIAL_WINDOW_PACKETS * MTU);
        let next = round(&mut ledbat, 100, next, &path(20));
        assert!(!ledbat.in_slow_start());
        let reached = ledbat.window();
        let next = round(&mut ledbat, 600, next, &path(0));
        assert_eq!(ledbat.window(), minimum_window(MTU));
        round(&mut ledbat, 900, next, &path(0));
        assert!(ledbat.in_slow_start() && ledbat.threshold <= reached);
    }

    #[test]
    fn losses_halve_once_a_round_trip_and_shorten_the_queue_that_is_aimed_at() {
        let mut ledbat = Ledbat::new(MTU);
        round(&mut ledbat, 0, 0, &path(10));
        let before = ledbat.window();
        let lost = |sent_at: u64, now: u64| Lost {
            now: at(now),
            bytes: MTU,
            largest: 0,
            largest_sent_at: at(sent_at),
            in_flight: 0,
            persistent: false,
            next_number: 0,
        };
        ledbat.on_lost(&lost(0, 100));
        ledbat.on_lost(&lost(50, 110));
        assert_eq!(ledbat.window(), before / 2);
        assert_eq!(ledbat.target, Duration::from_millis(5));
    }

    proptest! {
        /// Whatever happens, the window stays in its bounds and the rate above nothing.
        #[test]
        fn keeps_within_bounds(
            events in prop::collection::vec((0..4u8, 0..400u64, 1..300u64, any::<bool>()), 1..200),
        ) {
            let mut ledbat = Ledbat::new(MTU);
            let (mut now, mut number, mut mtu) = (0, 0, MTU);
            for (event, time, amount, persistent) in events {
                now += time;
                let rtt = path(amount);
                match event {
                    0 | 1 => number = round(&mut ledbat, now, number, &rtt),
                    2 => ledbat.on_lost(&Lost {
                        now: at(now),
                        bytes: MTU,
                        largest: number,
                        largest_sent_at: at(now.saturating_sub(amount)),
                        in_flight: 0,
                        persistent,
                        next_number: number,
                    }),
                    _ => {
                        mtu = 1200 + amount;
                        ledbat.on_mtu(mtu);
                    }
                }
                prop_assert!(ledbat.window() >= minimum_window(mtu));
                prop_assert!(ledbat.window() <= MAXIMUM_WINDOW);
                prop_assert!(ledbat.pacing_rate(&rtt) > 0);
                prop_assert!((LEAST_TARGET..=TARGET).contains(&ledbat.target));
            }
        }
    }
}
