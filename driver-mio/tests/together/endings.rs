//! How servers and clients end, politely and not.

use std::{fs, path::PathBuf, time::Duration};

use gannet_driver_mio::{
    client::{Client, Failure, Job, Transferred},
    netem::{LinkConfig, Relay},
    partials,
};
use gannet_protocol::{CloseCode, CloseReason, Status};

use super::world::{PATIENCE, World, assert_holds, content, finish, make_long, name, root_as};

/// Bytes of a file that takes longer to move than what is done meanwhile. It holds nothing, but has to fit on the disk of
/// whoever receives it.
const ENDLESS: u64 = 4 << 30;

/// A get that takes a while.
fn endless_get(world: &World, client: &Client) -> Job<Transferred> {
    make_long(&world.there("endless"), ENDLESS);
    let job = client.get(name("endless"), world.here("copy"));
    while job.progress().done == 0 {
        std::thread::yield_now();
    }
    job
}

/// The loss that a client notices by itself.
fn wait_for_loss(client: &Client) -> gannet_driver_mio::client::Lost {
    let begun = std::time::Instant::now();
    loop {
        if let Some(lost) = client.lost() {
            return lost;
        }
        assert!(begun.elapsed() < PATIENCE, "no loss");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_client_stops_the_server() {
    let mut world = World::new();
    let (client, other) = (world.client(), world.client());
    finish(client.exit(false)).unwrap();
    world.join();
    for client in [client, other] {
        let lost = wait_for_loss(&client);
        assert_eq!(lost.reason, CloseReason::Peer(CloseCode::ShuttingDown));
        assert_eq!(finish(client.list(None)), Err(Failure::Lost(lost)));
    }
}

#[test]
fn an_exit_is_refused_while_others_transfers_run_unless_it_insists() {
    let mut world = World::new();
    let (client, other) = (world.client(), world.client());
    let job = endless_get(&world, &other);
    let busy = Failure::Remote { status: Status::Busy, detail: 1 };
    assert_eq!(finish(client.exit(false)), Err(busy));
    assert_eq!(finish(client.list(None)).unwrap().len(), 1, "the server goes on");
    finish(client.exit(true)).unwrap();
    world.join();
    assert!(matches!(finish(job), Err(Failure::Lost(_))));
    drop(other);
    assert_eq!(world.whole_here(), [""; 0]);
}

#[test]
fn running_transfers_may_end_and_nothing_new_begins() {
    let mut world = World::new();
    let bytes = content(1, 20 << 20);
    fs::write(world.there("file"), &bytes).unwrap();
    let client = world.client();
    let job = client.get(name("file"), world.here("copy"));
    while job.progress().done == 0 {
        std::thread::yield_now();
    }
    world.stopper.stop();
    let late = finish(client.list(None));
    let refused = Failure::Remote { status: Status::ShuttingDown, detail: 0 };
    assert!(late == Err(refused) || matches!(late, Err(Failure::Lost(_))) || late.is_ok());
    finish(job).unwrap();
    world.join();
    assert_holds(&world.here("copy"), &bytes);
}

#[test]
fn a_second_stop_ends_at_once() {
    let mut world = World::new();
    let client = world.client();
    let job = endless_get(&world, &client);
    world.stopper.stop();
    world.stopper.stop();
    world.join();
    let lost = wait_for_loss(&client);
    assert_eq!(lost.reason, CloseReason::Peer(CloseCode::ShuttingDown));
    assert_eq!(finish(job), Err(Failure::Lost(lost)));
}

#[test]
fn an_abort_leaves_only_what_can_be_gone_on_with_on_either_side() {
    let world = World::new();
    let client = world.client();
    let get = endless_get(&world, &client);
    make_long(&world.here("source"), ENDLESS);
    let put = client.put(world.here("source"), root_as("stored"));
    while put.progress().done == 0 {
        std::thread::yield_now();
    }
    client.abort();
    assert_eq!(world.whole_here(), ["source"]);
    let left = |dir: &PathBuf| partials::find(dir).unwrap();
    let (here, there) = (left(&world.here("")), world.there(""));
    assert!(here.iter().all(|left| left.kept > 0 && !left.in_use), "{here:?}");
    assert!(finish(get).is_err() && finish(put).is_err());
    // The server hears of it, and serves the next one.
    let other = world.client();
    finish(other.list(None)).unwrap();
    while left(&there).iter().any(|left| left.in_use) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(world.whole_there(), ["endless"]);
    assert!(left(&there).iter().all(|left| left.kept > 0));
}

/// Nobody answers any more, and the host says so.
#[test]
fn a_server_that_is_gone_is_noticed_by_its_host() {
    let world = World::new();
    let relay = Relay::start(world.address, LinkConfig::default(), LinkConfig::default()).unwrap();
    let client = world.client_over(relay.address());
    let job = endless_get(&world, &client);
    drop(relay);
    let Err(Failure::Lost(lost)) = finish(job) else { panic!("it was not lost") };
    assert!(lost.refused && matches!(lost.reason, CloseReason::Silence(_)), "{lost:?}");
    assert_eq!(client.lost(), Some(lost));
    drop(client);
    assert_eq!(world.whole_here(), [""; 0]);
}

/// A client that says nothing any more, and left more requests behind than it may have run at a time.
#[test]
fn a_client_that_vanishes_takes_nobody_along() {
    let world = World::new();
    fs::write(world.there("file"), content(1, 4 << 20)).unwrap();
    let relay = Relay::start(world.address, LinkConfig::default(), LinkConfig::default()).unwrap();
    let client = world.client_over(relay.address());
    let get = |at: usize| client.get(name("file"), world.here(&format!("copy-{at}")));
    let jobs: Vec<_> = (0..100).map(get).collect();
    while jobs.iter().all(|job| job.progress().done == 0) {
        std::thread::yield_now();
    }
    relay.handle().set_blackout(true);
    let other = world.client();
    finish(other.get(name("file"), world.here("other"))).unwrap();
    assert_holds(&world.here("other"), &content(1, 4 << 20));
    drop(jobs);
    drop(client);
    finish(other.list(None)).unwrap();
}
