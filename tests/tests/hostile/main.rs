//! Peers that break the protocol once they are connected.

/// Runs each test on plain connections and on sealed ones.
macro_rules! in_both_modes {
    ($($test:ident)*) => {
        mod plain {
            $(#[test]
            fn $test() {
                super::$test(super::Mode::Plain);
            })*
        }

        mod sealed {
            $(#[test]
            fn $test() {
                super::$test(super::Mode::Sealed);
            })*
        }
    };
}

mod acknowledgements;
mod bodies;
mod frames;

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    ops::{Deref, DerefMut},
    time::Duration,
};

use gannet_protocol::{CloseCode, CloseReason, ConnectionHandle, MAX_BODY, Status, Violation};
use gannet_tests::{
    content::Content,
    crypto::Seeded,
    directory::name,
    forge::{
        self, Ack, ForgedClient, ForgedServer, Frame, Mode, Parameters, ack, ack_of,
        message::{self, end, get, group, meta_reply, opening, put, rename, whole},
    },
    host::{Job, JobId, Outcome},
    world::{ClientId, Path, World},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MIB: u64 = 1 << 20;

const STRANGER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1)), 4000);

/// A world with an honest client, whose transfer ends as it should whatever is done to others: that is checked at the end.
struct Stage {
    world: World,
    honest: Option<(ClientId, JobId)>,
    /// The server's end of the forged client's connection.
    forged: Option<ConnectionHandle>,
}

impl Stage {
    fn new(mode: Mode) -> Self {
        let mut world = mode.world(1);
        world.server_mut().files.insert(&name("file"), Content::pattern(1, 10 * MIB));
        world.server_mut().files.insert(&name("honest"), Content::pattern(2, 300_000));
        let honest = mode.add_client(&mut world, Path::new(10_000_000, 20 * MS));
        let job = world.start(honest, Job::Get(name("honest")));
        // It is under way.
        world.run_for(70 * MS);
        assert!(world.server_stats().is_some_and(|stats| stats.body_sent > 0));
        assert_eq!(world.outcome(honest, job), None);
        Self { world, honest: Some((honest, job)), forged: None }
    }

    /// Lets the honest transfer come to its end, and the client go.
    fn finish_honest(&mut self) {
        let Some((honest, job)) = self.honest.take() else { return };
        let done = self.world.run_until(|world| world.outcome(honest, job).is_some(), 10 * SECOND);
        assert!(done, "the honest transfer hangs");
        let outcome = self.world.outcome(honest, job);
        let Some(Outcome::Got(got)) = outcome else { panic!("{outcome:?}") };
        assert!(got.is(&Content::pattern(2, 300_000)));
        self.world.client_mut(honest).disconnect();
        self.world.run_for(SECOND);
    }

    /// Why the forged client's connection ended at the server, if it did.
    fn end(&self) -> Option<CloseReason> {
        let ends = &self.world.server().closed;
        ends.iter().find(|(handle, _)| Some(*handle) == self.forged).map(|(_, reason)| *reason)
    }
}

impl Deref for Stage {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for Stage {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.finish_honest();
        }
    }
}

fn to_server(mode: Mode) -> (Stage, ForgedClient) {
    to_server_with(mode, &Parameters::default())
}

fn to_server_with(mode: Mode, parameters: &Parameters) -> (Stage, ForgedClient) {
    let mut stage = Stage::new(mode);
    let forged = ForgedClient::connect_in(mode, &mut stage, STRANGER, parameters);
    assert_eq!(stage.server().connected.len(), 2);
    stage.forged = stage.server().connected.last().copied();
    (stage, forged)
}

fn to_client(mode: Mode, job: Job) -> (Stage, ClientId, ForgedServer) {
    to_client_with(mode, job, &Parameters::default())
}

fn to_client_with(
    mode: Mode,
    job: Job,
    parameters: &Parameters,
) -> (Stage, ClientId, ForgedServer) {
    let mut stage = Stage::new(mode);
    let client = mode.add_client(&mut stage, Path::new(50_000_000, 20 * MS));
    let mut forged = ForgedServer::replace(&mut stage, client);
    forged.answer(&mut stage, parameters);
    stage.start(client, job);
    stage.run_for(MS);
    (stage, client, forged)
}

