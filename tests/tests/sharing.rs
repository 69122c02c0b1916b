//! A path that others use as well, and queues that are shorter than the path: what we take of both.
//!
//! The shares are those of a minute. A queue holds so many of the path's round trips.

use std::{thread, time::Duration};

use gannet_driver_mio::netem::Queue;
use gannet_protocol::{Config, CongestionKind};
use gannet_tests::{
    content::Content,
    directory::name,
    host::Job,
    world::{ClientId, Direction, Path, PathId, World},
};

const SECOND: Duration = Duration::from_secs(1);
/// The rate of a path of that round-trip time, in bits a second: such that it holds more than a few packets.
const fn rate(rtt: u64) -> u64 {
    if rtt < 30 { 50_000_000 } else { 20_000_000 }
}

/// The rate of a path that a hundred use, in bits a second.
const RATE_OF_MANY: u64 = 100_000_000;

/// Bytes of a file that does not end.
const ENDLESS: u64 = 1 << 40;

/// A world with one path of that round-trip time in milliseconds and that queue in round trips.
fn world(seed: u64, rtt: u64, queue: f64) -> (World, PathId) {
    let mut world = World::new(seed);
    world.server_mut().max_stored = u64::MAX;
    let bytes = (rate(rtt) * rtt) as f64 / 8000.0 * queue;
    let path = Path::new(rate(rtt), Duration::from_millis(rtt)).queue(Queue::Bytes(bytes as u64));
    let path = world.add_path(path);
    (world, path)
}

/// A client that stores a file that does not end.
fn put(world: &mut World, path: PathId, file: &str) -> ClientId {
    let client = world.add_client_on(path, Config::default());
    world.start(client, Job::put(&name(file), Content::pattern(1, ENDLESS)));
    client
}

/// Packets that went.
fn sent(world: &mut World, client: ClientId) -> u64 {
    let stats = world.client_stats(client).expect("it lives");
    stats.packets_sent - stats.packets_lost
}

/// Jain's index of shares: 1 if all are the same, less the more they differ.
fn jain(shares: &[f64]) -> f64 {
    let (sum, squares) = shares
        .iter()
        .fold((0.0, 0.0), |(sum, squares), share| (sum + share, squares + share * share));
    sum * sum / (shares.len() as f64 * squares)
}

