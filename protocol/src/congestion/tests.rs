use alloc::{collections::VecDeque, vec::Vec};
use core::num::NonZeroU64;

use proptest::prelude::*;

use super::*;

const MTU: u64 = 1200;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn at(ms: u64) -> Instant {
    Instant::from_nanos(ms * 1_000_000)
}

fn rtt_of(rtt: Duration) -> Rtt {
    let mut estimate = Rtt::new(rtt);
    estimate.update(rtt, Duration::ZERO, Instant::ZERO);
    estimate
}

/// Fills the window at `now` with packets from `number` on, and acknowledges them at the end of
/// `rtt`, in eight frames; the number that comes next.
fn full_round(cubic: &mut Cubic, now: u64, number: u64, rtt: u64) -> u64 {
    let packets = cubic.window() / MTU;
    for n in 0..packets {
        let in_flight = (n + 1) * MTU;
        cubic.on_sent(&Sent { now: at(now), number: number + n, bytes: MTU, in_flight });
    }
    let estimate = rtt_of(ms(rtt));
    let next = number + packets;
    let step = (packets / 8).max(1);
    let mut acked = 0;
    while acked < packets {
        let part = step.min(packets - acked);
        acked += part;
        cubic.on_acked(&Acked {
            now: at(now + rtt),
            bytes: part * MTU,
            largest: number + acked - 1,
            largest_sent_at: at(now),
            in_flight: (packets - acked) * MTU,
            app_limited: false,
            rtt: &estimate,
            rate: None,
        });
    }
    next
}

fn lose(cubic: &mut Cubic, now: u64, sent_at: u64, persistent: bool) {
    cubic.on_lost(&Lost {
        now: at(now),
        bytes: MTU,
        largest: 0,
        largest_sent_at: at(sent_at),
        in_flight: 0,
        persistent,
        next_number: 0,
    });
}

#[test]
fn slow_start_doubles_and_loss_takes_three_tenths() {
    let mut cubic = Cubic::new(MTU);
    assert_eq!(cubic.window(), 32 * MTU);
    let next = full_round(&mut cubic, 0, 0, 100);
    assert_eq!(cubic.window(), 64 * MTU);
    full_round(&mut cubic, 100, next, 100);
    assert_eq!(cubic.window(), 128 * MTU);
    assert!(cubic.in_slow_start());
    lose(&mut cubic, 210, 150, false);
    assert_eq!(cubic.window(), 128 * MTU * 7 / 10);
    assert!(!cubic.in_slow_start());
}

#[test]
fn congestion_counts_once_a_round_trip() {
    let mut cubic = Cubic::new(MTU);
    lose(&mut cubic, 100, 0, false);
    let window = cubic.window();
    lose(&mut cubic, 110, 50, false);
    lose(&mut cubic, 120, 100, false);
    cubic.on_ecn(&Marked { now: at(130), packets: 3, largest_sent_at: at(99), in_flight: 0 });
    assert_eq!(cubic.window(), window);
    cubic.on_ecn(&Marked { now: at(210), packets: 1, largest_sent_at: at(101), in_flight: 0 });
    assert_eq!(cubic.window(), window * 7 / 10);
}

#[test]
fn persistent_congestion_starts_again_from_two_packets() {
    let mut cubic = Cubic::new(MTU);
    let next = full_round(&mut cubic, 0, 0, 100);
    lose(&mut cubic, 500, 100, true);
    assert_eq!(cubic.window(), 2 * MTU);
    assert!(cubic.in_slow_start());
    // A late loss of what was sent before does not count again.
    lose(&mut cubic, 510, 490, false);
    let next = full_round(&mut cubic, 501, next, 100);
    assert_eq!(cubic.window(), 4 * MTU);
    let mut now = 601;
    let mut number = next;
    while cubic.in_slow_start() {
        number = full_round(&mut cubic, now, number, 100);
        now += 100;
    }
    assert_eq!(cubic.window(), 64 * MTU * 7 / 10);
}

#[test]
fn the_window_returns_to_where_congestion_was_met() {
    let mut cubic = Cubic::new(MTU);
    let mut number = 0;
    for round in 0..4 {
        number = full_round(&mut cubic, round * 100, number, 100);
    }
    let met = cubic.window();
    lose(&mut cubic, 400, 350, false);
    // K of the curve: the cube root of 0.3 x 512 / 0.4 packets, 7.27 s.
    let mut now = 401;
    while now < 7_600 {
        number = full_round(&mut cubic, now, number, 100);
        now += 100;
    }
    assert!(cubic.window().abs_diff(met) < met / 50, "{} for {met}", cubic.window());
    while now < 12_000 {
        number = full_round(&mut cubic, now, number, 100);
        now += 100;
    }
    assert!(cubic.window() > met * 105 / 100, "{} for {met}", cubic.window());
}

