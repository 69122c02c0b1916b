//! Files arrive whole over paths that lose, reorder, double and damage packets, and little is sent in vain.

use std::time::Duration;

use gannet_driver_mio::netem::{IPV4_UDP_OVERHEAD, LinkConfig, Queue};
use gannet_tests::{
    scenario::{Moved, Scenario, Way, both_ways},
    world::Path,
};

const MS: Duration = Duration::from_millis(1);
const MB: u64 = 1_000_000;

fn path() -> Path {
    Path::new(50_000_000, 40 * MS)
}

#[track_caller]
fn check(path: &Path, len: u64, wasted_percent: u64) {
    for seed in 1..=3 {
        for moved in both_ways(seed, path, len, Duration::from_secs(1200)) {
            check_waste(&moved, wasted_percent);
        }
    }
}

#[track_caller]
fn check_waste(moved: &Moved, percent: u64) {
    // What a few probe timeouts cost, however short the file.
    let few = 64 * 1024;
    assert!(moved.wasted() <= moved.len * percent / 100 + few, "{moved}: too much in vain");
}

#[test]
fn no_loss() {
    check(&path(), 8 * MB, 0);
}

#[test]
fn loss_of_a_thousandth() {
    check(&path().loss(0.001), 8 * MB, 0);
}

#[test]
fn loss_of_1_percent() {
    check(&path().loss(0.01), 8 * MB, 0);
}

#[test]
fn loss_of_5_percent() {
    check(&path().loss(0.05), 4 * MB, 0);
}

#[test]
fn loss_of_10_percent() {
    check(&path().loss(0.1), 2 * MB, 3);
}

#[test]
fn loss_of_20_percent() {
    check(&path().loss(0.2), 2 * MB, 8);
}

#[test]
fn loss_of_30_percent() {
    check(&path().loss(0.3), MB, 15);
}

#[test]
fn bursts() {
    check(&path().bursts(0.02, 5.0), 4 * MB, 0);
    check(&path().bursts(0.05, 4.0), 2 * MB, 0);
}

#[test]
fn reordering() {
    check(&path().reorder(0.02, 5 * MS), 8 * MB, 0);
    check(&path().reorder(0.2, MS), 8 * MB, 0);
    check(&path().reorder(0.5, 10 * MS), 8 * MB, 5);
}

#[test]
fn jitter() {
    check(&path().both(|link| link.jitter = 20 * MS), 8 * MB, 0);
}

#[test]
fn duplication() {
    check(&path().duplicate(0.1), 8 * MB, 0);
    check(&path().duplicate(1.0), 8 * MB, 0);
}

/// Damaged packets count as lost.
#[test]
fn corruption() {
    check(&path().corrupt(0.01), 4 * MB, 0);
    check(&path().both(|link| link.corrupt_unseen = 0.02), 4 * MB, 0);
    check(&path().corrupt(0.1), MB, 0);
}

#[test]
fn everything_at_once() {
    let path =
        path().loss(0.05).reorder(0.1, 3 * MS).duplicate(0.1).corrupt(0.02).bursts(0.02, 4.0);
    check(&path, 2 * MB, 0);
}

#[test]
fn a_queue_of_5_packets() {
    check(&path().queue(Queue::Packets(5)), 8 * MB, 0);
    check(&Path::new(10_000_000, 30 * MS).queue(Queue::Packets(5)).loss(0.01), 4 * MB, 0);
}

#[test]
fn a_queue_of_seconds() {
    check(&Path::new(5_000_000, 40 * MS).queue(Queue::Bytes(1 << 21)), 8 * MB, 0);
}

/// Row 62: acknowledgements are not heard for 10 s, while a tenth of the packets is lost both ways.
#[test]
fn a_dead_acknowledgement_path_is_no_storm_of_losses() {
    for way in Way::BOTH {
        let mut path = path().loss(0.1);
        let back = match way {
            Way::Get => &mut path.up,
            Way::Put => &mut path.down,
        };
        let second = Duration::from_secs(1);
        back.blackouts = vec![second..11 * second];
        let moved = Scenario::new(5, path, way, 2 * MB).run(Duration::from_secs(600));
        check_waste(&moved, 0);
    }
}

/// Of the way back, a hundredth of the rate is left: there is no room for an acknowledgement each packet or two.
#[test]
fn a_narrow_way_back() {
    for way in Way::BOTH {
        let narrow = LinkConfig {
            rate: Some(250_000),
            queue: Queue::Packets(20),
            overhead_bytes: IPV4_UDP_OVERHEAD,
            delay: 20 * MS,
            ..LinkConfig::default()
        };
        let mut path = Path::new(25_000_000, 40 * MS);
        match way {
            Way::Get => path.up = narrow,
            Way::Put => path.down = narrow,
        }
        let moved = Scenario::new(6, path, way, 10 * MB).run(Duration::from_secs(60));
        check_waste(&moved, 0);
        assert!(moved.goodput() > 12e6, "{moved}");
    }
}
