//! Pacing: spreads packets over time, so that queues on the path stay short (RFC 9002 section 7.7).

use core::time::Duration;

use crate::Instant;

/// Sending that a full bucket allows at once: timers are that late now and then.
const BURST_TIME: Duration = Duration::from_millis(2);

/// Smallest burst, in packets: what RFC 9002 section 7.7 lets out at the start.
const MINIMUM_BURST_PACKETS: u64 = 10;

/// Burst that is enough at most rates, in bytes: one batch of segments in one system call.
const BATCH: u64 = 64 * 1024;

/// Time in which a process wakes up. Where [`BATCH`] is gone in less, from 2 Gbit/s on, what a late one does not catch up is lost.
const WAKE_UP_TIME: Duration = Duration::from_micros(250);

/// Sending that the burst allows there. To set a timer and be woken by it costs some microseconds, more in a virtual machine:
/// with a wake-up for each 125 us, the machine could do a tenth less. TCP on Linux puts as much together at once (`sk_pacing_shift`).
const FAST_BURST_TIME: Duration = Duration::from_millis(1);

/// Most that who woke up late catches up with, on a path whose round trips are no shorter than twice that: on a machine that is
/// busy with other work, a process waits so long for its turn.
const MAX_LATE: Duration = Duration::from_millis(25);

/// Sending that is worth a wake-up: at high rates packets are collected into batches, at low ones
/// each packet goes by itself. At 100 Mbit/s these are four packets, which even a short queue holds.
const QUANTUM_TIME: Duration = Duration::from_micros(500);

/// Part of a burst that goes at once after something else held packets back.
const HELD_SHARE: u64 = 5;

/// Nanoseconds in a second.
const SECOND: u128 = 1_000_000_000;

/// The burst to allow at `rate` bytes a second in packets of up to `mtu` bytes: 2 ms of sending,
/// but not less than ten packets nor more than 64 KiB, except at rates that use that up at once.
pub(crate) fn burst(rate: u64, mtu: u64) -> u64 {
    let least = mtu.saturating_mul(MINIMUM_BURST_PACKETS).min(BATCH);
    let is_fast = bytes_in(rate, WAKE_UP_TIME) > BATCH;
    let most = if is_fast { bytes_in(rate, FAST_BURST_TIME) } else { BATCH };
    bytes_in(rate, BURST_TIME).clamp(least, most)
}

/// What who woke up `late` on a path with round trips of `rtt` may catch up with, as for so long less came into the path's queues
/// than they gave. It is no more than what queues are likely to hold.
fn missed(late: Duration, rtt: Duration) -> Duration {
    late.min(MAX_LATE).min(rtt / 2)
}

/// A token bucket of bytes. Over any time in which nobody was late, no more is sent than a burst, what the rate gives in that
/// time, and one packet, provided the caller asks [`Pacer::next_send`] before each batch and ends
/// it when [`Pacer::available`] is used up.
///
/// Rate (bytes a second) and burst (bytes) come with each call, as they change all the time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pacer {
    /// When `tokens` was right; none before the first packet, when the bucket is full.
    updated: Option<Instant>,
    tokens: Tokens,
    /// Bytes that the bucket holds beyond the burst, until they are used.
    beyond: u64,
    /// Something else holds packets back.
    held: bool,
}

/// What is in the bucket.
#[derive(Clone, Copy, Debug, Default)]
struct Tokens {
    /// Bytes; below zero after the last packet of a batch.
    bytes: i64,
    /// The part of a byte that was gained beyond, in parts of [`SECOND`].
    fraction: u128,
}

/// What a late wake-up means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lateness {
    /// It is more than what timers are late by on a machine that has time.
    pub(crate) is_long: bool,
    /// Not all that could have been sent can be caught up with.
    pub(crate) is_lost: bool,
}

impl Pacer {
    /// A full bucket.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Takes in that `bytes` are sent.
    pub(crate) fn on_sent(&mut self, now: Instant, bytes: u64, rate: u64, burst: u64) {
        self.tokens = self.tokens_at(now, rate, burst);
        self.tokens.bytes = self.tokens.bytes.saturating_sub(signed(bytes));
        self.updated = self.updated.max(Some(now));
        self.held = false;
        if self.tokens.bytes <= signed(burst) {
            self.beyond = 0;
        }
    }

    /// Takes in that not the pacer but something else, such as the window, holds packets back from here to the next that is sent.
    /// What could have gone meanwhile is not caught up: it would go all at once, which a short queue does not hold.
    pub(crate) fn hold(&mut self) {
        self.held = true;
    }

