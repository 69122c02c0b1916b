//! Paths that change under a transfer, and odd ones.

use std::{cell::Cell, rc::Rc, time::Duration};

use gannet_driver_mio::netem::Queue;
use gannet_protocol::{Config, Instant};
use gannet_tests::{
    content::Content,
    directory::name,
    host::{Job, Outcome},
    scenario::{Scenario, Way, both_ways},
    world::{Direction, ETHERNET, Path, Rebind, World},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MB: u64 = 1_000_000;

fn path() -> Path {
    Path::new(50_000_000, 40 * MS)
}

#[test]
fn a_rate_that_falls_and_rises() {
    for (first, then) in [(100_000_000, 5_000_000), (5_000_000, 100_000_000)] {
        let path = Path::new(first, 40 * MS).both(|link| {
            link.rate_changes = vec![(SECOND, then)];
            link.queue = Queue::Bytes(500_000);
        });
        for moved in both_ways(1, &path, 20 * MB, 60 * SECOND) {
            assert!(moved.wasted() < 100_000, "{moved}");
            let ideal = (20e6 * 8.0 - first as f64) / then as f64 + 1.0;
            assert!(moved.time.as_secs_f64() < ideal * 1.4 + 1.0, "{moved}");
        }
    }
}

#[test]
fn a_rate_that_jumps_all_the_time() {
    let path = path().both(|link| {
        let rates = [2_000_000, 80_000_000, 10_000_000, 300_000];
        link.rate_changes =
            (1..200u32).map(|i| (i * 300 * MS, rates[i as usize % rates.len()])).collect();
    });
    both_ways(2, &path, 20 * MB, 60 * SECOND);
}

#[test]
fn a_round_trip_of_600_ms() {
    for moved in both_ways(3, &Path::new(50_000_000, 600 * MS), 40 * MB, 60 * SECOND) {
        assert!(moved.goodput() > 20e6, "{moved}");
    }
}

#[test]
fn a_round_trip_of_1500_ms() {
    both_ways(4, &Path::new(10_000_000, 1500 * MS), 10 * MB, 60 * SECOND);
    both_ways(4, &Path::new(10_000_000, 1500 * MS).loss(0.02), 2 * MB, 600 * SECOND);
}

#[test]
fn a_round_trip_of_nothing() {
    both_ways(5, &Path::default(), 20 * MB, SECOND);
}

#[test]
fn a_round_trip_that_jumps_from_20_ms_to_600_ms_and_back() {
    let mut world = World::new(6);
    let content = Content::pattern(6, 20 * MB);
    // Packets take the long way round from one second to three.
    let path = Path::new(20_000_000, 20 * MS).both(|link| link.reorder_by = 290 * MS);
    world.server_mut().files.insert(&name("file"), content.clone());
    let client = world.add_client(path);
    let get = world.start(client, Job::Get(name("file")));
    world.run_until_idle(60 * SECOND);
    assert!(matches!(world.outcome(client, get), Some(Outcome::Got(got)) if got.is(&content)));
}

/// A path of smaller packets from the start, and of jumbo frames.
#[test]
fn packets_get_as_large_as_the_path_carries() {
    for (limit, least) in
        [(1200, 1200), (1280, 1260), (ETHERNET, ETHERNET), (4000, 3980), (9000, 8972)]
    {
        let path = path().mtu(limit);
        // The search takes three round trips a size.
        for moved in both_ways(7, &path, 20 * MB, 10 * SECOND) {
            assert!(usize::from(moved.stats.mtu) >= least, "{limit}: {}", moved.stats.mtu);
            assert!(usize::from(moved.stats.mtu) <= limit);
            assert!(moved.wasted() < 50_000, "{moved}");
        }
    }
}

#[test]
fn either_end_may_want_smaller_packets() {
    let mut small = Config::default();
    small.max_datagram = 1300;
    for way in Way::BOTH {
        for (server, client) in
            [(small.clone(), Config::default()), (Config::default(), small.clone())]
        {
            let mut world = World::with_server(8, server);
            world.set_filter(|passing| {
                assert!(passing.payload.len() <= 1300);
                true
            });
            let path = world.add_path(path());
            let client = world.add_client_on(path, client);
            let moved =
                Scenario::start(world, client, way, Content::pattern(8, MB)).run(10 * SECOND);
            assert_eq!(moved.stats.mtu, 1300);
        }
    }
}

/// A probe for larger packets is never most of what the window lets out, or a bad path would carry little else.
#[test]
fn a_probe_for_larger_packets_leaves_room_for_others() {
    for seed in 0..10 {
        let mut scenario = Scenario::new(seed, path().loss(0.3), Way::Get, MB / 4);
        let largest = Rc::new(Cell::new(0));
        let seen = Rc::clone(&largest);
        scenario.world.set_filter(move |passing| {
            if passing.direction == Direction::Down {
                seen.set(seen.get().max(passing.payload.len()));
            }
            true
        });
        for _ in 0..5000 {
            let before = scenario.world.server_stats().map_or(u64::MAX, |stats| stats.window);
            scenario.world.run_for(MS);
            let after = scenario.world.server_stats().map_or(u64::MAX, |stats| stats.window);
            let sent = largest.take() as u64;
            assert!(
                sent <= ETHERNET as u64 || 2 * sent <= before.max(after),
                "seed {seed}: {sent} bytes of a window of {before}"
            );
        }
    }
}

/// A path that suddenly swallows all packets over 1300 bytes.
#[test]
fn an_mtu_black_hole() {
    for way in Way::BOTH {
        let mut scenario = Scenario::new(9, path(), way, 10 * MB);
        let hole = Instant::ZERO + 500 * MS;
        scenario
            .world
            .set_filter(move |passing| passing.now < hole || passing.payload.len() <= 1300);
        let moved = scenario.run(30 * SECOND);
        assert!((1200..=1300).contains(&moved.stats.mtu), "{}", moved.stats.mtu);
    }
}

/// Losses alone do not look like a black hole: packets stay large.
#[test]
fn ordinary_loss_is_no_black_hole() {
    for seed in 0..5 {
        for moved in both_ways(seed, &path().loss(0.1), 2 * MB, 600 * SECOND) {
            assert_eq!(usize::from(moved.stats.mtu), ETHERNET, "{moved}");
        }
    }
}

fn rebinding(seed: u64, way: Way, what: Rebind, period: Duration, path: Path, len: u64) -> World {
    let mut scenario = Scenario::new(seed, path, way, len);
    scenario.world.rebind_every(scenario.client, what, period);
    let moved = scenario.run(120 * SECOND);
    println!("{way:?} {what:?} each {period:?}: {moved}");
    assert_eq!(scenario.world.server().connected.len(), 1, "the same connection goes on");
    scenario.world
}

#[test]
fn a_nat_that_forgets_the_port() {
    for way in Way::BOTH {
        for period in [5 * SECOND, SECOND / 2] {
            rebinding(10, way, Rebind::Port, period, Path::new(20_000_000, 40 * MS), 20 * MB);
        }
        rebinding(11, way, Rebind::Port, SECOND / 2, path().loss(0.05), 2 * MB);
    }
}

/// A change of the port alone keeps what is known of the path.
#[test]
fn a_change_of_port_keeps_the_window() {
    let mut scenario = Scenario::new(12, path(), Way::Get, 30 * MB);
    let client = scenario.client;
    scenario.world.run_for(2 * SECOND);
    let before = scenario.world.server_stats().unwrap();
    scenario.world.rebind(client, Rebind::Port);
    let address = scenario.world.address(client);
    let learned = |world: &mut World| world.server_stats().unwrap().remote == address;
    assert!(scenario.world.run_until(learned, 5 * SECOND));
    let after = scenario.world.server_stats().unwrap();
    assert!(after.window >= before.window * 6 / 10, "{before:?} {after:?}");
    assert_eq!(after.mtu, before.mtu);
    scenario.run(30 * SECOND);
}

/// A client that moved starts afresh, and is held to three times what it sent until it answers a challenge: the
/// world watches that at every instant.
#[test]
fn a_client_that_moves() {
    for way in Way::BOTH {
        for period in [5 * SECOND, SECOND / 2] {
            rebinding(13, way, Rebind::Address, period, Path::new(20_000_000, 40 * MS), 20 * MB);
        }
        rebinding(14, way, Rebind::Address, 2 * SECOND, path().loss(0.05), 2 * MB);
    }
}

#[test]
fn a_client_that_moves_while_idle() {
    for what in [Rebind::Port, Rebind::Address] {
        let mut world = World::new(15);
        let content = Content::pattern(15, MB);
        world.server_mut().files.insert(&name("file"), content.clone());
        let client = world.add_client(path());
        world.run_for(3 * SECOND);
        world.rebind(client, what);
        let get = world.start(client, Job::Get(name("file")));
        world.run_until_idle(10 * SECOND);
        assert!(matches!(world.outcome(client, get), Some(Outcome::Got(got)) if got.is(&content)));
        assert!(world.elapsed() < 6 * SECOND, "{:?}", world.elapsed());
        assert_eq!(world.server().connected.len(), 1);
    }
}

/// Datagrams that a receiver takes in batches are acknowledged in batches.
#[test]
fn receive_batches() {
    for way in Way::BOTH {
        let mut scenario = Scenario::new(16, Path::new(500_000_000, 20 * MS), way, 30 * MB);
        scenario.world.set_grain(MS / 2);
        let moved = scenario.run(10 * SECOND);
        assert!(moved.packets.1 * 10 < moved.packets.0, "{moved}");
    }
}
