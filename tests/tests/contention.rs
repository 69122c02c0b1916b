//! Transfers on machines that are busy with other work, where whoever wakes up has to wait for a turn.

use std::time::Duration;

use gannet_protocol::Config;
use gannet_tests::{
    content::Content,
    scenario::{Moved, Scenario, Way},
    world::{Path, World},
};

/// Moves what `rate` carries in so many seconds between hosts that wait `mean` milliseconds for each turn, on the average.
fn run(way: Way, rate: u64, path: Path, mean: u64, seconds: u64) -> Moved {
    let mut world = World::new(1);
    let path = world.add_path(path);
    let client = world.add_client_on(path, Config::default());
    world.share_processors(Duration::from_millis(mean));
    let content = Content::pattern(1, rate / 8 * seconds);
    Scenario::start(world, client, way, content).run(Duration::from_mins(1))
}

/// What was not sent in time is caught up with, and what is late for the machine's sake is taken neither for a slow path nor for a queue
/// that others fill.
#[test]
fn a_busy_machine_uses_most_of_a_lossy_path() {
    for (mbit, rtt, loss, mean, part) in
        [(200, 40, 0.005, 3, 0.5), (200, 40, 0.005, 6, 0.4), (50, 30, 0.01, 3, 0.55)]
    {
        let rate = mbit * 1_000_000;
        for way in Way::BOTH {
            let path = Path::new(rate, Duration::from_millis(rtt)).loss(loss);
            let moved = run(way, rate, path, mean, 3);
            let used = moved.goodput() / rate as f64;
            assert!(used > part, "{way:?}, {mbit} Mbit/s, {mean} ms late: {used:.2}, {moved}");
        }
    }
}

/// What is caught up with is no more than a queue holds: little more is lost than where there is always time.
#[test]
fn a_busy_machine_floods_no_queue() {
    let rate = 100_000_000;
    for way in Way::BOTH {
        let [idle, busy] = [0, 3].map(|mean| {
            let moved = run(way, rate, Path::new(rate, Duration::from_millis(40)), mean, 10);
            moved.dropped as f64 / moved.packets.0 as f64
        });
        assert!(busy < idle + 0.01, "{way:?}: {busy:.4} lost, {idle:.4} if idle");
    }
}