fn message(exchange: u64, offset: u64, bytes: &[u8]) -> Frame {
    Frame::Message { exchange, offset, fin: false, bytes: bytes.to_vec() }
}

fn data(exchange: u64, offset: u64, len: usize) -> Frame {
    Frame::Data { exchange, offset, bytes: vec![7; len] }
}

fn raw(bytes: &[u8]) -> Frame {
    Frame::Raw(bytes.to_vec())
}

/// Sends a packet of each list of frames to a server, which must close with that violation, and not before the last.
#[track_caller]
fn server_closes(mode: Mode, packets: &[&[Frame]], violation: Violation) {
    let (mut world, mut forged) = to_server(mode);
    let (last, before) = packets.split_last().expect("something to send");
    for frames in before {
        forged.send(&mut world, frames);
        world.run_for(20 * MS);
        assert_eq!(forged.closed(&mut world), None, "too early, at {frames:?}");
    }
    forged.send(&mut world, last);
    assert_eq!(forged.closed(&mut world), Some(violation.code()), "{last:?}");
    assert_eq!(world.end(), Some(CloseReason::Violation(violation)));
    // It says so again to whoever goes on, but not for ever, and forgets it.
    for _ in 0..100 {
        forged.send(&mut world, &[Frame::Ping]);
    }
    assert!(forged.receive(&mut world).len() < 10);
    world.finish_honest();
    world.run_for(5 * SECOND);
    assert!(world.server().endpoint.poll_timeout().is_none());
}

/// The same to a client that wants something.
#[track_caller]
fn client_closes(mode: Mode, job: Job, packets: &[&[Frame]], violation: Violation) {
    let (mut world, client, mut forged) = to_client(mode, job);
    for frames in packets {
        assert_eq!(world.close_reason(client), None, "too early, before {frames:?}");
        forged.send(&mut world, frames);
    }
    assert_eq!(world.close_reason(client), Some(CloseReason::Violation(violation)), "{packets:?}");
    let close = Frame::Close(violation.code());
    assert!(forged.frames().contains(&close));
}

/// Row 31: of many challenges three are answered.
fn a_flood_of_challenges(mode: Mode) {
    let (mut world, mut forged) = to_server(mode);
    let many: Vec<_> = (0..120).map(|i| Frame::PathChallenge([i; 8])).collect();
    forged.send(&mut world, &many);
    let answers = forged.receive(&mut world);
    let responses = answers.iter().flat_map(|(_, frames)| frames);
    let count = responses.filter(|frame| matches!(frame, Frame::PathResponse(_))).count();
    assert!((1..=3).contains(&count), "{count}");
}

/// Row 6: empty datagrams without end, while a transfer goes on.
fn endless_empty_datagrams(mode: Mode) {
    let mut world = mode.world(3);
    world.server_mut().files.insert(&name("file"), Content::pattern(1, MIB));
    let client = mode.add_client(&mut world, Path::new(50_000_000, 20 * MS).loss(0.05));
    let job = world.start(client, Job::Get(name("file")));
    while world.outcome(client, job).is_none() {
        assert!(world.elapsed() < 60 * SECOND);
        for _ in 0..20 {
            world.spoof(STRANGER, &[]);
            world.spoof_down(client, &[]);
        }
        world.run_for(MS);
    }
    assert!(matches!(world.outcome(client, job), Some(Outcome::Got(_))));
}

/// A stranger who only knows the server's address ends nobody's connection.
fn strangers_do_not_disturb(mode: Mode) {
    let mut world = mode.world(4);
    let content = Content::pattern(1, 2 * MIB);
    world.server_mut().files.insert(&name("file"), content.clone());
    let client = mode.add_client(&mut world, Path::new(50_000_000, 20 * MS));
    let job = world.start(client, Job::Get(name("file")));
    let mut seed = 1u64;
    while world.outcome(client, job).is_none() {
        seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        for frames in [&[Frame::Close(0)][..], &[raw(&[0xff])], &[ack(&[(0, 5)])]] {
            world.spoof(STRANGER, &forge::data(seed >> 32, seed, frames));
            world.spoof_down(client, &forge::data(seed >> 32, seed, frames));
        }
        world.run_for(MS);
    }
    assert!(matches!(world.outcome(client, job), Some(Outcome::Got(got)) if got.is(&content)));
}

