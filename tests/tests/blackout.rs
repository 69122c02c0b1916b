//! Transfers go on by themselves when a path comes back.

use std::{ops::Range, time::Duration};

use gannet_driver_mio::netem::LinkConfig;
use gannet_protocol::{CloseReason, Config};
use gannet_tests::{
    content::Content,
    directory::name,
    host::{Job, Outcome},
    scenario::{Moved, Scenario, Way, both_ways},
    world::{Path, World},
};

const SECOND: Duration = Duration::from_secs(1);
const MB: u64 = 1_000_000;

fn path() -> Path {
    Path::new(20_000_000, Duration::from_millis(50))
}

fn span(from: u32, to: u32) -> Range<Duration> {
    from * SECOND..to * SECOND
}

/// What may be sent again: the window that was in flight, and a few probes.
fn check_waste(moved: &Moved) {
    assert!(moved.wasted() < 100_000, "{moved}");
}

#[test]
fn twenty_seconds_without_a_path_cost_little_more_than_that() {
    for moved in both_ways(1, &path().blackouts(&[span(1, 21)]), 10 * MB, 60 * SECOND) {
        check_waste(&moved);
        // 4.5 s of sending, 20 s of nothing, at most one interval between probes, slow start.
        assert!(moved.time < 30 * SECOND, "{moved}");
    }
}

#[test]
fn twenty_seconds_one_way_only() {
    let changes: [fn(&mut Path) -> &mut LinkConfig; 2] =
        [|path| &mut path.up, |path| &mut path.down];
    for change in changes {
        for way in Way::BOTH {
            let mut path = path();
            change(&mut path).blackouts = vec![span(1, 21)];
            let moved = Scenario::new(2, path, way, 10 * MB).run(60 * SECOND);
            check_waste(&moved);
            assert!(moved.time < 30 * SECOND, "{moved}");
        }
    }
}

#[test]
fn a_second_on_and_a_second_off() {
    let spans: Vec<_> = (0..100).map(|i| span(1 + 2 * i, 2 + 2 * i)).collect();
    both_ways(4, &path().blackouts(&spans), 10 * MB, 120 * SECOND);
}

#[test]
fn a_blackout_longer_than_the_idle_timeout_ends_the_connection_on_both_sides() {
    let mut world = World::new(5);
    world.server_mut().files.insert(&name("file"), Content::pattern(5, 10 * MB));
    let client = world.add_client(path().blackouts(&[span(1, 100)]));
    let get = world.start(client, Job::Get(name("file")));
    world.run_until_idle(40 * SECOND);
    let silence = CloseReason::Silence(30 * SECOND);
    assert_eq!(world.outcome(client, get), Some(&Outcome::Lost(silence)));
    // Both heard of each other last when the blackout began.
    assert!((30 * SECOND..32 * SECOND).contains(&world.elapsed()));
    world.run_for(5 * SECOND);
    assert_eq!(world.server().closed.last().map(|(_, reason)| *reason), Some(silence));
    assert_eq!(world.server().running(), 0);
}

#[test]
fn the_shorter_idle_timeout_counts_for_both_sides() {
    let mut config = Config::default();
    config.idle_timeout = 5 * SECOND;
    for (server, client) in [(config.clone(), Config::default()), (Config::default(), config)] {
        let mut world = World::with_server(6, server);
        let path = world.add_path(path().blackouts(&[span(2, 100)]));
        let client = world.add_client_on(path, client);
        assert!(world.run_until(|world| world.close_reason(client).is_some(), 60 * SECOND));
        assert_eq!(world.close_reason(client), Some(CloseReason::Silence(5 * SECOND)));
        assert!(world.elapsed() < 8 * SECOND);
        world.run_for(SECOND);
        assert_eq!(world.server().closed.len(), 1);
    }
}

#[test]
fn an_idle_connection_stays() {
    let mut world = World::new(7);
    world.server_mut().files.insert(&name("file"), Content::pattern(5, 1000));
    let client = world.add_client(path());
    world.run_for(600 * SECOND);
    assert_eq!(world.close_reason(client), None);
    let (up, down) = world.counters(client);
    assert!(up.packets + down.packets < 600, "{up:?} {down:?}");
    let get = world.start(client, Job::Get(name("file")));
    world.run_until_idle(SECOND);
    assert!(matches!(world.outcome(client, get), Some(Outcome::Got(_))));
}

/// The server's first packets after the blackout must not all wait for the client, and the other way round.
#[test]
fn a_client_that_waits_for_an_answer_asks() {
    let mut world = World::new(8);
    world.server_mut().files.insert(&name("file"), Content::pattern(5, 100_000));
    let client = world.add_client(path().both(|link| link.blackouts = vec![span(1, 11)]));
    world.run_for(SECOND - Duration::from_millis(30));
    // The request arrives, the answer does not.
    let get = world.start(client, Job::Get(name("file")));
    world.run_until_idle(20 * SECOND);
    assert!(matches!(world.outcome(client, get), Some(Outcome::Got(_))));
    assert!(world.elapsed() < 15 * SECOND, "{:?}", world.elapsed());
}
