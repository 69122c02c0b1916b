//! What CUBIC must keep to, whatever happens.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

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