#[test]
fn a_second_congestion_below_the_first_makes_room() {
    let mut cubic = Cubic::new(MTU);
    let mut number = 0;
    for round in 0..4 {
        number = full_round(&mut cubic, round * 100, number, 100);
    }
    lose(&mut cubic, 400, 350, false);
    lose(&mut cubic, 500, 450, false);
    let window = cubic.window();
    let aim = window * 10 / 7 * 17 / 20;
    let mut now = 501;
    // K of the curve to the lowered W_max: 5.1 s.
    while now < 5_700 {
        number = full_round(&mut cubic, now, number, 100);
        now += 100;
    }
    assert!(cubic.window().abs_diff(aim) < aim / 50, "{} for {aim}", cubic.window());
}

#[test]
fn short_paths_grow_as_reno_does() {
    let mut cubic = Cubic::new(MTU);
    let mut number = full_round(&mut cubic, 0, 0, 1);
    lose(&mut cubic, 2, 1, false);
    let window = cubic.window();
    // Of 1 ms, thirty rounds: Reno's window grows by 9/17 of a packet each, the curve by nothing.
    for now in 3..33 {
        number = full_round(&mut cubic, now, number, 1);
    }
    let grown = cubic.window() - window;
    assert!(grown.abs_diff(30 * MTU * 9 / 17) < MTU, "{grown}");
}

#[test]
fn a_longer_round_trip_ends_slow_start_without_loss() {
    let mut cubic = Cubic::new(MTU);
    let mut number = 0;
    let mut now = 0;
    for rtt in [50, 50, 60, 62, 64, 66, 68, 70, 72] {
        number = full_round(&mut cubic, now, number, rtt);
        now += rtt;
    }
    assert!(!cubic.in_slow_start());
    // Two doublings, one more that was noticed late, then at most quarters of a window.
    assert!(cubic.window() > 128 * MTU && cubic.window() < 1024 * MTU, "{}", cubic.window());
}

#[test]
fn pacing_is_faster_than_the_window_needs() {
    let mut cubic = Cubic::new(MTU);
    let rtt = rtt_of(ms(100));
    assert_eq!(cubic.pacing_rate(&rtt), 32 * MTU * 2 * 10);
    lose(&mut cubic, 100, 50, false);
    assert_eq!(cubic.pacing_rate(&rtt), cubic.window() * 5 / 4 * 10);
}

#[test]
fn larger_packets_lift_the_smallest_window() {
    let mut cubic = Congestion::Cubic(Cubic::new(MTU));
    cubic.on_lost(&Lost {
        now: at(10),
        bytes: MTU,
        largest: 3,
        largest_sent_at: at(5),
        in_flight: 0,
        persistent: true,
        next_number: 4,
    });
    cubic.on_mtu(8952);
    assert_eq!(cubic.window(), 2 * 8952);
}

#[test]
fn a_fixed_rate_stays_fixed() {
    let bits = NonZeroU64::new(800_000_000).unwrap();
    let rtt = rtt_of(ms(200));
    let mut fixed = Congestion::Fixed(FixedRate::new(bits, MTU, &rtt));
    fixed.on_lost(&Lost {
        now: at(10),
        bytes: MTU,
        largest: 3,
        largest_sent_at: at(5),
        in_flight: 0,
        persistent: true,
        next_number: 4,
    });
    assert_eq!(fixed.pacing_rate(&rtt), 100_000_000);
    assert_eq!(fixed.window(), 80_000_000);
    assert!(!fixed.in_slow_start());
    let short = rtt_of(ms(1));
    fixed.on_acked(&Acked {
        now: at(11),
        bytes: MTU,
        largest: 4,
        largest_sent_at: at(10),
        in_flight: 0,
        app_limited: false,
        rtt: &short,
        rate: None,
    });
    assert_eq!(fixed.window(), 10_000_000);
    let slow = FixedRate::new(NonZeroU64::MIN, MTU, &short);
    assert_eq!((slow.window(), slow.pacing_rate(&short)), (32 * MTU, 1));
}

/// A path with one queue: what is sent waits its turn, what finds the queue full is lost.
struct Link {
    bytes_per_second: u64,
    delay: Duration,
    queue: u64,
}

