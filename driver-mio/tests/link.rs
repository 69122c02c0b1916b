//! The link model keeps its promises.

use gannet_driver_mio::netem::{Burst, Counters, Link, LinkConfig, Queue};
use gannet_protocol::Instant;
use proptest::prelude::*;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn at(after: Duration) -> Instant {
    Instant::ZERO + after
}

/// Everything that comes out up to `until`: when, which, and its bytes.
fn drain(link: &mut Link<u64>, until: Instant) -> Vec<(Instant, u64, Vec<u8>)> {
    let mut out = Vec::new();
    while let Some(due) = link.next_due().filter(|due| *due <= until) {
        let (number, bytes) = link.take_due(due).expect("its time has come");
        out.push((due, number, bytes));
    }
    out
}

/// Offers `count` packets of `len` bytes, one every `gap`, and drains all.
fn run(config: LinkConfig, count: u64, len: usize, gap: Duration) -> (Vec<u64>, Counters) {
    let mut link = Link::new(config);
    for number in 0..count {
        link.offer(at(gap * u32::try_from(number).expect("few")), number, &vec![0; len]);
    }
    let out = drain(&mut link, Instant::from_nanos(u64::MAX));
    assert_eq!(link.in_flight(), 0);
    (out.into_iter().map(|(_, number, _)| number).collect(), *link.counters())
}

#[test]
fn a_default_link_is_perfect() {
    let mut link = Link::new(LinkConfig::default());
    link.offer(at(MS), 7, b"hello");
    assert_eq!(link.next_due(), Some(at(MS)));
    assert_eq!(link.take_due(at(MS)), Some((7, b"hello".to_vec())));
    assert_eq!(link.take_due(at(MS)), None);
    let counters = link.counters();
    assert_eq!((counters.packets, counters.delivered, counters.dropped()), (1, 1, 0));
}

#[test]
fn nothing_comes_out_before_its_time() {
    let mut link = Link::new(LinkConfig { delay: 50 * MS, ..LinkConfig::default() });
    link.offer(at(MS), 0, b"x");
    assert_eq!(link.take_due(at(51 * MS - Duration::from_nanos(1))), None);
    assert!(link.take_due(at(51 * MS)).is_some());
}

#[test]
fn the_rate_is_exact_over_a_second_and_a_minute() {
    // 1472 bytes at 99 999 999 bit/s take no whole number of nanoseconds.
    let rate = 99_999_999;
    let config = LinkConfig {
        rate: Some(rate),
        overhead_bytes: 28,
        queue: Queue::Bytes(u64::MAX),
        ..LinkConfig::default()
    };
    let mut link = Link::new(config);
    let mut sent = 0_u64;
    for second in [1_u64, 60] {
        let packets = second * rate / 8 / 1500;
        let mut last = Instant::ZERO;
        while sent < packets {
            // Kept busy, drained as it goes.
            link.offer(last, sent, &[0; 1472]);
            sent += 1;
            last = link.next_due().expect("nothing is lost");
            link.take_due(last).map(|(_, bytes)| link.recycle(bytes)).expect("due");
        }
        let exact = u128::from(packets) * 1500 * 8 * 1_000_000_000 / u128::from(rate);
        assert_eq!(u128::from(last.as_nanos()), exact);
    }
}

#[test]
fn a_backlog_leaves_at_the_exact_rate() {
    let config = LinkConfig {
        rate: Some(99_999_999),
        queue: Queue::Bytes(u64::MAX),
        ..LinkConfig::default()
    };
    let mut link = Link::new(config);
    for number in 0..10_000 {
        link.offer(Instant::ZERO, number, &[0; 1250]);
    }
    let (last, ..) = *drain(&mut link, at(2 * SECOND)).last().expect("packets");
    // 100 000 000 bits, one bit per second too slow, rounded down to nanoseconds.
    assert_eq!(last.as_nanos(), 1_000_000_010);
}