/// Runs each case in a thread of its own, and fails with all that fail.
fn check(cases: &[(u64, f64)], case: impl Fn(u64, f64) -> Result<(), String> + Sync) {
    let failed: Vec<_> = thread::scope(|scope| {
        let case = &case;
        let threads: Vec<_> = cases
            .iter()
            .map(|(rtt, queue)| {
                scope.spawn(move || {
                    case(*rtt, *queue).map_err(|why| format!("{rtt} ms, {queue} BDP: {why}"))
                })
            })
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().expect("no panic").err()).collect()
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Round-trip times in milliseconds, and queues in round trips.
const PATHS: [(u64, f64); 7] =
    [(10, 0.25), (50, 0.25), (100, 0.25), (10, 1.0), (50, 1.0), (100, 1.0), (50, 4.0)];

/// Beside a flow of TCP with CUBIC, each gets its part, whichever comes first.
#[test]
fn a_flow_of_tcp_gets_its_share() {
    check(&PATHS, |rtt, queue| {
        let (mut world, path) = world(rtt, rtt, queue);
        let lead = 5 * SECOND;
        let (cross, client) = if (rtt == 50) == (queue == 1.0) {
            let cross = world.add_cross_traffic(path, Direction::Up);
            world.run_for(lead);
            (cross, put(&mut world, path, "file"))
        } else {
            let client = put(&mut world, path, "file");
            world.run_for(lead);
            (world.add_cross_traffic(path, Direction::Up), client)
        };
        world.run_for(5 * SECOND);
        let before = (sent(&mut world, client), world.cross_arrived(cross));
        world.run_for(60 * SECOND);
        let ours = (sent(&mut world, client) - before.0) as f64;
        let share = ours / (ours + (world.cross_arrived(cross) - before.1) as f64);
        let allowed = if queue == 1.0 { 0.3..=0.7 } else { 0.2..=0.8 };
        if allowed.contains(&share) { Ok(()) } else { Err(format!("{share:.2}")) }
    });
}

/// Two of our own get the same, even if one comes later: the index is Jain's.
#[test]
fn two_of_our_own_get_the_same() {
    check(&PATHS, |rtt, queue| {
        let lead = if (rtt == 50) == (queue == 1.0) { Duration::ZERO } else { 10 * SECOND };
        let (mut world, path) = world(rtt, rtt, queue);
        let first = put(&mut world, path, "first");
        world.run_for(lead);
        let clients = [first, put(&mut world, path, "second")];
        world.run_for(5 * SECOND);
        let before = clients.map(|client| sent(&mut world, client));
        world.run_for(60 * SECOND);
        let after = clients.map(|client| sent(&mut world, client));
        let [a, b] = [after[0] - before[0], after[1] - before[1]].map(|sent| sent as f64);
        let index = jain(&[a, b]);
        if index >= 0.95 { Ok(()) } else { Err(format!("{a} and {b} packets, {index:.3}")) }
    });
}

/// Twelve of our own that come one after the other get about the same, though the late ones take the queue that they find for
/// the path, and what they overrun for the path's own loss: the index is Jain's.
#[test]
fn a_crowd_that_comes_one_after_the_other_gets_the_same() {
    check(&[(50, 1.0), (80, 1.0)], |rtt, queue| {
        let mut world = World::new(rtt);
        world.server_mut().max_stored = u64::MAX;
        let bytes = (RATE_OF_MANY * rtt) as f64 / 8000.0 * queue;
        let path = Path::new(RATE_OF_MANY, Duration::from_millis(rtt));
        let path = world.add_path(path.queue(Queue::Bytes(bytes as u64)));
        let clients: Vec<_> = (0..12)
            .map(|number| {
                let client = put(&mut world, path, &format!("file {number}"));
                world.run_for(SECOND * 3 / 2);
                client
            })
            .collect();
        world.run_for(20 * SECOND);
        let before: Vec<_> = clients.iter().map(|client| sent(&mut world, *client)).collect();
        world.run_for(20 * SECOND);
        let shares: Vec<_> = clients
            .iter()
            .zip(before)
            .map(|(client, before)| (sent(&mut world, *client) - before) as f64)
            .collect();
        let index = jain(&shares);
        if index >= 0.85 { Ok(()) } else { Err(format!("{index:.3}")) }
    });
}

/// A hundred clients of one server, behind the same link, get the same by CUBIC's law: the index is Jain's. (By the model, who comes
/// late may have more for minutes where each has but few packets on the way: docs/congestion.md.)
#[test]
fn a_hundred_clients_get_the_same() {
    check(&[(50, 1.0), (50, 0.25)], |rtt, queue| {
        let mut config = Config::default();
        config.congestion = CongestionKind::Cubic;
        let mut world = World::with_server(rtt, config.clone());
        world.server_mut().files.insert(&name("file"), Content::pattern(1, ENDLESS));
        let bytes = (RATE_OF_MANY * rtt) as f64 / 8000.0 * queue;
        let path = Path::new(RATE_OF_MANY, Duration::from_millis(rtt));
        let path = world.add_path(path.queue(Queue::Bytes(bytes as u64)));
        let clients: Vec<_> = (0..100).map(|_| world.add_client_on(path, config.clone())).collect();
        for client in &clients {
            world.start(*client, Job::Get(name("file")));
        }
        let received = |world: &mut World| -> Vec<u64> {
            let stats = |client: &ClientId| world.client_stats(*client).expect("it lives");
            clients.iter().map(stats).map(|stats| stats.packets_received).collect()
        };
        world.run_for(5 * SECOND);
        let before = received(&mut world);
        world.run_for(20 * SECOND);
        let after = received(&mut world);
        let shares = after.iter().zip(before).map(|(after, before)| (after - before) as f64);
        let index = jain(&shares.collect::<Vec<_>>());
        if index >= 0.95 { Ok(()) } else { Err(format!("{index:.3}")) }
    });
}

/// Alone on a short queue, hardly anything is lost once the rate is found, and the rate is used.
#[test]
fn a_short_queue_is_not_flooded() {
    // The last are queues of ten packets.
    let tiny = |rtt: u64| 15_000.0 * 8000.0 / (rate(rtt) * rtt) as f64;
    let cases = [(10, 0.25), (50, 0.25), (100, 0.25), (50, tiny(50)), (100, tiny(100))];
    check(&cases, |rtt, queue| {
        let (mut world, path) = world(rtt, rtt, queue);
        let client = put(&mut world, path, "file");
        world.run_for(5 * SECOND);
        let counts = |world: &World| {
            let (up, _) = world.counters(client);
            [up.packets, up.dropped_queue, up.delivered_bytes]
        };
        let before = counts(&world);
        world.run_for(30 * SECOND);
        let after = counts(&world);
        let [packets, dropped, bytes] = [0, 1, 2].map(|at| (after[at] - before[at]) as f64);
        let (loss, used) = (dropped / packets, bytes * 8.0 / 30.0 / rate(rtt) as f64);
        // A queue of ten packets has hardly room for what a probe of the rate adds.
        let is_right = loss < if queue < 0.1 { 0.015 } else { 0.01 } && used > 0.9;
        if is_right { Ok(()) } else { Err(format!("{loss:.4} lost, {used:.3} of the rate used")) }
    });
}
