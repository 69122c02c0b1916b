//! What a side asks of both: to yield to everything else, and to stay below a rate.

use std::{num::NonZeroU64, thread, time::Duration};

use gannet_driver_mio::netem::Queue;
use gannet_protocol::{Config, CongestionKind};
use gannet_tests::{
    content::Content,
    directory::name,
    host::Job,
    world::{ClientId, Direction, Path, PathId, Rebind, World},
};

const SECOND: Duration = Duration::from_secs(1);
/// Of the paths, in bits a second.
const RATE: u64 = 20_000_000;
/// Bytes of a file that does not end.
const ENDLESS: u64 = 1 << 40;
/// Round-trip times in milliseconds, and queues in round trips.
const PATHS: [(u64, f64); 6] =
    [(20, 1.0), (50, 0.25), (50, 1.0), (50, 4.0), (200, 0.25), (200, 1.0)];

fn world(rtt: u64, queue: f64) -> (World, PathId) {
    let mut world = World::new(rtt);
    world.server_mut().max_stored = u64::MAX;
    let bytes = (RATE * rtt) as f64 / 8000.0 * queue;
    let path = Path::new(RATE, Duration::from_millis(rtt)).queue(Queue::Bytes(bytes as u64));
    let path = world.add_path(path);
    (world, path)
}

fn background() -> Config {
    let mut config = Config::default();
    config.background = true;
    config
}

fn ordinary(kind: CongestionKind) -> Config {
    let mut config = Config::default();
    config.congestion = kind;
    config
}

fn put(world: &mut World, path: PathId, config: Config, file: &str) -> ClientId {
    let client = world.add_client_on(path, config);
    world.start(client, Job::put(&name(file), Content::pattern(1, ENDLESS)));
    client
}

/// Packets that arrived.
fn arrived(world: &mut World, client: ClientId) -> f64 {
    let stats = world.client_stats(client).expect("it lives");
    (stats.packets_sent - stats.packets_lost) as f64
}