#[test]
fn a_packet_under_way_feels_a_rate_change() {
    let config = LinkConfig {
        rate: Some(8_000),
        rate_changes: vec![(2 * SECOND, 16_000), (SECOND, 0)],
        queue: Queue::Packets(1),
        ..LinkConfig::default()
    };
    let mut link = Link::new(config);
    // Half a second before the stop at 1 s, the other half at double speed from 2 s on.
    link.offer(at(500 * MS), 0, &[0; 1000]);
    assert_eq!(link.next_due(), Some(at(2_250 * MS)));
    link.offer(at(1_500 * MS), 1, &[0; 1000]);
    link.offer(at(1_500 * MS), 2, &[0; 1000]);
    let out = drain(&mut link, at(10 * SECOND));
    assert_eq!(out.iter().map(|(_, number, _)| *number).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(out[1].0, at(2_750 * MS));
    assert_eq!(link.counters().dropped_queue, 1);
}

#[test]
fn a_limit_may_come_later_and_stand_still_forever() {
    let config = LinkConfig { rate_changes: vec![(SECOND, 0)], ..LinkConfig::default() };
    let mut link = Link::new(config);
    link.offer(at(999 * MS), 0, &[0; 1000]);
    link.offer(at(SECOND), 1, &[0; 1000]);
    let out = drain(&mut link, at(1000 * SECOND));
    assert_eq!(out.len(), 1);
    assert_eq!(link.in_flight(), 1);
}

#[test]
fn a_full_queue_drops_at_its_tail() {
    for (queue, waiting) in [(Queue::Packets(5), 5), (Queue::Bytes(5_499), 4)] {
        let config = LinkConfig { rate: Some(8_000_000), queue, ..LinkConfig::default() };
        let mut link = Link::new(config);
        for number in 0..20 {
            link.offer(Instant::ZERO, number, &[0; 1100]);
        }
        let came: Vec<_> = drain(&mut link, at(SECOND)).iter().map(|(_, n, _)| *n).collect();
        // One is being sent, and the first that came are the ones that wait.
        assert_eq!(came, (0..=waiting).collect::<Vec<_>>());
        assert_eq!(link.counters().dropped_queue, 19 - waiting);
        assert_eq!(link.counters().queue_peak_bytes, 1100 * waiting);
    }
}

#[test]
fn a_queue_of_nothing_still_lets_an_idle_link_send() {
    for queue in [Queue::Packets(0), Queue::Bytes(0)] {
        let config = LinkConfig { rate: Some(8_000_000), queue, ..LinkConfig::default() };
        assert_eq!(run(config.clone(), 10, 1000, MS).0.len(), 10);
        assert_eq!(run(config, 10, 1000, MS / 2).0.len(), 5);
    }
}

#[test]
fn the_default_queue_holds_a_round_trip() {
    let config = LinkConfig { rate: Some(100_000_000), delay: 50 * MS, ..LinkConfig::default() };
    let (came, counters) = run(config, 2_000, 1000, Duration::ZERO);
    assert_eq!(counters.queue_peak_bytes, 1_250_000);
    assert_eq!(came.len(), 1_251);
    let (_, counters) = run(
        LinkConfig { rate: Some(1_000_000), ..LinkConfig::default() },
        2_000,
        1024,
        Duration::ZERO,
    );
    assert_eq!(counters.queue_peak_bytes, 64 * 1024);
}

#[test]
fn loss_is_as_configured_and_follows_the_seed() {
    let lossy = |seed| LinkConfig { loss: 0.02, seed, ..LinkConfig::default() };
    let (first, counters) = run(lossy(1), 100_000, 1, Duration::ZERO);
    // Five standard deviations.
    assert!((1_780..=2_220).contains(&counters.dropped_loss), "{}", counters.dropped_loss);
    assert_eq!(run(lossy(1), 100_000, 1, Duration::ZERO).0, first);
    assert_ne!(run(lossy(2), 100_000, 1, Duration::ZERO).0, first);
}

#[test]
fn what_else_is_configured_does_not_change_which_packets_are_lost() {
    let plain = LinkConfig { loss: 0.1, ..LinkConfig::default() };
    let busy =
        LinkConfig { jitter: 3 * MS, corrupt: 0.5, reorder: 0.2, delay: SECOND, ..plain.clone() };
    let (mut came, counters) = run(busy, 1_000, 100, MS);
    assert!(counters.reordered > 100 && counters.corrupted > 300);
    came.sort_unstable();
    assert_eq!(came, run(plain, 1_000, 100, MS).0);
}

#[test]
fn bursts_have_the_average_and_the_length_of_gilbert_and_elliott() {
    let burst = Burst { good_to_bad: 0.01, bad_to_good: 0.25, loss_in_bad: 1.0, loss_in_good: 0.0 };
    let config = LinkConfig { burst: Some(burst), ..LinkConfig::default() };
    let (came, counters) = run(config, 200_000, 1, Duration::ZERO);
    // The bad state holds for 0.01 / (0.01 + 0.25) of the packets.
    let share = counters.dropped_loss as f64 / 200_000.0;
    assert!((share - 0.01 / 0.26).abs() < 0.003, "{share}");
    let bursts = came.windows(2).filter(|pair| pair[1] > pair[0] + 1).count();
    let length = counters.dropped_loss as f64 / bursts as f64;
    assert!((length - 4.0).abs() < 0.3, "{length}");
}

#[test]
fn jitter_varies_the_delay_but_keeps_the_order() {
    let config = LinkConfig { delay: 20 * MS, jitter: 10 * MS, ..LinkConfig::default() };
    let mut link = Link::new(config);
    for number in 0..1_000 {
        link.offer(at(MS * u32::try_from(number).expect("few")), number, b"x");
    }
    let out = drain(&mut link, at(10 * SECOND));
    let mut delays = Vec::new();
    for (expected, (due, number, _)) in out.iter().enumerate() {
        assert_eq!(*number, expected as u64);
        delays.push(due.saturating_since(at(MS * u32::try_from(*number).expect("few"))));
    }
    assert!(delays.iter().all(|delay| (20 * MS..=30 * MS).contains(delay)));
    assert!(delays.iter().max() > Some(&(29 * MS)) && delays.iter().min() < Some(&(22 * MS)));
}

#[test]
fn held_back_packets_are_overtaken() {
    let config = LinkConfig { reorder: 0.1, reorder_by: 5 * MS, ..LinkConfig::default() };
    let (came, counters) = run(config, 1_000, 1, MS);
    assert!(counters.reordered > 50);
    let overtaken = (0..1_000_usize)
        .filter(|number| came.iter().position(|n| *n as usize == *number) > Some(*number))
        .count() as u64;
    // The last few have nobody behind them.
    assert!(overtaken <= counters.reordered && overtaken + 5 >= counters.reordered);
}

#[test]
fn corruption_spares_the_headers() {
    let config =
        LinkConfig { corrupt: 1.0, corrupt_from: |bytes| bytes.len() / 2, ..LinkConfig::default() };
    let mut link = Link::new(config);
    for number in 0..1_000 {
        link.offer(Instant::ZERO, number, &[0; 64]);
    }
    link.offer(Instant::ZERO, 1_000, &[]);
    let out = drain(&mut link, Instant::ZERO);
    for (_, _, bytes) in &out[..1_000] {
        assert_eq!(bytes.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
        assert!(bytes[..32].iter().all(|byte| *byte == 0));
    }
    assert!((32..64).all(|i| out.iter().take(1_000).any(|(_, _, bytes)| bytes[i] != 0)));
    assert_eq!(link.counters().corrupted, 1_000);
}

#[test]
fn a_black_hole_swallows_large_packets() {
    let mut link = Link::new(LinkConfig { mtu: Some(1400), ..LinkConfig::default() });
    link.offer(Instant::ZERO, 0, &[0; 1400]);
    link.offer(Instant::ZERO, 1, &[0; 1401]);
    assert_eq!(drain(&mut link, Instant::ZERO).len(), 1);
    assert_eq!(link.counters().dropped_size, 1);
}

#[test]
fn blackouts_begin_and_end() {
    let spans = vec![5 * SECOND..7 * SECOND, 8 * SECOND..9 * SECOND];
    let config = LinkConfig { blackouts: spans, delay: 500 * MS, ..LinkConfig::default() };
    let (came, counters) = run(config.clone(), 10, 1, SECOND);
    assert_eq!(came, [0, 1, 2, 3, 4, 7, 9]);
    assert_eq!(counters.dropped_blackout, 3);
    let mut link = Link::new(config);
    for (number, on) in [(0, false), (1, true), (2, false)] {
        link.set_blackout(on);
        link.offer(Instant::ZERO, number, b"x");
    }
    let came: Vec<_> = drain(&mut link, at(SECOND)).iter().map(|(_, n, _)| *n).collect();
    assert_eq!(came, [0, 2]);
}

#[test]
fn buffers_are_used_again() {
    let mut link = Link::new(LinkConfig::default());
    link.offer(Instant::ZERO, 0, &[1; 1500]);
    let (_, bytes) = link.take_due(Instant::ZERO).expect("due");
    let place = bytes.as_ptr();
    link.recycle(bytes);
    link.offer(Instant::ZERO, 1, &[2; 1500]);
    let (_, bytes) = link.take_due(Instant::ZERO).expect("due");
    assert_eq!((bytes.as_ptr(), bytes), (place, vec![2; 1500]));
}

fn any_config() -> impl Strategy<Value = LinkConfig> {
    let chance = || prop_oneof![Just(0.0), 0.0..=1.0, Just(1.0)];
    let span = || (0_u64..2_000).prop_map(Duration::from_millis);
    let queue = prop_oneof![
        Just(Queue::RoundTrip),
        (0_u64..20_000).prop_map(Queue::Bytes),
        (0_usize..20).prop_map(Queue::Packets)
    ];
    let rates = proptest::collection::vec((span(), 0_u64..10_000_000), 0..4);
    let rate = proptest::option::of(0_u64..10_000_000);
    let chances = (chance(), chance(), chance(), chance(), proptest::option::of(chance()));
    let spans = (span(), span(), span(), span(), span());
    (any::<u64>(), rate, rates, queue, chances, spans, proptest::option::of(500_usize..1500))
        .prop_map(|(seed, rate, rate_changes, queue, chances, spans, mtu)| LinkConfig {
            seed,
            rate,
            rate_changes,
            queue,
            overhead_bytes: 28,
            delay: spans.0,
            jitter: spans.1,
            reorder_by: spans.2,
            blackouts: std::iter::once(spans.3..spans.4).collect(),
            loss: chances.0 / 2.0,
            duplicate: chances.1,
            reorder: chances.2,
            corrupt: chances.3,
            burst: chances.4.map(|chance| Burst {
                good_to_bad: chance,
                bad_to_good: 0.5,
                loss_in_bad: 0.9,
                loss_in_good: 0.1,
            }),
            mtu,
            ..LinkConfig::default()
        })
}

proptest! {
    #[test]
    fn every_packet_is_accounted_for_and_none_is_early(
        config in any_config(),
        offers in proptest::collection::vec((0_u64..20_000, 0_usize..1600), 0..200),
    ) {
        let (delay, reorders) = (config.delay, config.reorder > 0.0);
        let (mut link, mut twin) = (Link::new(config.clone()), Link::new(config));
        let (mut offered, mut out, mut now) = (Vec::new(), Vec::new(), Instant::ZERO);
        for (gap, len) in offers {
            now = now + Duration::from_micros(gap);
            out.extend(drain(&mut link, now));
            link.offer(now, offered.len() as u64, &vec![0; len]);
            twin.offer(now, offered.len() as u64, &vec![0; len]);
            offered.push((now, len));
        }
        out.extend(drain(&mut link, at(10_000 * SECOND)));

        let counters = *link.counters();
        prop_assert_eq!(counters.packets, offered.len() as u64);
        prop_assert_eq!(counters.delivered, out.len() as u64);
        prop_assert_eq!(
            counters.packets + counters.duplicated,
            counters.delivered + counters.dropped() + link.in_flight() as u64
        );
        for (due, number, bytes) in &out {
            let (entered, len) = offered[*number as usize];
            prop_assert!(*due >= entered + delay);
            prop_assert_eq!(bytes.len(), len);
        }
        prop_assert!(out.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        prop_assert!(reorders || out.windows(2).all(|pair| pair[0].1 <= pair[1].1));
        // Taking packets out late or early changes nothing.
        prop_assert_eq!(drain(&mut twin, at(10_000 * SECOND)), out);
    }
}
