//! The worlds themselves can be trusted.

use std::time::Duration;

use gannet_tests::{
    content::Content,
    directory::name,
    host::{Job, Outcome},
    scenario::{Scenario, Way},
    world::{Path, Rebind, World},
};

const MS: Duration = Duration::from_millis(1);

fn eventful(seed: u64) -> (u64, Duration) {
    let mut world = World::new(seed);
    for file in 0..5 {
        world
            .server_mut()
            .files
            .insert(&name(&format!("{file}")), Content::pattern(file, 100_000 * file));
    }
    let clients: Vec<_> = (1..4)
        .map(|i| {
            let path = Path::new(10_000_000, i * 20 * MS);
            world.add_client(path.loss(0.03).reorder(0.02, MS).duplicate(0.02).corrupt(0.01))
        })
        .collect();
    world.rebind_every(clients[0], Rebind::Address, 300 * MS);
    for client in &clients {
        for file in 0..5 {
            world.start(*client, Job::Get(name(&format!("{file}"))));
            world.start(*client, Job::put(&name(&format!("{file}")), Content::pattern(9, 50_000)));
        }
    }
    world.run_until_idle(Duration::from_secs(100));
    (world.trace_hash(), world.elapsed())
}

/// The same seed gives the same packets at the same times, byte for byte; another gives others.
#[test]
fn a_world_repeats() {
    let first = eventful(1);
    assert_eq!(first, eventful(1));
    assert_ne!(first.0, eventful(2).0);
}

#[test]
fn what_was_not_asked_for_does_not_change_what_happens() {
    let run = |watch: bool| {
        let mut scenario =
            Scenario::new(3, Path::new(50_000_000, 20 * MS).loss(0.01), Way::Get, 1_000_000);
        if watch {
            scenario.world.set_filter(|_| true);
        }
        scenario.run(Duration::from_secs(20));
        scenario.world.trace_hash()
    };
    assert_eq!(run(false), run(true));
}

#[test]
fn a_world_without_clients_stands_still() {
    let mut world = World::new(4);
    world.run_for(Duration::from_secs(1000));
    assert_eq!(world.elapsed(), Duration::from_secs(1000));
    assert!(world.server().endpoint.poll_timeout().is_none());
}

#[test]
fn a_path_takes_the_time_that_it_says() {
    let mut world = World::new(5);
    world.server_mut().files.insert(&name("file"), Content::bytes(b"short"));
    let client = world.add_client(Path::new(1_000_000_000, 200 * MS));
    let get = world.start(client, Job::Get(name("file")));
    world.run_until_idle(Duration::from_secs(2));
    assert!(matches!(world.outcome(client, get), Some(Outcome::Got(_))));
    // Hello and answer, request and file; the end waits for nothing but the acknowledgement of our last word.
    assert!((400 * MS..700 * MS).contains(&world.elapsed()), "{:?}", world.elapsed());
}
