//! Credit: memory is bounded by the window, nobody starves, and nothing of the window is ever lost.

use std::time::Duration;

use gannet_tests::{
    content::Content,
    directory::name,
    disk::DiskConfig,
    host::{Job, Outcome},
    outgoing::SourceFault,
    scenario::{Scenario, Way},
    world::{ClientId, Path, World},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MB: u64 = 1_000_000;
const MIB: u64 = 1 << 20;

/// The largest window of a connection.
const MAX_WINDOW: u64 = 32 * MIB;

fn path() -> Path {
    Path::new(200_000_000, 20 * MS)
}

#[test]
fn a_slow_disk_slows_the_sender_and_memory_stays_bounded() {
    for way in Way::BOTH {
        let mut scenario = Scenario::new(1, path(), way, 40 * MB);
        let slow = DiskConfig { write_rate: Some(2_000_000), ..DiskConfig::default() };
        let client = scenario.client;
        match way {
            Way::Get => scenario.world.client_mut(client).set_disk(slow),
            Way::Put => scenario.world.server_mut().set_disk(slow),
        }
        let moved = scenario.run(60 * SECOND);
        assert!((19 * SECOND..22 * SECOND).contains(&moved.time), "{moved}");
        let receiver = match way {
            Way::Get => scenario.world.client(client),
            Way::Put => scenario.world.server(),
        };
        // A disk that is slower than the path needs no larger window than the first.
        assert!(receiver.disk().peak() <= 4 * MIB, "{}", receiver.disk().peak());
        assert!(moved.wasted() < 100_000, "{moved}");
    }
}

#[test]
fn a_disk_that_takes_long_to_answer_does_not_slow_the_sender() {
    for way in Way::BOTH {
        let mut scenario = Scenario::new(2, path(), way, 100 * MB);
        let late = DiskConfig { latency: 30 * MS, ..DiskConfig::default() };
        let client = scenario.client;
        scenario.world.client_mut(client).set_disk(late);
        scenario.world.server_mut().set_disk(late);
        let moved = scenario.run(20 * SECOND);
        assert!(moved.goodput() > 130e6, "{moved}");
    }
}

#[test]
fn the_window_grows_with_the_path_and_no_further_than_its_limit() {
    for way in Way::BOTH {
        let mut scenario = Scenario::new(3, Path::new(1_000_000_000, 100 * MS), way, 400 * MB);
        scenario.world.set_grain(MS / 10);
        let moved = scenario.run(20 * SECOND);
        assert!(moved.goodput() > 400e6, "{moved}");
        let client = scenario.client;
        for host in [scenario.world.server(), scenario.world.client(client)] {
            assert!(host.disk().peak() <= MAX_WINDOW);
        }
    }
}

#[test]
fn a_source_that_has_nothing_yet_does_not_stop_another() {
    for way in Way::BOTH {
        let mut world = World::new(4);
        let client = world.add_client(path());
        let content = Content::pattern(4, 20 * MB);
        let late = SourceFault::Late { at: 1_234_567, wait: 20 * SECOND };
        let jobs = match way {
            Way::Get => {
                world.server_mut().files.insert(&name("late"), content.clone());
                world.server_mut().files.insert(&name("ready"), content.clone());
                world.server_mut().faults.insert(name("late"), late);
                [Job::Get(name("late")), Job::Get(name("ready"))]
            }
            Way::Put => [
                Job::faulty_put(&name("late"), content.clone(), late),
                Job::put(&name("ready"), content.clone()),
            ],
        };
        let [late, ready] = jobs.map(|job| world.start(client, job));
        let done = |world: &mut World| world.outcome(client, ready).is_some();
        assert!(world.run_until(done, 3 * SECOND), "{way:?}");
        assert_eq!(world.outcome(client, late), None);
        world.run_until_idle(30 * SECOND);
        for job in [late, ready] {
            match world.outcome(client, job) {
                Some(Outcome::Got(got)) => assert!(got.is(&content)),
                Some(Outcome::Stored(stored)) => assert_eq!(stored.hash, Some(content.root())),
                outcome => panic!("{outcome:?}"),
            }
        }
    }
}

/// A body whose bytes are not written holds at most half of the window: others go on.
#[test]
fn a_stuck_body_does_not_stop_another() {
    for way in Way::BOTH {
        let mut world = World::new(5);
        let client = world.add_client(path());
        let content = Content::pattern(5, 20 * MB);
        let jobs = match way {
            Way::Get => {
                world.server_mut().files.insert(&name("stuck"), content.clone());
                world.server_mut().files.insert(&name("other"), content.clone());
                [Job::Get(name("stuck")), Job::Get(name("other"))]
            }
            Way::Put => ["stuck", "other"].map(|file| Job::put(&name(file), content.clone())),
        };
        world.server_mut().stuck.insert(name("stuck"));
        world.client_mut(client).stuck.insert(name("stuck"));
        let [stuck, other] = jobs.map(|job| world.start(client, job));
        let done = |world: &mut World| world.outcome(client, other).is_some();
        assert!(world.run_until(done, 5 * SECOND), "{way:?}");
        assert_eq!(world.outcome(client, stuck), None);
        let now = world.now();
        world.server_mut().unstick(now);
        world.client_mut(client).unstick(now);
        world.run_until_idle(10 * SECOND);
        assert!(!matches!(world.outcome(client, stuck), Some(Outcome::Failed { .. })));
    }
}

/// Many bodies share what there is.
#[test]
fn bodies_side_by_side_get_their_share() {
    let mut world = World::new(6);
    let client = world.add_client(path());
    world.server_mut().files.insert(&name("file"), Content::pattern(6, 5 * MB));
    let jobs: Vec<_> = (0..10).map(|_| world.start(client, Job::Get(name("file")))).collect();
    let first = |world: &mut World| jobs.iter().any(|job| world.outcome(client, *job).is_some());
    assert!(world.run_until(first, 10 * SECOND));
    let begun = world.elapsed();
    world.run_until_idle(10 * SECOND);
    // They were served in turns, so all end at about the same time.
    assert!(world.elapsed() < begun * 11 / 10, "{begun:?} {:?}", world.elapsed());
}

/// How long a file of 20 MB takes now.
fn speed(world: &mut World, client: ClientId, way: Way) -> Duration {
    let begun = world.elapsed();
    world.server_mut().files.insert(&name("speed"), Content::pattern(7, 20 * MB));
    let job = match way {
        Way::Get => Job::Get(name("speed")),
        Way::Put => Job::put(&name("speed2"), Content::pattern(7, 20 * MB)),
    };
    world.start(client, job);
    world.run_until_idle(30 * SECOND);
    world.elapsed() - begun
}

/// Row 61: transfers that are given up at any moment, by cancel or by a failing disk, at either side, leave the window
/// as it was, and never stall another.
#[test]
fn ten_thousand_cancels_and_failed_writes_cost_nothing() {
    let mut world = World::new(7);
    let client = world.add_client(path());
    speed(&mut world, client, Way::Get);
    let before = Way::BOTH.map(|way| speed(&mut world, client, way));
    for i in 0..10u64 {
        world
            .server_mut()
            .files
            .insert(&name(&format!("{i}")), Content::pattern(i, i * i * 30_000));
    }
    let mut sent = 0u32;
    world.set_filter(move |_| {
        sent += 1;
        !sent.is_multiple_of(499)
    });
    let steady = Content::pattern(9, 2 * MB);
    world.server_mut().files.insert(&name("steady"), steady.clone());
    for round in 0..100u64 {
        let fails = DiskConfig { fails_at: Some(round * 20_000), ..DiskConfig::default() };
        let at_server = round % 3 == 0;
        world.server_mut().set_disk(if at_server { fails } else { DiskConfig::default() });
        let jobs: Vec<_> = (0..100u64)
            .map(|i| match (round + i) % 2 {
                0 => Job::Get(name(&format!("{}", i % 10))),
                _ => Job::put(&name("put"), Content::pattern(i, i * i * 300)),
            })
            .map(|job| world.start(client, job))
            .collect();
        let other = world.start(client, Job::Get(name("steady")));
        for (i, job) in jobs.into_iter().enumerate() {
            world.run_for(Duration::from_micros((round * 7 + i as u64 * 13) % 400));
            world.client_mut(client).cancel(job);
        }
        let done = |world: &mut World| world.outcome(client, other).is_some();
        assert!(world.run_until(done, 2 * SECOND), "stalled in round {round}");
        assert!(matches!(world.outcome(client, other), Some(Outcome::Got(got)) if got.is(&steady)));
    }
    world.server_mut().set_disk(DiskConfig::default());
    world.run_for(SECOND);
    assert_eq!(world.server().running() + world.client(client).running(), 0);
    world.set_filter(|_| true);
    // What was lost made the congestion window small; it has to grow again first.
    for _ in 0..3 {
        for way in Way::BOTH {
            speed(&mut world, client, way);
        }
    }
    let after = Way::BOTH.map(|way| speed(&mut world, client, way));
    for (before, after) in before.into_iter().zip(after) {
        assert!(after < before * 12 / 10 + 100 * MS, "{before:?} {after:?}");
    }
}

/// A hundred clients, each with a transfer; the server's memory is theirs together.
#[test]
fn many_clients() {
    let mut world = World::new(8);
    let content = Content::pattern(8, 200_000);
    world.server_mut().files.insert(&name("file"), content.clone());
    let jobs: Vec<_> = (0..100u64)
        .map(|i| {
            let client = world.add_client(Path::new(5_000_000, i as u32 * MS));
            (client, world.start(client, Job::Get(name("file"))))
        })
        .collect();
    world.run_until_idle(20 * SECOND);
    for (client, job) in jobs {
        assert!(matches!(world.outcome(client, job), Some(Outcome::Got(got)) if got.is(&content)));
    }
}
