//! Clients that keep their connection and let their transfers stand: `docs/hostile-input.md`, row 34.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use gannet_driver_mio::netem::Queue;
use gannet_protocol::Status;
use gannet_tests::{
    content::Content,
    directory::name,
    disk::DiskConfig,
    forge::{
        ForgedClient, Frame, Parameters, ack_of,
        message::{get, opening, put},
    },
    host::{Job, Outcome},
    scenario::both_ways,
    world::{Path, World},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MIB: u64 = 1 << 20;
const STRANGER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1)), 4000);

/// A client that acknowledges all that comes, and says what a test wants once a second.
struct Lazy {
    world: World,
    forged: ForgedClient,
    received: BTreeSet<u64>,
}

impl Lazy {
    fn new(first: &[Frame]) -> Self {
        let mut world = World::new(1);
        world.server_mut().files.insert(&name("file"), Content::pattern(1, 10 * MIB));
        let mut forged = ForgedClient::connect(&mut world, STRANGER, &Parameters::default());
        forged.send(&mut world, first);
        Self { world, forged, received: BTreeSet::new() }
    }

    /// The second in which the server gave exchange 0 up, if it did.
    fn given_up(&mut self, seconds: u64, mut says: impl FnMut(u64) -> Vec<Frame>) -> Option<u64> {
        let stalled = u64::from(Status::Stalled.code());
        (0..seconds).find(|second| {
            // Acknowledged soon, so that the server has no reason to repeat itself.
            for _ in 0..10 {
                let mut frames = Vec::new();
                for (number, came) in self.forged.receive(&mut self.world) {
                    self.received.insert(number);
                    frames.extend(came);
                }
                assert!(!frames.iter().any(|frame| matches!(frame, Frame::Close(_))));
                if frames.iter().any(|frame| {
                    matches!(frame, Frame::Reset { exchange: 0, status, .. } if u64::from(*status) == stalled)
                }) {
                    return true;
                }
                self.forged.send(&mut self.world, &[Frame::Ack(ack_of(&self.received))]);
                self.world.run_for(100 * MS);
            }
            let mut frames = says(*second);
            frames.insert(0, Frame::Ping);
            self.forged.send(&mut self.world, &frames);
            false
        })
    }
}

/// It takes what its first credit allows, and grants nothing, or a little now and then.
#[test]
fn a_reader_that_drips_is_given_up() {
    for drip in [0, 100] {
        let mut lazy = Lazy::new(&[opening(0, get(b"file"))]);
        let given_up = lazy.given_up(600, |second| {
            let limit = MIB + drip * second;
            vec![Frame::BodyCredit { exchange: 0, limit }, Frame::Credit(limit, 64, MIB)]
        });
        assert!(given_up.is_some_and(|second| (120..=200).contains(&second)), "{given_up:?}");
        assert!(lazy.world.server().closed.is_empty(), "the connection goes on");
    }
}

/// It sends the start of a file, and then a byte now and then.
#[test]
fn a_sender_that_stalls_is_given_up() {
    let data = |offset, len| Frame::Data { exchange: 0, offset, bytes: vec![7; len] };
    for drips in [false, true] {
        let mut lazy = Lazy::new(&[opening(0, put(b"x", 5 * MIB)), data(0, 1000)]);
        let given_up = lazy.given_up(600, |second| match drips {
            true => vec![data(1000 + second, 1)],
            false => vec![],
        });
        assert!(given_up.is_some_and(|second| (120..=200).contains(&second)), "{given_up:?}");
        assert!(lazy.world.server().files.get(&name("x")).is_err());
    }
}

/// It begins a request and does not end it.
#[test]
fn a_request_without_an_end_is_given_up() {
    let mut lazy = Lazy::new(&[opening(0, get(b"file")[..3].to_vec())]);
    let given_up = lazy.given_up(600, |_| vec![]);
    assert!(given_up.is_some_and(|second| (120..=200).contains(&second)), "{given_up:?}");
}

#[test]
fn a_slow_link_is_no_stall() {
    // 4 minutes at 14,400 bits a second.
    let path = Path::new(14_400, 200 * MS).queue(Queue::Bytes(20_000));
    for moved in both_ways(2, &path, 400_000, 900 * SECOND) {
        assert!(moved.time > 200 * SECOND, "{moved}");
    }
}

#[test]
fn a_slow_disk_of_the_servers_own_is_no_stall() {
    let mut world = World::new(3);
    let client = world.add_client(Path::new(50_000_000, 20 * MS));
    world.server_mut().stuck.insert(name("file"));
    let content = Content::pattern(3, 20 * MIB);
    let job = world.start(client, Job::put(&name("file"), content));
    world.run_for(500 * SECOND);
    assert_eq!(world.outcome(client, job), None);
    let now = world.now();
    world.server_mut().unstick(now);
    world.run_until_idle(60 * SECOND);
    assert!(matches!(world.outcome(client, job), Some(Outcome::Stored(_))));
}

#[test]
fn a_slow_disk_of_the_client_is_no_stall() {
    let mut world = World::new(4);
    let client = world.add_client(Path::new(50_000_000, 20 * MS));
    let content = Content::pattern(4, 20 * MIB);
    world.server_mut().files.insert(&name("file"), content.clone());
    // A quarter of a body's first window takes it 52 s.
    world
        .client_mut(client)
        .set_disk(DiskConfig { write_rate: Some(10_000), ..DiskConfig::default() });
    let job = world.start(client, Job::Get(name("file")));
    world.run_for(500 * SECOND);
    assert_eq!(world.outcome(client, job), None);
    world.client_mut(client).set_disk(DiskConfig::default());
    world.run_until_idle(1_000 * SECOND);
    let outcome = world.outcome(client, job);
    assert!(matches!(outcome, Some(Outcome::Got(got)) if got.is(&content)), "{outcome:?}");
}