    /// Takes in that what waits could have been sent from `late` before now on, had anybody called. Tells how bad that is.
    pub(crate) fn on_late(&mut self, late: Duration, rtt: Duration, rate: u64) -> Lateness {
        let missed = missed(late, rtt);
        self.beyond = self.beyond.max(bytes_in(rate, missed));
        Lateness { is_long: late > BURST_TIME, is_lost: late > missed + BURST_TIME }
    }

    /// There is nothing left to catch up with.
    pub(crate) fn on_idle(&mut self) {
        self.beyond = 0;
    }

    /// When to send next: nothing if that is now, else a moment after `now`.
    pub(crate) fn next_send(&self, now: Instant, rate: u64, burst: u64) -> Option<Instant> {
        let tokens = self.tokens_at(now, rate, burst);
        let needed = signed(quantum(rate, burst)).saturating_sub(tokens.bytes);
        let needed = u128::try_from(needed).ok().filter(|needed| *needed > 0)?;
        let wait = (needed * SECOND - tokens.fraction).div_ceil(u128::from(rate.max(1)));
        Some(now + Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX).max(1)))
    }

    /// Bytes that may go right now.
    pub(crate) fn available(&self, now: Instant, rate: u64, burst: u64) -> u64 {
        u64::try_from(self.tokens_at(now, rate, burst).bytes).unwrap_or(0)
    }

    /// The bucket at `now`.
    fn tokens_at(&self, now: Instant, rate: u64, burst: u64) -> Tokens {
        let most = if self.held {
            quantum(rate, burst).max(burst.div_ceil(HELD_SHARE))
        } else {
            burst.saturating_add(self.beyond)
        };
        let most = signed(most.max(1));
        let full = Tokens { bytes: most, fraction: 0 };
        let Some(updated) = self.updated else { return full };
        let elapsed = now.saturating_since(updated).as_nanos();
        let gained = elapsed * u128::from(rate.max(1)) + self.tokens.fraction;
        let bytes = i64::try_from(gained / SECOND).unwrap_or(i64::MAX);
        let bytes = self.tokens.bytes.saturating_add(bytes);
        if bytes >= most { full } else { Tokens { bytes, fraction: gained % SECOND } }
    }
}

/// Bytes that must be available before a batch begins: less than the burst, so that a late wake-up
/// finds what it missed.
fn quantum(rate: u64, burst: u64) -> u64 {
    let burst = burst.max(1);
    let least = burst.div_ceil(MINIMUM_BURST_PACKETS);
    bytes_in(rate, QUANTUM_TIME).clamp(least, burst.div_ceil(2))
}

/// Bytes that go in `time` at `rate` bytes a second.
fn bytes_in(rate: u64, time: Duration) -> u64 {
    u64::try_from(u128::from(rate) * time.as_nanos() / SECOND).unwrap_or(u64::MAX)
}

