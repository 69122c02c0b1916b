use super::*;
use crate::{Instant, rtt::Rtt};
use proptest::prelude::*;

const RTT: Duration = Duration::from_millis(100);
const PACKET: u64 = 1200;
/// 100 Mbit/s.
const SAVED: Saved = Saved { rate: 12_500_000, rtt: RTT };
const JUMPED: u64 = 625_000;
const BORNE: Gain = Gain { of: 1, whole: 8 };

/// A sender whose controller's window is that of the first flight.
struct Sender {
    resume: Resume,
    rtt: Rtt,
    next: u64,
    in_flight: u64,
}

const WINDOW: u64 = 32 * PACKET;

impl Sender {
    fn new(tolerance: Option<Gain>, rtt: Duration) -> Self {
        let mut measured = Rtt::new(rtt);
        measured.update(rtt, Duration::ZERO, Instant::ZERO);
        Self { resume: Resume::new(SAVED, tolerance), rtt: measured, next: 0, in_flight: 0 }
    }

    /// Fills the window; gives the number of the first packet.
    fn fill(&mut self) -> u64 {
        let first = self.next;
        while self.in_flight + PACKET <= self.resume.window(WINDOW) {
            self.in_flight += PACKET;
            let (number, in_flight) = (self.next, self.in_flight);
            let sent = Sent { now: Instant::ZERO, number, bytes: PACKET, in_flight };
            self.resume.on_sent(&sent);
            self.next += 1;
        }
        first
    }

    fn ack(&mut self, largest: u64, packets: u64) -> Option<u64> {
        let bytes = packets * PACKET;
        self.in_flight -= bytes;
        let acked = Acked {
            now: Instant::ZERO,
            bytes,
            largest,
            largest_sent_at: Instant::ZERO,
            in_flight: self.in_flight,
            app_limited: false,
            rtt: &self.rtt,
            rate: None,
        };
        self.resume.on_acked(&acked, WINDOW)
    }

    fn lose(&mut self, largest: u64, packets: u64) {
        let bytes = packets * PACKET;
        self.in_flight -= bytes;
        self.resume.on_lost(&Lost {
            now: Instant::ZERO,
            bytes,
            largest,
            largest_sent_at: Instant::ZERO,
            in_flight: self.in_flight,
            persistent: false,
            next_number: self.next,
        });
    }

    fn window(&self) -> u64 {
        self.resume.window(WINDOW)
    }
}

/// A sender that has jumped, and filled what that gave it; and the number of the first unvalidated packet.
fn jumped(tolerance: Option<Gain>) -> (Sender, u64) {
    let mut sender = Sender::new(tolerance, RTT);
    sender.fill();
    assert_eq!((sender.ack(8, 9), sender.window()), (None, WINDOW));
    assert_eq!((sender.ack(9, 1), sender.window()), (None, JUMPED));
    let first = sender.fill();
    assert_eq!(first, 32);
    (sender, first)
}

#[test]
fn what_arrives_of_a_jump_is_where_the_controller_goes_on() {
    let (mut sender, first) = jumped(None);
    let own = rate(JUMPED, RTT);
    assert_eq!(sender.resume.pacing_rate(1), own);
    // The rest of the first flight arrives.
    sender.ack(first - 1, 22);
    assert_eq!(sender.window(), JUMPED);
    sender.fill();
    let last = sender.next - 1;
    // The first unvalidated packet does, and then all.
    assert_eq!(sender.ack(first, 1), None);
    assert!(sender.window() > JUMPED - PACKET && sender.window() <= JUMPED + PACKET);
    assert_eq!(sender.resume.pacing_rate(1), 2 * own);
    let rest = last - first;
    let reached = sender.ack(last, rest);
    assert!(reached.is_some_and(|window| window > 2 * JUMPED - 5 * PACKET), "{reached:?}");
    assert_eq!(sender.window(), WINDOW, "it is the controller's turn");
}

#[test]
fn loss_brings_it_down_to_half_of_what_arrived() {
    let (mut sender, first) = jumped(None);
    sender.ack(first - 1, 22);
    sender.ack(first + 10, 10);
    sender.lose(first + 5, 1);
    // 22 packets were in flight at the jump, and 10 of it arrived.
    assert_eq!(sender.window(), (22 + 10) / 2 * PACKET);
    let last = sender.next - 1;
    sender.ack(last - 1, 5);
    assert!(sender.window() < WINDOW);
    sender.ack(last, 1);
    assert_eq!(sender.window(), WINDOW);
}

#[test]
fn some_loss_is_borne_and_much_is_not() {
    let (mut sender, first) = jumped(Some(BORNE));
    sender.lose(first, 3);
    assert_eq!(sender.window(), JUMPED);
    sender.ack(first + 80, 80);
    let window = sender.window();
    sender.lose(first + 85, 10);
    assert_eq!(sender.window(), window);
    sender.lose(first + 95, 10);
    assert!(sender.window() < JUMPED / 4);
}

#[test]
fn a_mark_or_loss_before_the_jump_ends_it() {
    let mut sender = Sender::new(None, RTT);
    sender.fill();
    sender.lose(3, 1);
    sender.ack(20, 20);
    assert_eq!(sender.window(), WINDOW);
    let mut marked = Sender::new(Some(BORNE), RTT);
    marked.fill();
    marked.resume.retreat();
    marked.ack(20, 20);
    assert_eq!(marked.window(), WINDOW);
}

#[test]
fn another_path_is_not_tried() {
    for (rtt, jump) in
        [(49, None), (50, Some(JUMPED / 2)), (100, Some(JUMPED)), (999, Some(JUMPED)), (1001, None)]
    {
        let mut sender = Sender::new(None, Duration::from_millis(rtt));
        sender.fill();
        sender.ack(20, 20);
        assert_eq!(sender.window(), jump.unwrap_or(WINDOW), "{rtt} ms");
    }
}

proptest! {
    /// Whatever is remembered and happens, no more is allowed than the controller or twice the greatest jump, and two packets at
    /// least.
    #[test]
    fn whatever_is_remembered_the_window_stays_within_its_bounds(
        rate: u64, micros: u64, rtt in 1..1_000_000_000u64, bears: bool,
        steps in prop::collection::vec((0..4u8, 0..3000u64), 0..50),
    ) {
        let saved = Saved { rate, rtt: Duration::from_micros(micros) };
        let mut sender = Sender::new(bears.then_some(BORNE), Duration::from_micros(rtt));
        sender.resume = Resume::new(saved, bears.then_some(BORNE));
        let mut given = 0;
        for (kind, packets) in steps {
            sender.fill();
            let packets = packets.min(sender.in_flight / PACKET);
            let largest = sender.next.saturating_sub(1 + sender.in_flight / PACKET) + packets;
            match kind {
                0 | 1 => given = given.max(sender.ack(largest, packets).unwrap_or(0)),
                2 => sender.lose(largest, packets),
                _ => sender.resume.retreat(),
            }
            let window = sender.window();
            prop_assert!((2 * PACKET..=2 * MAX_JUMP).contains(&window), "{window}");
            prop_assert!(given <= 2 * MAX_JUMP && sender.resume.pacing_rate(1) > 0);
        }
    }
}