/// Fills `link` under CUBIC for `time`; bytes delivered and bytes lost.
fn drive(link: &Link, time: Duration) -> (u64, u64) {
    let mut cubic = Cubic::new(MTU);
    let mut rtt = Rtt::new(ms(333));
    let slot = MTU * 1_000_000_000 / link.bytes_per_second;
    let end = Instant::ZERO + time;
    // Number, when sent, when acknowledged if delivered.
    let mut flying: VecDeque<(u64, Instant, Option<Instant>)> = VecDeque::new();
    let (mut number, mut next_send, mut free_at) = (0, Instant::ZERO, Instant::ZERO);
    let (mut delivered, mut lost) = (0, 0);
    loop {
        let in_flight = flying.len() as u64 * MTU;
        let next_ack = flying.iter().find_map(|(.., ack)| *ack);
        let may_send = in_flight + MTU <= cubic.window();
        let now = match next_ack {
            Some(ack) if !may_send || ack <= next_send => ack,
            _ => next_send,
        };
        if now >= end {
            return (delivered, lost);
        }
        if next_ack == Some(now) {
            let first = flying.iter().position(|(.., ack)| ack.is_some()).unwrap();
            let (largest, sent_at, _) = flying.remove(first).unwrap();
            rtt.update(now.saturating_since(sent_at), Duration::ZERO, now);
            delivered += MTU;
            cubic.on_acked(&Acked {
                now,
                bytes: MTU,
                largest,
                largest_sent_at: sent_at,
                in_flight: flying.len() as u64 * MTU,
                app_limited: false,
                rtt: &rtt,
                rate: None,
            });
            while let Some(&(old, sent, _)) = flying.front().filter(|(n, ..)| n + 3 <= largest) {
                flying.pop_front();
                lost += MTU;
                cubic.on_lost(&Lost {
                    now,
                    bytes: MTU,
                    largest: old,
                    largest_sent_at: sent,
                    in_flight: flying.len() as u64 * MTU,
                    persistent: false,
                    next_number: number,
                });
            }
            continue;
        }
        let waiting = free_at.saturating_since(now).as_nanos() as u64 / slot * MTU;
        let ack = (waiting + MTU <= link.queue).then(|| {
            free_at = free_at.max(now) + Duration::from_nanos(slot);
            free_at + link.delay
        });
        flying.push_back((number, now, ack));
        cubic.on_sent(&Sent { now, number, bytes: MTU, in_flight: in_flight + MTU });
        number += 1;
        let wait = MTU * 1_000_000_000 / cubic.pacing_rate(&rtt);
        next_send = now + Duration::from_nanos(wait);
    }
}

#[test]
fn fills_paths_without_much_loss() {
    let seconds = 30;
    for (mbit, delay, queue_ms) in
        [(100, 50, 50), (100, 50, 10), (100, 300, 100), (10, 20, 100), (20, 5, 5), (2, 100, 30)]
    {
        let bytes_per_second = mbit * 125_000;
        let queue = (bytes_per_second * queue_ms / 1000).max(5 * MTU);
        let link = Link { bytes_per_second, delay: ms(delay), queue };
        let (delivered, lost) = drive(&link, Duration::from_secs(seconds));
        let share = delivered * 100 / (bytes_per_second * seconds);
        assert!(share >= 85, "{share} % of {mbit} Mbit/s, {delay} ms, queue {queue_ms} ms");
        assert!(lost * 30 < delivered, "{lost} lost, {delivered} delivered at {mbit} Mbit/s");
    }
}

/// What may happen to a controller.
#[derive(Clone, Debug)]
enum Event {
    /// Sends so many packets.
    Send(u64),
    /// Acknowledges so many packets, after so many milliseconds.
    Ack(u64, u64, bool),
    /// Loses the newest of what so many packets back was sent.
    Lose(u64, bool),
    Mark(u64),
    Mtu(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (1..200u64).prop_map(Event::Send),
        6 => (1..300u64, 0..1000u64, any::<bool>()).prop_map(|(n, ms, l)| Event::Ack(n, ms, l)),
        2 => (0..50u64, prop::bool::weighted(0.1)).prop_map(|(n, p)| Event::Lose(n, p)),
        1 => (0..50u64).prop_map(Event::Mark),
        1 => (1200..9000u64).prop_map(Event::Mtu),
    ]
}

/// A CUBIC controller, and what a test must know to judge it.
struct Judge {
    cubic: Cubic,
    rtt: Rtt,
    mtu: u64,
    now: u64,
    /// When each packet was sent, and the first not acknowledged.
    sent: Vec<u64>,
    acked: usize,
    /// When congestion was last noticed.
    recovery: Option<u64>,
    /// Most bytes in flight since two rounds of acknowledgements or more.
    in_flight: u64,
}

impl Judge {
    fn new() -> Self {
        Self {
            cubic: Cubic::new(MTU),
            rtt: Rtt::new(ms(333)),
            mtu: MTU,
            now: 0,
            sent: Vec::new(),
            acked: 0,
            recovery: None,
            in_flight: 0,
        }
    }

