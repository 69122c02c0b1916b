//! Controllers over a path with one queue.

use alloc::collections::VecDeque;

use super::*;
use crate::delivery::{DeliveryRate, Stamp};

/// A path with one queue: what is sent waits its turn, what finds the queue full is lost, and some of the rest.
struct Link {
    bytes_per_second: u64,
    delay: Duration,
    queue: u64,
    /// One of so many packets is lost by chance.
    loses_one_of: Option<u64>,
    /// What finds more than that in the queue is marked.
    marks_above: Option<u64>,
}

/// A packet on its way.
struct Flying {
    number: u64,
    sent_at: Instant,
    stamp: Stamp,
    /// When it is acknowledged, unless it is lost.
    acked_at: Option<Instant>,
    /// Bytes that waited before it, and whether it was marked for that.
    waiting: u64,
    marked: bool,
}

/// What became of what was sent, in bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Driven {
    delivered: u64,
    lost: u64,
    /// The sum of what waited before each packet that was delivered in the second half.
    waited: u64,
    late: u64,
}

impl Driven {
    fn take(&mut self, packet: &Flying, late: bool) {
        self.delivered += MTU;
        if late {
            self.late += 1;
            self.waited += packet.waiting;
        }
    }
}

/// Fills `link` for `time`.
fn drive(link: &Link, cc: &mut Congestion, time: Duration) -> Driven {
    let mut rtt = Rtt::new(ms(333));
    let mut delivery = DeliveryRate::new();
    let slot = MTU * 1_000_000_000 / link.bytes_per_second;
    let end = Instant::ZERO + time;
    let mut flying: VecDeque<Flying> = VecDeque::new();
    let (mut number, mut next_send, mut free_at) = (0, Instant::ZERO, Instant::ZERO);
    let (mut driven, mut dice) = (Driven::default(), 1u64);
    let mut now = Instant::ZERO;
    loop {
        let in_flight = flying.len() as u64 * MTU;
        let next_ack = flying.iter().find_map(|packet| packet.acked_at);
        let may_send = in_flight + MTU <= cc.window();
        now = match next_ack {
            Some(ack) if !may_send || ack <= next_send => ack,
            _ => next_send.max(now),
        };
        if now >= end {
            return driven;
        }
        if next_ack == Some(now) {
            let first = flying.iter().position(|packet| packet.acked_at.is_some()).unwrap();
            let newest = flying.remove(first).unwrap();
            rtt.update(now.saturating_since(newest.sent_at), Duration::ZERO, now);
            driven.take(&newest, now > Instant::ZERO + time / 2);
            delivery.on_acked(now, MTU, newest.stamp, newest.sent_at);
            cc.on_acked(&Acked {
                now,
                bytes: MTU,
                largest: newest.number,
                largest_sent_at: newest.sent_at,
                in_flight: flying.len() as u64 * MTU,
                app_limited: false,
                rtt: &rtt,
                rate: delivery.sample(rtt.min()),
            });
            if newest.marked {
                let (largest_sent_at, in_flight) = (newest.sent_at, flying.len() as u64 * MTU);
                cc.on_ecn(&Marked { now, packets: 1, largest_sent_at, in_flight });
            }
            while flying.front().is_some_and(|packet| packet.number + 3 <= newest.number) {
                let old = flying.pop_front().unwrap();
                driven.lost += MTU;
                cc.on_lost(&Lost {
                    now,
                    bytes: MTU,
                    largest: old.number,
                    largest_sent_at: old.sent_at,
                    in_flight: flying.len() as u64 * MTU,
                    persistent: false,
                    next_number: number,
                });
            }
            continue;
        }
        let waiting = free_at.saturating_since(now).as_nanos() as u64 / slot * MTU;
        let mut acked_at = (waiting + MTU <= link.queue).then(|| {
            free_at = free_at.max(now) + Duration::from_nanos(slot);
            free_at + link.delay
        });
        dice = dice.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        if link.loses_one_of.is_some_and(|of| (dice >> 33).is_multiple_of(of)) {
            acked_at = None;
        }
        let stamp = delivery.on_sent(now, in_flight);
        let marked = link.marks_above.is_some_and(|above| waiting > above);
        flying.push_back(Flying { number, sent_at: now, stamp, acked_at, waiting, marked });
        cc.on_sent(&Sent { now, number, bytes: MTU, in_flight: in_flight + MTU });
        number += 1;
        next_send = now + Duration::from_nanos(MTU * 1_000_000_000 / cc.pacing_rate(&rtt));
    }
}

