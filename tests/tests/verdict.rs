//! What keeps a sender from sending more, in worlds where that is known.

use std::time::Duration;

use gannet_protocol::Spent;
use gannet_tests::{
    content::Content,
    directory::name,
    disk::DiskConfig,
    outgoing::SourceFault,
    scenario::{Scenario, Way},
    world::{ClientId, Path, World},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MB: u64 = 1_000_000;

/// What the sender of `scenario`'s file spent, and how long its connection was there.
fn spent(scenario: &mut Scenario, way: Way) -> (Spent, Duration) {
    let now = scenario.world.now();
    let host = match way {
        Way::Get => scenario.world.server_mut(),
        Way::Put => scenario.world.client_mut(scenario.client),
    };
    let connection = host.connected[0];
    let session = host.endpoint.session(connection).expect("the connection lives");
    (session.spent(now), now.saturating_since(gannet_protocol::Instant::ZERO))
}

/// Moves `len` bytes these ways in a world that `change` changes, and hands over each account.
#[track_caller]
fn each_way(
    ways: &[Way],
    path: &Path,
    len: u64,
    change: impl Fn(&mut World, ClientId, Way),
    check: impl Fn(Spent, Duration),
) {
    for &way in ways {
        let mut world = World::new(9);
        let client = world.add_client(path.clone());
        change(&mut world, client, way);
        let mut scenario = Scenario::start(world, client, way, Content::pattern(9, len));
        let moved = scenario.run(120 * SECOND);
        let (spent, lived) = spent(&mut scenario, way);
        let handshake = lived.saturating_sub(spent.total());
        assert!(handshake <= 100 * MS, "{way:?}: each moment counts, but those of the handshake");
        assert!(spent.total() >= moved.time.saturating_sub(100 * MS), "{way:?}");
        check(spent, moved.time);
    }
}

#[track_caller]
fn is_most(part: Duration, spent: Spent) {
    assert!(part * 100 >= spent.total() * 85, "{part:?} of {spent:?}");
}

#[test]
fn a_slow_link_is_the_path() {
    let path = Path::new(10_000_000, 20 * MS);
    each_way(&Way::BOTH, &path, 10 * MB, |_, _, _| {}, |spent, _| is_most(spent.path, spent));
}

#[test]
fn a_slow_receiver_is_credit() {
    let path = Path::new(1_000_000_000, 5 * MS);
    let slow = DiskConfig { write_rate: Some(5 * MB), ..DiskConfig::default() };
    each_way(
        &Way::BOTH,
        &path,
        40 * MB,
        |world, client, way| match way {
            Way::Get => world.client_mut(client).set_disk(slow),
            Way::Put => world.server_mut().set_disk(slow),
        },
        |spent, _| is_most(spent.credit, spent),
    );
}

#[test]
fn a_slow_source_is_the_source() {
    let path = Path::new(1_000_000_000, 5 * MS);
    let late = SourceFault::Late { at: MB, wait: 3 * SECOND };
    each_way(
        &[Way::Get],
        &path,
        5 * MB,
        |world, _, _| {
            world.server_mut().faults.insert(name("file"), late);
        },
        |spent, _| {
            is_most(spent.source, spent);
            assert!(spent.source.abs_diff(3 * SECOND) < 100 * MS, "{spent:?}");
        },
    );
}

/// A virtual clock stands while packets are made, and only the path is left.
#[test]
fn nothing_but_waiting_takes_time_here() {
    let path = Path::new(100_000_000, 50 * MS).loss(0.01);
    each_way(
        &Way::BOTH,
        &path,
        5 * MB,
        |_, _, _| {},
        |spent, _| {
            assert_eq!(
                (spent.busy, spent.credit, spent.source),
                (Duration::ZERO, Duration::ZERO, Duration::ZERO)
            );
            is_most(spent.path, spent);
        },
    );
}
