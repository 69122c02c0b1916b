//! Bytes that mean nothing, to measure the path.

use gannet_driver_mio::client::{Failure, Way};
use gannet_protocol::{MAX_MEASURED, Status};

use super::world::{World, finish};

const LEN: u64 = 20_000_000;

#[test]
fn bytes_that_mean_nothing_travel_both_ways_and_leave_nothing() {
    let world = World::new();
    let client = world.client();
    for way in [Way::Up, Way::Down] {
        for len in [LEN, 1, 0] {
            assert_eq!(finish(client.measure(way, len)), Ok(()), "{way:?} {len}");
        }
    }
    let report = finish(client.report()).unwrap();
    assert_eq!(report.body_sent, LEN + 1, "the server sent that, and all of it once");
    assert_eq!(world.names_there(), [""; 0]);
    assert_eq!(world.names_here(), [""; 0]);
}

#[test]
fn who_has_measured_enough_goes_on() {
    let world = World::new();
    let client = world.client();
    for way in [Way::Up, Way::Down] {
        let job = client.measure(way, MAX_MEASURED);
        while job.progress().done < LEN {
            std::thread::yield_now();
        }
        job.cancel();
        assert_eq!(finish(job), Err(Failure::Cancelled));
        assert_eq!(finish(client.measure(way, LEN)), Ok(()));
    }
}

/// `docs/hostile-input.md`, row 57.
#[test]
fn a_body_to_be_measured_is_bounded() {
    let world = World::new();
    let client = world.client();
    for way in [Way::Up, Way::Down] {
        let refused = Failure::Remote { status: Status::TooLarge, detail: 0 };
        assert_eq!(finish(client.measure(way, MAX_MEASURED + 1)), Err(refused), "{way:?}");
    }
}
