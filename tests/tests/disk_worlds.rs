//! Worlds in which disks fail, processes are killed and the power fails, each of a seed.
//!
//! `GANNET_WORLDS` says how many, `GANNET_WORLD_SEED` plays one of them and prints what happens in it.

use std::{
    env,
    panic::catch_unwind,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, SystemTime},
};

use gannet_tests::{
    machines::{Command, End, Fault, Random, Story, World},
    world::Path as Link,
};

/// Worlds if nothing is said: some seconds on two cores.
const WORLDS: u64 = 300;

fn variable(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is a number, not {value:?}")))
}

/// What was told is durable, what is visible is whole, and all comes to an end.
///
/// `docs/hostile-input.md`, rows 52, 53, 55 and 56.
#[test]
fn nothing_is_lost() {
    if let Some(seed) = variable("GANNET_WORLD_SEED") {
        Story::play(seed, true);
        return;
    }
    let (worlds, next) = (variable("GANNET_WORLDS").unwrap_or(WORLDS), AtomicU64::new(0));
    let failed = AtomicU64::new(u64::MAX);
    let work = || {
        while failed.load(Ordering::Relaxed) == u64::MAX {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= worlds {
                break;
            }
            if catch_unwind(|| Story::play(seed, false)).is_err() {
                failed.fetch_min(seed, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner();
    assert!(
        failed == u64::MAX,
        "the world of seed {failed} failed. Again: \
         GANNET_WORLD_SEED={failed} cargo test -p gannet-tests --test disk_worlds nothing_is_lost -- --nocapture"
    );
}

#[test]
fn the_same_seed_gives_the_same_world() {
    for seed in 0..20 {
        assert_eq!(Story::play(seed, false), Story::play(seed, false), "seed {seed}");
    }
}

/// One version is put in part, made durable and given up, another one is put over it in part, perhaps while the disk fails once, and
/// the power fails: what was written down of the former must not be found again beside the bytes of the latter.
///
/// `docs/hostile-input.md`, row 55.
#[test]
fn a_version_that_was_given_up_for_another_one_comes_whole() {
    for seed in 0..60 {
        let mut random = Random::new(seed, 3);
        let link = Link::new(6_000_000, Duration::from_millis(5)).both(|link| link.mtu = None);
        let mut world = World::new(seed, &[link]);
        let versions = ["one", "other"].map(|name| {
            let content: Vec<u8> = (0..1 << 19).flat_map(|_| random.next().to_le_bytes()).collect();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(random.below(1 << 30));
            world.client_disk(0).install(name, &content, time).unwrap();
            (name, content)
        });
        for (name, _) in &versions {
            if name == &"other" && seed % 2 == 1 {
                let call = world.server_disk().calls() + 1 + random.below(30);
                world.server_disk().faults.plan(call, Fault::Io);
            }
            world.start(0, Command::put(name, "file"));
            world.run_for(Duration::from_millis(1600 + random.below(2000)));
            // Has the names in the root be durable.
            world.start(0, Command::MakeDirectory(gannet_protocol::Name::parse(b"dir").unwrap()));
            world.run_for(Duration::from_millis(100 + random.below(1000)));
            world.client_disk(0).end(if name == &"one" { Fault::Kill } else { Fault::Power });
            if name == &"one" {
                // Until the server has given the former client up.
                world.run_for(Duration::from_secs(40));
            }
        }
        world.server_disk().end(Fault::Power);
        let mut end = End::Ended;
        for _ in 0..10 {
            if !matches!(end, End::Done(_)) {
                let job = world.start(0, Command::put("one", "file"));
                end = world.run(job, Duration::from_secs(100));
            }
        }
        assert!(matches!(end, End::Done(_)), "seed {seed}: {end:?}");
        let stored = world.server_disk().visible(Path::new("file")).unwrap();
        assert!(stored == versions[0].1, "seed {seed}: what is stored is not what was sent");
    }
}
