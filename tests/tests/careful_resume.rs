//! A client that remembers what a path gave: it saves round trips, and costs a path that gives less now, or is another, next to nothing.

use std::time::Duration;

use gannet_driver_mio::netem::{Counters, Queue};
use gannet_protocol::{Config, CongestionKind, PathMemory};
use gannet_tests::{
    content::Content,
    scenario::{Moved, Scenario, Way},
    world::{Path, World},
};

const MS: Duration = Duration::from_millis(1);
const MB: u64 = 1_000_000;
const RATE: u64 = 100_000_000;
const RTT: Duration = Duration::from_millis(100);
/// Bytes that the path holds.
const HELD: u64 = 1_250_000;

const KINDS: [CongestionKind; 2] = [CongestionKind::Cubic, CongestionKind::Bbr];

/// A path that was used before, at its best.
const MEMORY: PathMemory = PathMemory { rtt: RTT, mtu: 1472, up: RATE / 8, down: RATE / 8 };

/// What came of a file's move.
struct Run {
    moved: Moved,
    /// What the path did with the packets of the file's sender.
    link: Counters,
    learned: PathMemory,
}

fn run(kind: CongestionKind, way: Way, path: &Path, len: u64, memory: Option<PathMemory>) -> Run {
    let mut config = Config::default();
    config.congestion = kind;
    let mut world = World::with_server(3, config.clone());
    let path = world.add_path(path.clone());
    let client = match memory {
        Some(memory) => world.add_client_again(path, config, memory),
        None => world.add_client_on(path, config),
    };
    let mut scenario = Scenario::start(world, client, way, Content::pattern(3, len));
    let moved = scenario.run(Duration::from_secs(120));
    let (up, down) = scenario.world.counters(client);
    let link = if way == Way::Get { *down } else { *up };
    let learned = scenario.world.client_mut(client).path_memory().expect("it was connected");
    Run { moved, link, learned }
}

fn each(test: impl Fn(CongestionKind, Way)) {
    for kind in KINDS {
        Way::BOTH.into_iter().for_each(|way| test(kind, way));
    }
}

/// The round trips that a known path saves, of a file that a cold start takes many for.
#[test]
fn a_known_path_saves_round_trips() {
    each(|kind, way| {
        let path = Path::new(RATE, RTT);
        let cold = run(kind, way, &path, 20 * MB, None);
        let learned = if way == Way::Get { cold.learned.down } else { cold.learned.up };
        let carried = RATE / 8 * 1472 / 1500;
        assert!(
            (carried * 6 / 10..carried * 105 / 100).contains(&learned),
            "{kind:?} {way:?} learned {learned}"
        );
        assert!(cold.learned.rtt >= RTT && cold.learned.rtt < RTT + 10 * MS, "{:?}", cold.learned);
        let known = run(kind, way, &path, 20 * MB, Some(cold.learned));
        let saved = cold.moved.time.saturating_sub(known.moved.time);
        assert!(
            saved >= 2 * RTT,
            "{kind:?} {way:?}: {:?} cold, {:?} known",
            cold.moved.time,
            known.moved.time
        );
    });
}

/// The yardstick of a known path: the time that its bytes take, and five round trips.
#[test]
fn a_known_path_takes_five_round_trips() {
    for way in Way::BOTH {
        let known = run(CongestionKind::Bbr, way, &Path::new(RATE, RTT), 20 * MB, Some(MEMORY));
        let bytes = 20.0 * 8e6 / (RATE as f64 * 0.95 * 0.97);
        let most = Duration::from_secs_f64(bytes) + 5 * RTT;
        assert!(known.moved.time <= most, "{way:?}: {:?} of {most:?}", known.moved.time);
    }
}

/// Loss at random is no reason to distrust a memory, for a controller that bears it.
#[test]
fn loss_does_not_make_forget() {
    let path = Path::new(RATE, RTT).loss(0.05);
    for way in Way::BOTH {
        let cold = run(CongestionKind::Bbr, way, &path, 20 * MB, None).moved.time;
        let known = run(CongestionKind::Bbr, way, &path, 20 * MB, Some(MEMORY)).moved.time;
        assert!(known + 2 * RTT <= cold, "{way:?}: {cold:?} cold, {known:?} known");
    }
}

/// Bytes that were lost to a full queue.
fn overflow(run: &Run) -> u64 {
    run.link.dropped_queue * 1472
}