/// Share of the link that was used, and of the packets that were lost, in percent.
fn shares(link: &Link, cc: &mut Congestion) -> (u64, u64) {
    let seconds = 30;
    let Driven { delivered, lost, .. } = drive(link, cc, Duration::from_secs(seconds));
    (delivered * 100 / (link.bytes_per_second * seconds), lost * 100 / (delivered + lost))
}

fn link(mbit: u64, delay: u64, queue_ms: u64, loses_one_of: Option<u64>) -> Link {
    let bytes_per_second = mbit * 125_000;
    let queue = (bytes_per_second * queue_ms / 1000).max(5 * MTU);
    Link { bytes_per_second, delay: ms(delay), queue, loses_one_of, marks_above: None }
}

/// Rate in Mbit/s, delay and queue in milliseconds.
const PATHS: [(u64, u64, u64); 6] =
    [(100, 50, 50), (100, 50, 10), (100, 300, 100), (10, 20, 100), (20, 5, 5), (2, 100, 30)];

#[test]
fn cubic_fills_paths_without_much_loss() {
    for (mbit, delay, queue) in PATHS {
        let mut cubic = Congestion::Cubic(Box::new(Cubic::new(MTU)));
        let (share, lost) = shares(&link(mbit, delay, queue, None), &mut cubic);
        assert!(share >= 85 && lost <= 3, "{share} %, {lost} % lost: {mbit}, {delay}, {queue}");
    }
}

#[test]
fn bbr_fills_paths_without_much_loss() {
    for (mbit, delay, queue) in PATHS {
        let mut bbr = Congestion::Bbr(Box::new(Bbr::new(MTU)));
        let (share, lost) = shares(&link(mbit, delay, queue, None), &mut bbr);
        assert!(share >= 90 && lost <= 3, "{share} %, {lost} % lost: {mbit}, {delay}, {queue}");
    }
}

/// What a path loses by chance costs no more than itself.
#[test]
fn bbr_bears_loss_by_chance() {
    for (mbit, delay, queue) in [(100, 50, 50), (100, 200, 200), (10, 20, 100), (20, 5, 5)] {
        for one_of in [1000, 100, 20, 10] {
            let mut bbr = Congestion::Bbr(Box::new(Bbr::new(MTU)));
            let (share, _) = shares(&link(mbit, delay, queue, Some(one_of)), &mut bbr);
            let most = 100 - 100 / one_of;
            assert!(
                share >= most * 88 / 100,
                "{share} % of {most}: {mbit}, {delay}, 1 of {one_of}"
            );
        }
    }
}

/// A router that marks what waits longer than a quarter of a round trip has its way: nothing is lost, little waits, and the rate is
/// used all the same (RFC 9002, section 7.1).
fn check_marks(make: impl Fn() -> Congestion) {
    for (mbit, delay) in [(100, 50), (100, 10), (20, 40)] {
        let deep = link(mbit, delay, 4 * delay, None);
        let above = deep.bytes_per_second * delay / 4000;
        let marking = Link { marks_above: Some(above), ..deep };
        let time = Duration::from_secs(30);
        let Driven { delivered, lost, waited, late } = drive(&marking, &mut make(), time);
        let share = delivered * 100 / (marking.bytes_per_second * 30);
        let mean = waited / late;
        assert!(
            share >= 80 && lost == 0 && mean <= above,
            "{share} %, {lost} lost, {mean} of {above} waited: {mbit}, {delay}"
        );
    }
}

#[test]
fn cubic_obeys_marks() {
    check_marks(|| Congestion::Cubic(Box::new(Cubic::new(MTU))));
}

#[test]
fn bbr_obeys_marks() {
    check_marks(|| Congestion::Bbr(Box::new(Bbr::new(MTU))));
}
