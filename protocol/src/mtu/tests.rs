use proptest::prelude::*;

use super::*;

const MIN: u16 = 1200;
const MAX: u16 = 8952;

/// Sends every probe that is due over a path that carries `carries` bytes and loses what `loses`
/// says; the probes it took, and the largest that was sent.
fn search(
    mtu: &mut MtuDiscovery,
    now: Instant,
    number: &mut u64,
    carries: u16,
    mut loses: impl FnMut() -> bool,
) -> u32 {
    let mut probes = 0;
    while let Some(size) = mtu.poll_probe(now, u64::MAX) {
        assert!(size > mtu.current() && size <= mtu.max);
        mtu.on_probe_sent(*number, size);
        assert_eq!(mtu.poll_probe(now, u64::MAX), None, "one probe at a time");
        if size <= carries && !loses() {
            assert_eq!(mtu.on_acked(*number, size), Some(size));
            assert_eq!(mtu.current(), size);
        } else {
            mtu.on_probe_lost(*number);
        }
        *number += 1;
        probes += 1;
        assert!(probes < 100, "the search must end");
    }
    probes
}

fn searched(carries: u16) -> (MtuDiscovery, u64) {
    let mut mtu = MtuDiscovery::new(MIN, MAX);
    let mut number = 0;
    search(&mut mtu, Instant::ZERO, &mut number, carries, || false);
    (mtu, number)
}

#[test]
fn one_probe_is_enough_where_the_path_allows_all() {
    let (mut mtu, probes) = searched(MAX);
    assert_eq!((mtu.current(), probes), (MAX, 1));
    assert_eq!(mtu.poll_probe(Instant::ZERO + RAISE_TIME * 2, u64::MAX), None);
    assert_eq!(mtu.next_timeout(), None);
}

#[test]
fn ethernet_takes_few_probes() {
    let reached = |carries, limit| {
        let mut mtu = MtuDiscovery::new(MIN, MAX);
        for number in 0..limit {
            let size = mtu.poll_probe(Instant::ZERO, u64::MAX).unwrap();
            mtu.on_probe_sent(number, size);
            if size <= carries {
                mtu.on_acked(number, size);
            } else {
                mtu.on_probe_lost(number);
            }
        }
        mtu.current()
    };
    assert_eq!(reached(1472, 4), 1472);
    assert_eq!(reached(1452, 7), 1452);
}

#[test]
fn a_range_of_one_size_needs_no_probe() {
    for max in [MIN, 0] {
        let mut mtu = MtuDiscovery::new(MIN, max);
        assert_eq!(mtu.poll_probe(Instant::ZERO, u64::MAX), None);
        assert_eq!((mtu.current(), mtu.next_timeout()), (MIN, None));
    }
    let mut mtu = MtuDiscovery::new(MIN, MIN + 1);
    assert_eq!(mtu.poll_probe(Instant::ZERO, u64::MAX), Some(MIN + 1));
    let mut largest = MtuDiscovery::new(MIN, u16::MAX);
    assert_eq!(largest.poll_probe(Instant::ZERO, u64::MAX), Some(u16::MAX));
}

#[test]
fn a_single_loss_does_not_fail_a_size() {
    let mut mtu = MtuDiscovery::new(MIN, MAX);
    for number in 0..2 {
        assert_eq!(mtu.poll_probe(Instant::ZERO, u64::MAX), Some(MAX));
        mtu.on_probe_sent(number, MAX);
        mtu.on_probe_lost(number);
        // Said twice, counted once.
        mtu.on_probe_lost(number);
    }
    mtu.on_probe_sent(2, MAX);
    assert_eq!(mtu.on_acked(2, MAX), Some(MAX));
}

/// What is too large for now is tried when there is room for it, and losses of one size say nothing of another.
#[test]
fn sizes_beyond_the_limit_wait() {
    let mut mtu = MtuDiscovery::new(MIN, MAX);
    for number in 0..2 {
        assert_eq!(mtu.poll_probe(Instant::ZERO, u64::MAX), Some(MAX));
        mtu.on_probe_sent(number, MAX);
        mtu.on_probe_lost(number);
    }
    assert_eq!(mtu.poll_probe(Instant::ZERO, MIN.into()), None);
    assert_eq!(mtu.poll_probe(Instant::ZERO, 2000), Some(1472));
    mtu.on_probe_sent(2, 1472);
    mtu.on_probe_lost(2);
    assert_eq!(mtu.poll_probe(Instant::ZERO, 2000), Some(1472));
    mtu.on_probe_sent(3, 1472);
    assert_eq!(mtu.on_acked(3, 1472), Some(1472));
    assert_eq!(mtu.poll_probe(Instant::ZERO, 2000), None);
    assert_eq!(mtu.poll_probe(Instant::ZERO, u64::MAX), Some(MAX));
}

#[test]
fn looks_for_more_after_ten_minutes() {
    let (mut mtu, mut number) = searched(1452);
    let due = mtu.next_timeout().expect("larger sizes remain");
    assert_eq!(due, Instant::ZERO + RAISE_TIME);
    assert_eq!(mtu.poll_probe(due - Duration::from_nanos(1), u64::MAX), None);
    search(&mut mtu, due, &mut number, MAX, || false);
    assert_eq!(mtu.current(), MAX);
}

/// Rounds of sixteen packets as large as the MTU and a small one, over a path that carries
/// `carries`; after how many rounds the MTU fell.
fn rounds_until_noticed(mtu: &mut MtuDiscovery, number: &mut u64, carries: u16) -> Option<u32> {
    let size = mtu.current();
    for round in 1..20 {
        let small = *number + 16;
        // The frame that acknowledges the small packet uncovers the losses.
        if let Some(current) = mtu.on_acked(small, 100) {
            assert_eq!((current, mtu.current()), (MIN, MIN));
            return Some(round);
        }
        for large in *number..small {
            if size <= carries {
                assert_eq!(mtu.on_acked(large, size), None);
            } else {
                mtu.on_lost(large, size);
            }
        }
        *number = small + 1;
    }
    None
}