#[test]
fn a_rate_that_has_halved_is_not_flooded() {
    each(|kind, way| {
        let path = Path::new(RATE / 2, RTT);
        let cold = run(kind, way, &path, 20 * MB, None);
        let known = run(kind, way, &path, 20 * MB, Some(MEMORY));
        let (cold, known) = (overflow(&cold), overflow(&known));
        assert!(known <= cold + HELD / 10, "{kind:?} {way:?}: {cold} cold, {known} known");
    });
}

/// An eighth of the rate is left: of the half that is tried once, a quarter gets through.
#[test]
fn a_rate_that_has_fallen_far_costs_one_flight() {
    each(|kind, way| {
        let path = Path::new(RATE / 8, RTT);
        let cold = run(kind, way, &path, 10 * MB, None);
        let known = run(kind, way, &path, 10 * MB, Some(MEMORY));
        assert!(
            overflow(&known) <= overflow(&cold) + HELD / 2,
            "{kind:?} {way:?}: {} cold, {} known",
            overflow(&cold),
            overflow(&known)
        );
        let most = cold.moved.time + cold.moved.time / 5;
        assert!(known.moved.time <= most, "{kind:?} {way:?}: {:?}", known.moved.time);
    });
}

/// What is known of the path costs such a queue no more than half of the flight that is tried.
#[test]
fn a_shallow_queue_is_not_flooded() {
    each(|kind, way| {
        let path = Path::new(RATE, RTT).queue(Queue::Packets(20));
        let cold = run(kind, way, &path, 20 * MB, None);
        let known = run(kind, way, &path, 20 * MB, Some(MEMORY));
        assert!(
            overflow(&known) <= overflow(&cold) + HELD / 4,
            "{kind:?} {way:?}: {} cold, {} known",
            overflow(&cold),
            overflow(&known)
        );
    });
}

/// A path whose round trip is another is another path: nothing is made of the memory.
#[test]
fn another_round_trip_is_another_path() {
    each(|kind, way| {
        let path = Path::new(RATE, RTT);
        // Of the size of packets nothing is believed without a look anyway.
        let nothing = PathMemory { up: 0, down: 0, ..MEMORY };
        let plain = run(kind, way, &path, 5 * MB, Some(nothing)).moved.time;
        for rtt in [RTT * 3, RTT / 20] {
            let other = PathMemory { rtt, ..MEMORY };
            let time = run(kind, way, &path, 5 * MB, Some(other)).moved.time;
            assert!(time.abs_diff(plain) < MS, "{kind:?} {way:?} {rtt:?}: {time:?}, not {plain:?}");
        }
        let near = PathMemory { rtt: RTT * 3 / 2, ..MEMORY };
        let time = run(kind, way, &path, 5 * MB, Some(near)).moved.time;
        assert!(time + RTT < plain, "{kind:?} {way:?}: {time:?}, not less than {plain:?}");
    });
}

/// A client says of the path whatever it likes: the server sends no more on its word than it may, once, to who has shown that it
/// receives there. `docs/hostile-input.md`, row 36.
#[test]
fn a_forged_memory_is_worth_one_bounded_flight() {
    const MOST: u64 = 4 << 20;
    for kind in KINDS {
        for rtt in [Duration::ZERO, RTT, RTT * 2, Duration::MAX] {
            for mtu in [0, 1472, u16::MAX] {
                let forged = PathMemory { rtt, mtu, up: u64::MAX, down: u64::MAX };
                let path = Path::new(RATE / 10, RTT);
                let cold = run(kind, Way::Get, &path, 10 * MB, None);
                let known = run(kind, Way::Get, &path, 10 * MB, Some(forged));
                // Its packets may stay as small as they begin.
                let (cold, known) = (cold.link.dropped_queue, known.link.dropped_queue);
                assert!(
                    known <= cold + MOST / 1200,
                    "{kind:?} {rtt:?} {mtu}: {cold} packets cold, {known} known"
                );
            }
        }
    }
}

/// Too little was moved to tell anything of the path's rate.
#[test]
fn a_short_transfer_is_no_measure() {
    each(|kind, way| {
        let Run { learned, .. } = run(kind, way, &Path::new(RATE, RTT), 10_000, None);
        assert_eq!((learned.up, learned.down), (0, 0));
        assert_eq!(MEMORY.updated(learned).down, MEMORY.down);
    });
}
