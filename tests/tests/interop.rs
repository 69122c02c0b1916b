//! The network cases of the QUIC interop runner that need no sealing, as they are there and harder.
//!
//! Their link unless they say otherwise: 15 ms one way, 10 Mbit/s, a queue of 25 packets.

use std::time::Duration;

use gannet_driver_mio::netem::Queue;
use gannet_protocol::{Config, CongestionKind};
use gannet_tests::{
    content::Content,
    directory::name,
    host::{Job, Outcome},
    scenario::{Scenario, Way, both_ways},
    world::{ClientId, Direction, Path, Rebind, World},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MB: u64 = 1_000_000;

fn path() -> Path {
    Path::new(10_000_000, 30 * MS).queue(Queue::Packets(25))
}

#[track_caller]
fn get_all(world: &mut World, client: ClientId, lens: &[u64], limit: Duration) {
    let contents: Vec<_> = (1..).zip(lens).map(|(i, len)| Content::pattern(i, *len)).collect();
    for (i, content) in contents.iter().enumerate() {
        world.server_mut().files.insert(&name(&format!("{i}")), content.clone());
    }
    let jobs: Vec<_> =
        (0..lens.len()).map(|i| world.start(client, Job::Get(name(&format!("{i}"))))).collect();
    world.run_until_idle(limit);
    for (job, content) in jobs.iter().zip(&contents) {
        let outcome = world.outcome(client, *job);
        assert!(matches!(outcome, Some(Outcome::Got(got)) if got.is(content)), "{outcome:?}");
    }
}

#[test]
fn transfer() {
    let mut world = World::new(1);
    let client = world.add_client(path());
    get_all(&mut world, client, &[2 * MB, 3 * MB, 5 * MB], 12 * SECOND);
}

#[test]
fn longrtt() {
    let mut world = World::new(2);
    let client = world.add_client(path().both(|link| link.delay = 750 * MS));
    get_all(&mut world, client, &[1000], 5 * SECOND);
    get_all(&mut world, client, &[2 * MB, 3 * MB, 5 * MB], 120 * SECOND);
}

#[test]
fn multiplexing() {
    let mut world = World::new(3);
    let client = world.add_client(path());
    get_all(&mut world, client, &[32; 2000], 4 * SECOND);
    let mut world = World::new(3);
    let client = world.add_client(path().loss(0.05));
    get_all(&mut world, client, &[32; 2000], 60 * SECOND);
}

/// The first packets to the server are lost, so that it is held to three times the little that arrives.
#[test]
fn amplificationlimit() {
    for lost in 1..6 {
        let mut world = World::new(4);
        let client = world.add_client(path());
        let mut left = lost;
        world.set_filter(move |passing| {
            let lose = passing.direction == Direction::Up && left > 0;
            left -= u32::from(lose);
            !lose
        });
        get_all(&mut world, client, &[1000], 10 * SECOND);
    }
}

/// Connections one after the other, each gets 1 KiB.
#[track_caller]
fn handshakes(count: u32, path: &Path) {
    for batch in 0..count / 10 {
        let mut world = World::new(u64::from(batch));
        let content = Content::pattern(1, 1024);
        world.server_mut().files.insert(&name("file"), content.clone());
        let gets: Vec<_> = (0..10)
            .map(|_| {
                let client = world.add_client(path.clone());
                (client, world.start(client, Job::Get(name("file"))))
            })
            .collect();
        world.run_until_idle(300 * SECOND);
        for (client, get) in gets {
            let outcome = world.outcome(client, get);
            assert!(matches!(outcome, Some(Outcome::Got(got)) if got.is(&content)), "{outcome:?}");
        }
    }
}

#[test]
fn handshakeloss() {
    handshakes(500, &path().loss(0.3));
    handshakes(100, &path().bursts(0.3, 3.0));
}

#[test]
fn handshakecorruption() {
    handshakes(500, &path().corrupt(0.3));
}

#[test]
fn transferloss() {
    for (chance, len) in [(0.02, 4 * MB), (0.05, 2 * MB), (0.1, MB), (0.2, MB / 2)] {
        both_ways(5, &path().bursts(chance, 3.0), len, 600 * SECOND);
        both_ways(5, &path().loss(chance), len, 600 * SECOND);
    }
}

#[test]
fn transfercorruption() {
    for (chance, len) in [(0.02, 4 * MB), (0.05, 2 * MB), (0.1, MB), (0.2, MB / 2)] {
        both_ways(6, &path().corrupt(chance), len, 600 * SECOND);
    }
}

#[test]
fn rebinding() {
    for what in [Rebind::Port, Rebind::Address] {
        for period in [5 * SECOND, SECOND / 2] {
            for way in Way::BOTH {
                let mut scenario = Scenario::new(7, path(), way, 10 * MB);
                scenario.world.rebind_every(scenario.client, what, period);
                scenario.run(60 * SECOND);
                assert_eq!(scenario.world.server().connected.len(), 1);
            }
        }
    }
}

#[test]
fn connectionmigration() {
    for way in Way::BOTH {
        let mut scenario = Scenario::new(8, path(), way, 2 * MB);
        scenario.world.run_for(SECOND);
        scenario.world.rebind(scenario.client, Rebind::Address);
        let moved = scenario.run(10 * SECOND);
        assert!(moved.time < 4 * SECOND, "{moved}");
    }
}

#[test]
fn goodput() {
    for moved in both_ways(9, &path(), 10 * MB, 12 * SECOND) {
        assert!(moved.goodput() > 8e6, "{moved}");
    }
    for way in Way::BOTH {
        let path = Path::new(1_000_000_000, 30 * MS).queue(Queue::Bytes(2_000_000));
        let mut scenario = Scenario::new(9, path, way, 200 * MB);
        scenario.world.set_grain(MS / 10);
        let moved = scenario.run(10 * SECOND);
        assert!(moved.goodput() > 500e6, "{moved}");
    }
}

/// The same with the rate known: nothing of it is left unused.
#[test]
fn goodput_at_a_fixed_rate() {
    let mut config = Config::default();
    config.congestion = CongestionKind::Fixed(9_500_000);
    for way in Way::BOTH {
        let mut scenario = Scenario::with_config(10, path(), way, 10 * MB, &config);
        let moved = scenario.run(12 * SECOND);
        assert!(moved.goodput() > 8.8e6, "{moved}");
        assert_eq!(moved.resent, 0, "{moved}");
    }
}

/// Two transfers over one bottleneck share it: each gets 30 to 70%.
#[test]
fn crosstraffic() {
    let mut world = World::new(11);
    let content = Content::pattern(11, 1000 * MB);
    world.server_mut().files.insert(&name("file"), content);
    let path = world.add_path(path());
    let clients = [(); 2].map(|()| {
        let client = world.add_client_on(path, Config::default());
        world.start(client, Job::Get(name("file")));
        world.run_for(2 * SECOND);
        client
    });
    let received = |world: &mut World| {
        clients.map(|client| world.client_stats(client).expect("it lives").packets_received)
    };
    world.run_for(10 * SECOND);
    let before = received(&mut world);
    world.run_for(60 * SECOND);
    let after = received(&mut world);
    let [first, second] =
        [after[0] - before[0], after[1] - before[1]].map(|packets| packets as f64);
    let share = first / (first + second);
    assert!((0.3..=0.7).contains(&share), "{share}");
}