    fn apply(&mut self, event: &Event) {
        let before = self.cubic.window();
        match *event {
            Event::Send(packets) => self.send(packets),
            Event::Ack(packets, wait, app_limited) => self.ack(packets, wait, app_limited),
            Event::Lose(back, persistent) => self.lose(back, persistent, before),
            Event::Mark(back) => {
                let sent = self.sent_at(back);
                let (now, largest_sent_at) = (at(self.now), at(sent));
                self.cubic.on_ecn(&Marked { now, packets: 1, largest_sent_at, in_flight: 0 });
                self.check_congestion(sent, before);
            }
            Event::Mtu(mtu) => {
                self.mtu = mtu;
                self.cubic.on_mtu(mtu);
                assert_eq!(self.cubic.window(), before.max(2 * mtu));
            }
        }
        assert!(self.cubic.window() >= 2 * self.mtu);
        assert!(self.cubic.window() <= MAXIMUM_WINDOW);
        assert!(self.cubic.pacing_rate(&self.rtt) > 0);
    }

    fn sent_at(&self, back: u64) -> u64 {
        let index = self.sent.len().saturating_sub(1 + back as usize);
        self.sent.get(index).copied().unwrap_or(0)
    }

    fn send(&mut self, packets: u64) {
        self.now += 1;
        for _ in 0..packets {
            self.in_flight = (self.in_flight + self.mtu).min(self.cubic.window());
            let number = self.sent.len() as u64;
            self.sent.push(self.now);
            let (bytes, in_flight) = (self.mtu, self.in_flight);
            self.cubic.on_sent(&Sent { now: at(self.now), number, bytes, in_flight });
        }
    }

    fn ack(&mut self, packets: u64, wait: u64, app_limited: bool) {
        let before = self.cubic.window();
        let packets = packets.min((self.sent.len() - self.acked) as u64);
        if packets == 0 {
            return;
        }
        self.now += wait;
        self.acked += packets as usize;
        let sent = self.sent[self.acked - 1];
        self.rtt.update(ms(self.now - sent), Duration::ZERO, at(self.now));
        let bytes = packets * self.mtu;
        self.in_flight = self.in_flight.saturating_sub(bytes);
        self.cubic.on_acked(&Acked {
            now: at(self.now),
            bytes,
            largest: self.acked as u64 - 1,
            largest_sent_at: at(sent),
            in_flight: self.in_flight,
            app_limited,
            rtt: &self.rtt,
            rate: None,
        });
        let grown = self.cubic.window() - before;
        assert!(grown <= bytes, "{grown} grown by {bytes}");
        if app_limited || self.recovery.is_some_and(|start| sent <= start) {
            assert_eq!(grown, 0);
        }
    }

    fn lose(&mut self, back: u64, persistent: bool, before: u64) {
        let sent = self.sent_at(back);
        lose(&mut self.cubic, self.now, sent, persistent);
        if persistent {
            assert_eq!(self.cubic.window(), 2 * self.mtu);
            self.recovery = Some(self.now);
        } else {
            self.check_congestion(sent, before);
        }
    }

    fn check_congestion(&mut self, sent: u64, before: u64) {
        if self.recovery.is_some_and(|start| sent <= start) {
            assert_eq!(self.cubic.window(), before);
        } else {
            self.recovery = Some(self.now);
            assert_eq!(self.cubic.window(), (before * 7 / 10).max(2 * self.mtu));
            assert!(!self.cubic.in_slow_start());
        }
    }
}

proptest! {
    #[test]
    fn keeps_the_rules_whatever_happens(events in prop::collection::vec(event(), 1..200)) {
        let mut judge = Judge::new();
        events.iter().for_each(|event| judge.apply(event));
    }

    /// A flight that leaves most of the window empty does not widen it, flagged or not.
    #[test]
    fn an_unused_window_does_not_grow(
        flights in prop::collection::vec(1..14u64, 1..50),
        lost in any::<bool>(),
    ) {
        let mut cubic = Cubic::new(MTU);
        if lost {
            lose(&mut cubic, 1, 1, false);
        }
        let window = cubic.window();
        let rtt = rtt_of(ms(50));
        let (mut number, mut now) = (0, 2);
        for packets in flights {
            // Of 32 packets at first and 22 after the loss.
            let packets = packets.min(if lost { 13 } else { 14 });
            for n in 1..=packets {
                let in_flight = n * MTU;
                cubic.on_sent(&Sent { now: at(now), number, bytes: MTU, in_flight });
                number += 1;
            }
            let sent_at = at(now);
            now += 50;
            cubic.on_acked(&Acked {
                now: at(now),
                bytes: packets * MTU,
                largest: number - 1,
                largest_sent_at: sent_at,
                in_flight: 0,
                app_limited: false,
                rtt: &rtt,
                rate: None,
            });
            prop_assert_eq!(cubic.window(), window);
        }
    }
}