fn the_peers_reason_is_told(mode: Mode) {
    for (code, reason) in [
        (0, CloseCode::Done),
        (0x14, CloseCode::Violation(Violation::AckUnsent)),
        (0xffff, CloseCode::Unknown(0xffff)),
    ] {
        let (mut world, client, mut forged) = to_client(mode, Job::Rename(name("a"), name("b")));
        forged.send(&mut world, &[Frame::Close(code)]);
        assert_eq!(world.close_reason(client), Some(CloseReason::Peer(reason)));
        let (mut world, mut forged) = to_server(mode);
        forged.send(&mut world, &[opening(0, rename(b"a", b"b")), Frame::Close(code)]);
        assert_eq!(world.end(), Some(CloseReason::Peer(reason)));
        // It says nothing to the last word.
        forged.receive(&mut world);
        world.run_for(SECOND);
        assert!(forged.receive(&mut world).is_empty());
    }
}

/// Row 35: parameters at their extremes. What is sent to a peer that acknowledges nothing is bounded all the same.
fn parameters_at_their_extremes(mode: Mode) {
    const MAX: u64 = (1 << 62) - 1;
    let sizes = [(1, 1200), (1, 65_535), (2, 1000), (2, 3_600_000)];
    let limits = (3..=6).flat_map(|number| [(number, 0), (number, MAX)]);
    for (number, value) in sizes.into_iter().chain(limits) {
        let mut parameters = Parameters::default();
        parameters.set(number, value);
        let (mut world, mut forged) = to_server_with(mode, &parameters);
        forged.send(&mut world, &[whole(0, get(b"file"))]);
        world.run_for(60 * SECOND);
        let sent = forged.receive(&mut world).len();
        assert!(sent < 1000, "{number} {value}: {sent} packets");
        assert!(world.end().is_some(), "{number} {value}");
        let job = Job::put(&name("up"), Content::pattern(1, 100 * MIB));
        let (mut world, _, forged) = to_client_with(mode, job, &parameters);
        world.run_for(60 * SECOND);
        assert!(forged.receive().len() < 1000, "{number} {value}");
    }
}

/// Row 39: to whoever proves another key than the right one, and to whoever proves nothing, nothing is said but the hello; the
/// right server is still heard after them.
#[test]
fn a_server_in_the_middle() {
    let mut stage = Stage::new(Mode::Sealed);
    for right_one_answers in [false, true] {
        let client = Mode::Sealed.add_client(&mut stage, Path::new(50_000_000, 20 * MS));
        let mut forged = ForgedServer::replace(&mut stage, client);
        let job = stage.start(client, Job::Get(name("file")));
        let middle = Seeded::new(666).identity();
        forged.answer_as(&mut stage, &Parameters::default(), &middle);
        let hello = forged.receive().remove(0);
        stage.spoof_down(client, &forge::answer(&hello, 5, &Parameters::default()));
        assert!(forged.receive().iter().all(|packet| packet[0] == forge::HELLO));
        if right_one_answers {
            stage.run_for(SECOND);
            forged.answer(&mut stage, &Parameters::default());
            forged.send(&mut stage, &[Frame::Ping]);
            assert_eq!(stage.client(client).connected.len(), 1);
        } else {
            stage.run_for(15 * SECOND);
            assert!(forged.receive().iter().all(|packet| packet[0] == forge::HELLO));
            let end = CloseReason::WrongKey(*middle.public());
            assert_eq!(stage.outcome(client, job), Some(&Outcome::Lost(end)));
        }
    }
}

in_both_modes! {
    a_flood_of_challenges
    the_peers_reason_is_told
    endless_empty_datagrams
    strangers_do_not_disturb
    parameters_at_their_extremes
}
