//! Worlds in which disks fail, processes are killed and the power fails, each of a seed.
//!
//! `GANNET_WORLDS` says how many, `GANNET_WORLD_SEED` plays one of them and prints what happens in it.

use std::{
    env,
    panic::catch_unwind,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use gannet_tests::machines::Story;

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