/// Runs `case` on each path, each in a thread of its own, and fails with all that fail.
fn on_paths(case: impl Fn(u64, f64) -> Result<(), String> + Sync) {
    let case = &case;
    let run = |(rtt, queue): (u64, f64)| {
        case(rtt, queue).map_err(|why| format!("{rtt} ms, {queue} BDP: {why}"))
    };
    let failed: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = PATHS.iter().map(|path| scope.spawn(move || run(*path))).collect();
        threads.into_iter().filter_map(|thread| thread.join().expect("no panic").err()).collect()
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn expect(is_right: bool, found: impl FnOnce() -> String) -> Result<(), String> {
    if is_right { Ok(()) } else { Err(found()) }
}

/// The share that is little enough. A queue that overflows before its delay can be told from jitter leaves loss alone to yield to.
const fn most(queue: f64) -> f64 {
    if queue < 1.0 { 0.35 } else { 0.2 }
}

/// Beside a flow of TCP with CUBIC it takes little, though it was there first.
#[test]
fn background_yields_to_tcp() {
    on_paths(|rtt, queue| {
        let (mut world, path) = world(rtt, queue);
        let client = put(&mut world, path, background(), "file");
        world.run_for(10 * SECOND);
        let cross = world.add_cross_traffic(path, Direction::Up);
        world.run_for(20 * SECOND);
        let before = (arrived(&mut world, client), world.cross_arrived(cross));
        world.run_for(60 * SECOND);
        let ours = arrived(&mut world, client) - before.0;
        let share = ours / (ours + (world.cross_arrived(cross) - before.1) as f64);
        expect(share < most(queue), || format!("{share:.2}"))
    });
}

/// It yields to our own that do not run in the background.
#[test]
fn background_yields_to_our_own() {
    for kind in [CongestionKind::Bbr, CongestionKind::Cubic] {
        on_paths(|rtt, queue| {
            let (mut world, path) = world(rtt, queue);
            let behind = put(&mut world, path, background(), "behind");
            world.run_for(10 * SECOND);
            let ahead = put(&mut world, path, ordinary(kind), "ahead");
            world.run_for(20 * SECOND);
            let before = [behind, ahead].map(|client| arrived(&mut world, client));
            world.run_for(60 * SECOND);
            let ours = arrived(&mut world, behind) - before[0];
            let share = ours / (ours + arrived(&mut world, ahead) - before[1]);
            expect(share < most(queue), || format!("{kind:?} {share:.2}"))
        });
    }
}

/// Alone it uses the path, and keeps its queue short.
#[test]
fn background_uses_what_others_leave() {
    on_paths(|rtt, queue| {
        let (mut world, path) = world(rtt, queue);
        let client = put(&mut world, path, background(), "file");
        world.run_for(60 * SECOND);
        let before = world.counters(client).0.delivered_bytes;
        let mut longest = Duration::ZERO;
        for _ in 0..60 {
            world.run_for(SECOND);
            longest = longest.max(world.client_stats(client).expect("it lives").rtt);
        }
        let bytes = world.counters(client).0.delivered_bytes - before;
        let used = bytes as f64 * 8.0 / 60.0 / RATE as f64;
        let added = longest.saturating_sub(Duration::from_millis(rtt));
        let is_right =
            used > if queue < 1.0 { 0.65 } else { 0.8 } && added < Duration::from_millis(30);
        expect(is_right, || format!("{used:.2} used, {added:?} added"))
    });
}

/// What a client asks for holds for what it sends and for what is sent to it.
fn both_ways(config: &Config) -> [(World, ClientId, PathId, Direction); 2] {
    [Direction::Up, Direction::Down].map(|way| {
        let (mut world, path) = world(50, 1.0);
        let client = if way == Direction::Up {
            put(&mut world, path, config.clone(), "file")
        } else {
            world.server_mut().files.insert(&name("file"), Content::pattern(1, ENDLESS));
            let client = world.add_client_on(path, config.clone());
            world.client_mut(client).max_stored = u64::MAX;
            world.start(client, Job::Get(name("file")));
            client
        };
        (world, client, path, way)
    })
}

/// Bytes that arrived of what goes that way.
fn delivered(world: &World, client: ClientId, way: Direction) -> u64 {
    let (up, down) = world.counters(client);
    if way == Direction::Up { up.delivered_bytes } else { down.delivered_bytes }
}

#[test]
fn a_client_that_asks_for_the_background_has_it_both_ways() {
    for (mut world, client, path, way) in both_ways(&background()) {
        world.run_for(10 * SECOND);
        let cross = world.add_cross_traffic(path, way);
        world.run_for(20 * SECOND);
        // The flow of TCP is among what the links of the path count.
        let count = |world: &World| (delivered(world, client, way), world.cross_arrived(cross));
        let before = count(&world);
        world.run_for(30 * SECOND);
        let after = count(&world);
        let theirs = (after.1 - before.1) * 1500;
        let all = after.0 - before.0;
        assert!(theirs > all / 5 * 4, "{theirs} of {all}");
    }
}

#[test]
fn a_rate_is_kept_both_ways_wherever_the_client_is() {
    let limit = RATE / 4;
    let mut config = Config::default();
    config.max_rate = NonZeroU64::new(limit);
    for (mut world, client, _, way) in both_ways(&config) {
        world.run_for(5 * SECOND);
        for _ in 0..2 {
            let before = delivered(&world, client, way);
            world.run_for(20 * SECOND);
            let bits = (delivered(&world, client, way) - before) * 8;
            // The links count headers, which the limit does not.
            let used = bits as f64 / 20.0 / limit as f64;
            assert!((0.95..1.03).contains(&used), "{way:?}: {used:.3}");
            world.rebind(client, Rebind::Address);
            world.run_for(5 * SECOND);
        }
    }
}