/// As a signed number; what does not fit is as good as no limit.
fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const MTU: u64 = 1472;
    const MBIT: u64 = 125_000;

    fn at(micros: u64) -> Instant {
        Instant::from_nanos(micros * 1000)
    }

    #[test]
    fn the_burst_fits_the_rate() {
        assert_eq!(burst(MBIT, MTU), 10 * MTU);
        assert_eq!(burst(100 * MBIT, MTU), 25_000);
        assert_eq!(burst(1000 * MBIT, MTU), BATCH);
        assert_eq!(burst(10_000 * MBIT, MTU), 1_250_000);
        assert_eq!(burst(MBIT, 8952), BATCH);
        assert_eq!(burst(0, MTU), 10 * MTU);
        assert!(burst(u64::MAX, u64::MAX) > 0);
    }

    #[test]
    fn a_slow_path_gets_single_packets() {
        let (rate, burst) = (MBIT, burst(MBIT, MTU));
        let mut pacer = Pacer::new();
        assert_eq!(pacer.next_send(at(5), rate, burst), None);
        assert_eq!(pacer.available(at(5), rate, burst), 10 * MTU);
        (0..10).for_each(|_| pacer.on_sent(at(5), MTU, rate, burst));
        assert_eq!(pacer.available(at(5), rate, burst), 0);
        // 1472 bytes at 1 Mbit/s.
        let next = at(5 + 11_776);
        assert_eq!(pacer.next_send(at(5), rate, burst), Some(next));
        assert_eq!(pacer.next_send(next, rate, burst), None);
        assert_eq!(pacer.available(next, rate, burst), MTU);
    }

    #[test]
    fn a_fast_path_gets_batches() {
        let (rate, burst) = (1000 * MBIT, burst(1000 * MBIT, MTU));
        let mut pacer = Pacer::new();
        pacer.on_sent(at(0), burst, rate, burst);
        let next = pacer.next_send(at(0), rate, burst).unwrap();
        assert_eq!(pacer.available(next, rate, burst), burst / 2);
        // A late wake-up finds what it missed.
        let late = next + Duration::from_micros(200);
        assert_eq!(pacer.available(late, rate, burst), burst / 2 + 25_000);
    }

    #[test]
    fn what_the_window_held_back_does_not_go_at_once() {
        let (rate, burst) = (MBIT, burst(MBIT, MTU));
        let mut pacer = Pacer::new();
        (0..10).for_each(|_| pacer.on_sent(at(0), MTU, rate, burst));
        pacer.hold();
        let late = at(1_000_000);
        assert_eq!(pacer.next_send(late, rate, burst), None);
        assert_eq!(pacer.available(late, rate, burst), 2 * MTU);
        pacer.on_sent(late, 2 * MTU, rate, burst);
        // From here on a late wake-up finds what it missed.
        assert_eq!(pacer.available(at(2_000_000), rate, burst), 10 * MTU);
    }

    #[test]
    fn a_clock_that_jumps_back_gives_nothing() {
        let mut pacer = Pacer::new();
        pacer.on_sent(at(1000), 10_000, MBIT, 10_000);
        assert_eq!(pacer.available(at(10), MBIT, 10_000), 0);
        pacer.on_sent(at(10), 0, MBIT, 10_000);
        assert_eq!(pacer.available(at(1008), MBIT, 10_000), 1);
    }

    proptest! {
        /// A sender that always has packets, wakes up late or early and sends what it may.
        #[test]
        fn keeps_to_the_rate(
            rate in 1_000..10_000_000_000u64,
            mtu in 100..9_000u64,
            wakes in prop::collection::vec((any::<bool>(), 0..2_000_000u64), 1..200),
        ) {
            let burst = burst(rate, mtu);
            let mut pacer = Pacer::new();
            let mut now = Instant::from_nanos(7);
            let mut sent: Vec<(Instant, u64)> = Vec::new();
            for (on_time, late) in wakes {
                match pacer.next_send(now, rate, burst) {
                    None => {
                        let mut batch = 0;
                        while pacer.available(now, rate, burst) > 0 {
                            pacer.on_sent(now, mtu, rate, burst);
                            batch += mtu;
                        }
                        prop_assert!(batch > 0, "allowed, but nothing available");
                        sent.push((now, batch));
                    }
                    Some(next) => {
                        prop_assert!(next > now);
                        prop_assert_eq!(pacer.next_send(next, rate, burst), None);
                        let early = now + Duration::from_nanos(late % 1000);
                        now = if on_time { next } else { next.min(early) };
                        now = now + Duration::from_nanos(if on_time { 0 } else { late });
                    }
                }
            }
            for (index, (from, _)) in sent.iter().enumerate() {
                let mut bytes = 0;
                for (to, batch) in &sent[index..] {
                    bytes += batch;
                    let time = to.saturating_since(*from);
                    let limit = burst + bytes_in(rate, time) + 1 + mtu;
                    prop_assert!(bytes <= limit, "{bytes} in {time:?}, of {limit}");
                }
            }
        }

        /// A sender that wakes up on time gets the whole rate.
        #[test]
        fn wastes_nothing(rate in 1_000..10_000_000_000u64, mtu in 100..9_000u64) {
            let burst = burst(rate, mtu);
            let mut pacer = Pacer::new();
            let mut now = Instant::ZERO;
            let mut bytes = 0;
            for _ in 0..100 {
                while pacer.available(now, rate, burst) > 0 {
                    pacer.on_sent(now, mtu, rate, burst);
                    bytes += mtu;
                }
                now = pacer.next_send(now, rate, burst).expect("the bucket is empty");
            }
            let elapsed = now.saturating_since(Instant::ZERO);
            prop_assert!(bytes + burst >= bytes_in(rate, elapsed));
        }

        /// Whatever is asked, no panic, and a moment that comes.
        #[test]
        fn extremes_do_no_harm(
            calls in prop::collection::vec(any::<(u64, u64, u64, u64)>(), 1..20),
        ) {
            let mut pacer = Pacer::new();
            for (now, bytes, rate, burst) in calls {
                let now = Instant::from_nanos(now / 2);
                pacer.on_sent(now, bytes, rate, burst);
                if let Some(next) = pacer.next_send(now, rate, burst) {
                    prop_assert!(next > now);
                }
                prop_assert!(pacer.available(now, rate, burst) <= burst.max(1));
            }
        }
    }
}