#[test]
fn a_black_hole_is_noticed_and_searched_anew() {
    let (mut mtu, mut number) = searched(MAX);
    assert_eq!(rounds_until_noticed(&mut mtu, &mut number, MAX), None);
    assert_eq!(rounds_until_noticed(&mut mtu, &mut number, 1472), Some(3));
    let probes = search(&mut mtu, Instant::ZERO, &mut number, 1472, || false);
    assert_eq!(mtu.current(), 1472);
    assert!(probes < 40, "{probes}");
    // Late news of the large packets changes nothing.
    assert_eq!(mtu.on_acked(1, MAX), None);
    (1..60).for_each(|late| mtu.on_lost(late, MAX));
    assert_eq!(mtu.on_acked(number, 100), None);
    assert_eq!(mtu.on_acked(number + 1, 100), None);
    assert_eq!(mtu.current(), 1472);
    assert_eq!(rounds_until_noticed(&mut mtu, &mut number, 1300), Some(3));
}

#[test]
fn an_outage_is_no_black_hole() {
    let (mut mtu, first) = searched(MAX);
    for outage in 0..50 {
        let from = first + outage * 1000;
        // A small packet ends the outage, a large one follows.
        assert_eq!(mtu.on_acked(from + 500, 60), None);
        (from..from + 500).for_each(|number| mtu.on_lost(number, MAX));
        assert_eq!(mtu.on_acked(from + 502, 60), None);
        assert_eq!(mtu.on_acked(from + 503, MAX), None);
    }
    assert_eq!(mtu.current(), MAX);
}

#[test]
fn small_packets_and_the_least_size_give_no_evidence() {
    let (mut mtu, first) = searched(MAX);
    for number in first..first + 1000 {
        mtu.on_lost(2 * number, 1400);
        assert_eq!(mtu.on_acked(2 * number + 1, 100), None);
    }
    let mut least = MtuDiscovery::new(MIN, MAX);
    for number in 0..1000 {
        least.on_lost(2 * number, MIN);
        assert_eq!(least.on_acked(2 * number + 1, 100), None);
    }
    assert_eq!((mtu.current(), least.current()), (MAX, MIN));
}

proptest! {
    #[test]
    fn finds_what_the_path_carries(carries in MIN..=u16::MAX, max in MIN..=u16::MAX) {
        let mut mtu = MtuDiscovery::new(MIN, max);
        search(&mut mtu, Instant::ZERO, &mut 0, carries, || false);
        let best = carries.min(max);
        prop_assert!(mtu.current() <= best);
        // The search ends when half of what is left is less than a step.
        prop_assert!(best - mtu.current() < 2 * MIN_STEP, "{} of {best}", mtu.current());
    }

    /// Lost probes may hide some of the MTU, but never show more than there is.
    #[test]
    fn loss_of_probes_only_costs_size(
        carries in MIN..=9000u16,
        losses in prop::collection::vec(prop::bool::weighted(0.3), 100),
    ) {
        let mut mtu = MtuDiscovery::new(MIN, MAX);
        let mut number = 0;
        let mut losses = losses.into_iter().cycle();
        search(&mut mtu, Instant::ZERO, &mut number, carries, || losses.next() == Some(true));
        prop_assert!(mtu.current() >= MIN && mtu.current() <= carries.min(MAX));
        let due = mtu.next_timeout();
        prop_assert_eq!(due.is_some(), mtu.current() < MAX);
        if let Some(due) = due {
            search(&mut mtu, due, &mut number, carries, || false);
            prop_assert!(carries.min(MAX) - mtu.current() < 2 * MIN_STEP);
        }
    }

    /// Packets of mixed sizes over a path that loses up to 30 % of them, whatever their size.
    #[test]
    fn random_loss_is_no_black_hole(
        percent in 0..=30u32,
        large in 1..=10u32,
        seed in any::<u64>(),
        frame in 1..40u64,
    ) {
        let (mut mtu, first) = searched(MAX);
        let mut state = seed | 1;
        let mut random = |of: u32| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 33) as u32 % of
        };
        let mut number = first;
        for _ in 0..500 {
            let fates: alloc::vec::Vec<_> = (number..number + frame)
                .map(|n| (n, if random(10) < large { MAX } else { 100 }, random(100) < percent))
                .collect();
            for (n, size, _) in fates.iter().filter(|(.., lost)| !lost) {
                prop_assert_eq!(mtu.on_acked(*n, *size), None);
            }
            fates.iter().filter(|(.., lost)| *lost).for_each(|(n, size, _)| mtu.on_lost(*n, *size));
            number += frame;
        }
        prop_assert_eq!(mtu.current(), MAX);
    }

    /// However large the flights, a path that carries less is noticed soon.
    #[test]
    fn a_black_hole_is_always_noticed(
        carries in MIN..MAX - MIN_STEP,
        flights in prop::collection::vec(1..200u64, 25),
        small in 40..=MIN,
    ) {
        let (mut mtu, mut number) = searched(MAX);
        let mut noticed = false;
        for flight in flights {
            let passes = number + flight;
            noticed |= mtu.on_acked(passes, small) == Some(MIN);
            if noticed {
                break;
            }
            (number..passes).for_each(|n| mtu.on_lost(n, MAX));
            number = passes + 1;
        }
        prop_assert!(noticed);
        search(&mut mtu, Instant::ZERO, &mut number, carries, || false);
        prop_assert!(carries - mtu.current() < 2 * MIN_STEP);
    }
}
