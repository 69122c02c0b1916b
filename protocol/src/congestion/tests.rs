mod link;
mod rules;

use core::num::NonZeroU64;

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

/// What stands in the queue goes, but for a spare, and never more than congestion would take; while the path is still being
/// looked for, nothing does.
#[test]
fn a_diverted_flight_takes_its_queue_along() {
    let mut cubic = Cubic::new(MTU);
    let rtt = |smoothed: u64| {
        let mut rtt = rtt_of(ms(100));
        (0..200).for_each(|i| rtt.update(ms(smoothed), Duration::ZERO, at(i)));
        rtt
    };
    cubic.on_diverted(&rtt(200));
    assert_eq!(cubic.window(), 32 * MTU);
    full_round(&mut cubic, 0, 0, 100);
    full_round(&mut cubic, 100, 64, 100);
    lose(&mut cubic, 210, 150, false);
    for (smoothed, left) in [(110, 1.0), (150, 1.25 / 1.5), (300, 0.7)] {
        let mut cubic = cubic.clone();
        let before = cubic.window();
        cubic.on_diverted(&rtt(smoothed));
        let share = cubic.window() as f64 / before as f64;
        assert!((share - left).abs() < 0.01, "{smoothed}: {share}");
    }
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
    let mut cubic = Congestion::Cubic(Box::new(Cubic::new(MTU)));
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
