//! Peers that break the protocol once they are connected.

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

/// Row 3 and 4: unknown types; lengths and counts above what remains.
fn malformed_frames(mode: Mode) {
    for bytes in [
        &[13][..],
        &[9],
        &[0x3f],
        &[0xff; 30],
        // PADDING that is none.
        &[0, 1],
        // Lengths of messages: missing, above what remains, absurd.
        &[3, 0, 0],
        &[3, 0, 0, 5, 1, 2],
        &[3, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        &[4, 0xc0],
        // Offsets whose sum goes beyond the largest body.
        &[3, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1],
        &[5, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        // A number not in its shortest form.
        &[7, 0x40, 0, 0],
        &[5],
        &[6, 0, 0],
        &[7, 0],
        &[8, 0, 1, 0, 0],
        &[8, 0, 99, 0, 0, 0],
        &[10, 1, 2, 3],
        &[11, 1, 2, 3, 4, 5, 6, 7],
        &[12],
    ] {
        server_closes(mode, &[&[raw(bytes)]], Violation::Frame);
        client_closes(mode, Job::Get(name("file")), &[&[raw(bytes)]], Violation::Frame);
    }
}

/// Row 2: every frame cut at every byte.
fn frames_cut_anywhere(mode: Mode) {
    let frames = [
        ack(&[(1, 2)]),
        Frame::Ack(Ack { partial: true, delay: 7, ecn: Some([1, 2, 300]), ranges: vec![(0, 1)] }),
        message(0, 0, &get(b"file")),
        Frame::Credit(1 << 40, 1 << 20, 1 << 21),
        Frame::BodyCredit { exchange: 700, limit: 1 << 40 },
        Frame::Reset { exchange: 0, status: 16, detail: 0, body: 0, messages: 0 },
        Frame::PathChallenge([1; 8]),
        Frame::PathResponse([2; 8]),
        Frame::Close(1 << 20),
    ];
    for frame in frames {
        let mut bytes = Vec::new();
        frame.write(&mut bytes);
        for cut in 1..bytes.len() {
            server_closes(mode, &[&[raw(&bytes[..cut])]], Violation::Frame);
        }
    }
}

/// Row 25: nothing of it is believed.
fn an_acknowledgement_of_a_packet_never_sent(mode: Mode) {
    for largest in [1_000, u64::from(u32::MAX), (1 << 62) - 1] {
        server_closes(mode, &[&[ack(&[(0, largest)])]], Violation::AckUnsent);
        server_closes(mode, &[&[ack(&[(largest, largest)])]], Violation::AckUnsent);
        let job = Job::put(&name("file"), Content::pattern(1, 10 * MIB));
        client_closes(mode, job, &[&[ack(&[(largest, largest), (0, 1)])]], Violation::AckUnsent);
    }
}

/// `docs/hostile-input.md`, row 26: who acknowledges what it did not wait for meets a number that was left out.
fn an_acknowledgement_of_a_number_left_out(mode: Mode) {
    let (mut world, mut forged) = to_server(mode);
    forged.send(&mut world, &[whole(0, get(b"file"))]);
    world.run_for(20 * MS);
    let mut largest = 0;
    let closed = (0..1_000).any(|_| {
        let frames = forged.receive(&mut world);
        largest = frames.iter().map(|(number, _)| *number).fold(largest, u64::max);
        let code = frames.iter().flat_map(|(_, frames)| frames).find_map(|frame| match frame {
            Frame::Close(code) => Some(*code),
            _ => None,
        });
        forged.send(&mut world, &[ack(&[(0, largest)])]);
        world.run_for(5 * MS);
        code == Some(Violation::AckUnsent.code())
    });
    assert!(closed, "{largest} packets acknowledged unseen");
    // The first number is left out among the first hundred or so.
    assert!(largest < 200, "{largest}");
}

/// Row 27: ranges that reach below zero; more than were promised; two frames in a packet.
fn malformed_acknowledgements(mode: Mode) {
    for bytes in [
        // Flags that are none.
        &[2, 4, 0, 0, 0, 0][..],
        // The first range reaches below zero.
        &[2, 0, 1, 0, 0, 2],
        // A gap reaches below zero.
        &[2, 0, 1, 0, 1, 0, 0, 0],
        &[2, 0, 5, 0, 1, 0, 63, 0],
        // So does a range after it.
        &[2, 0, 1, 0, 1, 0, 0, 1],
        // More are promised than there are.
        &[2, 0, 1, 0, 9, 0],
        &[2, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0],
        &[2, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0],
    ] {
        server_closes(mode, &[&[raw(bytes)]], Violation::Frame);
    }
}

fn malformed_messages(mode: Mode) {
    let long = [b'x'; 300];
    for bytes in [
        message::message(0x7f, &[]),
        message::message(0, &[]),
        get(b""),
        get(b"/etc/passwd"),
        get(b"../x"),
        get(b"a//b"),
        get(b"a/./b"),
        get(b"nul\0"),
        get(&long),
        get(b".gannet-x"),
        put(b"two/components", 5),
        put(b"file", MAX_BODY + 1),
        message::message(1, &[&message::prefixed(b"x"), b"more"]),
        message::message(
            2,
            &[&[2], &message::prefixed(b""), &message::prefixed(b"x"), &message::meta(1)],
        ),
        message::message(5, &[&[2]]),
        message::message(5, &[]),
        vec![0],
    ] {
        server_closes(mode, &[&[whole(0, bytes)]], Violation::Message);
    }
    // A stream that ends within a message.
    let cut = get(b"file").split_last().unwrap().1.to_vec();
    server_closes(mode, &[&[whole(0, cut)]], Violation::Message);
    // A message over the greatest length is refused before it is here.
    let mut long = Vec::new();
    forge::put_varint(&mut long, 16 * 1024 + 1);
    server_closes(mode, &[&[message(0, 0, &long)]], Violation::MessageTooLong);
    client_closes(mode, Job::Get(name("x")), &[&[message(0, 0, &long)]], Violation::MessageTooLong);
}

/// Row 10: well-formed messages where they have no place.
fn messages_out_of_place(mode: Mode) {
    let wrong = Violation::UnexpectedMessage;
    for bytes in [meta_reply(5), message::done(), end(0), group(0, [0; 32])] {
        server_closes(mode, &[&[opening(0, bytes)]], wrong);
    }
    // Two requests in one exchange.
    server_closes(mode, &[&[opening(0, [get(b"file"), get(b"file")].concat())]], wrong);
    // A note on a body that the server sends; after the end; of a group that cannot be.
    server_closes(mode, &[&[opening(0, [get(b"file"), end(0)].concat())]], wrong);
    server_closes(mode, &[&[opening(0, [put(b"x", 0), end(0), end(0)].concat())]], wrong);
    server_closes(mode, &[&[opening(0, [put(b"x", 5), group(1, [0; 32])].concat())]], wrong);
    let job = || Job::Get(name("file"));
    for bytes in [get(b"x"), message::done(), end(0), [meta_reply(1), meta_reply(1)].concat()] {
        client_closes(mode, job(), &[&[opening(0, bytes)]], wrong);
    }
    let rename = Job::Rename(name("a"), name("b"));
    client_closes(mode, rename, &[&[opening(0, meta_reply(1))]], wrong);
}

/// An end that differs from what was announced, or from an end before, or lies below bytes that came.
fn ends_that_move(mode: Mode) {
    let moved = Violation::EndMoved;
    server_closes(mode, &[&[opening(0, [put(b"x", 5), end(6)].concat())]], moved);
    let request = get(b"file");
    let fin = |offset: u64, bytes: &[u8]| Frame::Message {
        exchange: 0,
        offset,
        fin: true,
        bytes: bytes.to_vec(),
    };
    let len = request.len() as u64;
    server_closes(mode, &[&[fin(0, &request), fin(len, b"more")]], moved);
    server_closes(mode, &[&[fin(0, &request), fin(len - 2, b"")]], moved);
    server_closes(mode, &[&[message(0, 0, &request), fin(1, b"")]], moved);
}

/// Row 30: more than was granted, or than there is.
fn beyond_credit_and_size(mode: Mode) {
    // Exchanges: 256 may be open.
    server_closes(mode, &[&[whole(256, get(b"file"))]], Violation::Credit);
    server_closes(mode, &[&[opening(0, put(b"x", 10)), data(0, 9, 2)]], Violation::BeyondEnd);
    server_closes(mode, &[&[opening(0, put(b"x", 0)), data(0, 0, 1)]], Violation::BeyondEnd);
    // A chunk that is empty, or crosses a block.
    server_closes(mode, &[&[opening(0, put(b"x", 9 * MIB)), data(0, 0, 0)]], Violation::Chunk);
    server_closes(
        mode,
        &[&[opening(0, put(b"x", 9 * MIB)), data(0, MIB - 1, 2)]],
        Violation::Chunk,
    );
    // Bytes of a message stream far beyond what came.
    server_closes(mode, &[&[message(0, 64 * 1024, b"x")]], Violation::MessageStream);
    client_closes(
        mode,
        Job::Get(name("file")),
        &[&[opening(0, meta_reply(10)), data(0, 10, 1)]],
        Violation::BeyondEnd,
    );
}

/// Row 30: body bytes beyond the window, when the disk does not take them.
fn body_bytes_beyond_the_window(mode: Mode) {
    let (mut world, mut forged) = to_server(mode);
    world.server_mut().stuck.insert(name("x"));
    forged.send(&mut world, &[opening(0, put(b"x", 100 * MIB))]);
    let mut offset = 0;
    let closed = loop {
        forged.send(&mut world, &[data(0, offset, 1024)]);
        offset += 1024;
        if let Some(code) = forged.closed(&mut world) {
            break code;
        }
        assert!(offset <= 32 * MIB, "no bound");
    };
    assert_eq!(closed, Violation::Credit.code());
    // Half of the first window is all that one body may take.
    assert_eq!(offset, 2 * MIB + 1024);
}

/// What only one side may say.
fn frames_of_the_wrong_role(mode: Mode) {
    let (mut world, client, mut forged) = to_client(mode, Job::Get(name("file")));
    // A server opens no exchange.
    forged.send(&mut world, &[whole(5, get(b"file"))]);
    let reason = world.close_reason(client);
    assert!(matches!(reason, Some(CloseReason::Violation(_))), "{reason:?}");
    // A client has no answers, and sends no body that nobody asked for.
    let (mut world, mut forged) = to_server(mode);
    forged.send(&mut world, &[whole(0, get(b"missing")), data(0, 0, 1)]);
    world.run_for(SECOND);
    assert_eq!((world.server().connected.len(), world.end()), (2, None));
}

/// Row 60: bytes of a body that is not open yet are dropped, not acknowledged, and nothing is lost.
fn body_bytes_before_the_message_that_opens_the_body(mode: Mode) {
    let (mut world, mut forged) = to_server(mode);
    let content = vec![7; 5000];
    forged.send(&mut world, &[data(0, 0, 1000)]);
    forged.send(&mut world, &[data(3, 0, 1000)]);
    forged.send(&mut world, &[Frame::Ping]);
    world.run_for(100 * MS);
    for (_, frames) in forged.receive(&mut world) {
        for frame in frames {
            let Frame::Ack(ack) = frame else { continue };
            assert_eq!(ack.ranges, [(2, 2)], "what was dropped is not acknowledged");
        }
    }
    let hash = blake3_group(&content);
    let talk = [put(b"x", 5000), group(0, hash), end(5000)].concat();
    forged.send(&mut world, &[whole(0, talk), data(0, 0, 1000)]);
    for i in 1..5 {
        forged.send(&mut world, &[data(0, i * 1000, 1000)]);
    }
    world.run_for(SECOND);
    let stored = world.server().files.get(&name("x")).expect("stored");
    assert_eq!(stored.content, Content::bytes(&content));
}

fn blake3_group(content: &[u8]) -> [u8; 32] {
    gannet_tests::groups::Groups::of(gannet_protocol::BodyLen::Known(content.len() as u64))
        .hash(0, content)
        .subtree
}

/// Row 22 and 59: whatever is sent again, as it was or in a new packet, is taken once. The host watches that no byte
/// is written into a group that is verified; here the new bytes differ.
fn replays_and_late_bytes_are_taken_once(mode: Mode) {
    let (mut world, mut forged) = to_server(mode);
    let content = vec![7; 2000];
    let talk = [put(b"x", 2000), group(0, blake3_group(&content)), end(2000)].concat();
    let packets = [
        forged.packet(&[opening(0, talk[..20].to_vec())]),
        forged.packet(&[message(0, 20, &talk[20..]), Frame::Ping]),
        forged.packet(&[data(0, 0, 1000)]),
        forged.packet(&[data(0, 1000, 1000)]),
    ];
    for packet in packets.iter().chain(&packets).chain(&packets) {
        world.spoof(STRANGER, packet);
    }
    forged.send(&mut world, &[Frame::Data { exchange: 0, offset: 0, bytes: vec![9; 1000] }]);
    forged.send(&mut world, &[opening(0, talk)]);
    world.run_for(SECOND);
    assert_eq!(forged.closed(&mut world), None);
    assert_eq!(world.server().stored.len(), 1);
    assert_eq!(world.server().files.get(&name("x")).unwrap().content, Content::bytes(&content));
}

/// Row 22: acknowledgements that are said again, or that say nothing new, send nothing again.
fn repeated_acknowledgements_trigger_nothing(mode: Mode) {
    let (mut world, mut forged) = to_server(mode);
    forged.send(&mut world, &[whole(0, get(b"file"))]);
    world.run_for(100 * MS);
    let sent = forged.receive(&mut world);
    let largest = sent.iter().map(|(number, _)| *number).max().unwrap();
    assert!(sent.len() as u64 == largest + 1, "no number is left out yet");
    forged.send(&mut world, &[ack(&[(0, largest)])]);
    world.run_for(50 * MS);
    let (before, resent) =
        (forged.receive(&mut world).len(), world.server_stats().unwrap().body_resent);
    assert!(before > 0, "the window is open");
    for _ in 0..200 {
        forged.send(&mut world, &[ack(&[(0, largest)])]);
        forged.send(&mut world, &[ack(&[(largest, largest), (0, 0)])]);
    }
    assert_eq!(world.server_stats().unwrap().body_resent, resent);
    let answers = forged.receive(&mut world);
    assert!(answers.is_empty(), "{}", answers.len());
}

/// Row 37: it gets a window of packets and some probes, and is given up after the idle timeout, though it speaks.
fn a_peer_that_never_acknowledges(mode: Mode) {
    let (mut world, mut forged) = to_server(mode);
    forged.send(&mut world, &[whole(0, get(b"file"))]);
    for _ in 0..100 {
        world.run_for(SECOND);
        forged.send(&mut world, &[Frame::Ping]);
        if world.end().is_some() {
            break;
        }
    }
    let reason = world.end();
    assert_eq!(reason, Some(CloseReason::Silence(30 * SECOND)));
    assert!((30 * SECOND..33 * SECOND).contains(&world.elapsed()), "{:?}", world.elapsed());
    let bytes: u64 = forged
        .receive(&mut world)
        .iter()
        .flat_map(|(_, frames)| frames)
        .map(|frame| if let Frame::Data { bytes, .. } = frame { bytes.len() as u64 } else { 0 })
        .sum();
    assert!(bytes < 100_000, "{bytes}");
}

/// Row 37: a peer that has us acknowledge without end and never acknowledges anything gets no further after a while, so that
/// what is remembered of our packets is bounded.
fn a_peer_that_only_wants_acknowledgements(mode: Mode) {
    const PACKETS: u64 = 150_000;
    let (mut world, mut forged) = to_server(mode);
    let mut answers = 0;
    for _ in 0..PACKETS {
        // Each packet leaves a gap, and so is acknowledged at once.
        forged.number += 1;
        forged.send(&mut world, &[Frame::Ping]);
        answers += forged.receive(&mut world).len() as u64;
    }
    assert!((100_000..PACKETS - 10_000).contains(&answers), "{answers}");
    assert_eq!(world.end(), None);
    world.run_for(31 * SECOND);
    assert!(world.end().is_some());
}

/// A peer whose acknowledgements are all an hour late, as it says, is believed 25 ms of it.
fn absurd_delays_are_clamped(mode: Mode) {
    let (mut world, mut forged) = to_server(mode);
    forged.send(&mut world, &[whole(0, get(b"file"))]);
    let mut received = BTreeSet::new();
    for _ in 0..50 {
        world.run_for(20 * MS);
        received.extend(forged.receive(&mut world).iter().map(|(number, _)| *number));
        let late = Ack { delay: (1 << 62) - 1, ..ack_of(&received) };
        forged.send(&mut world, &[Frame::Ack(late)]);
    }
    let stats = world.server_stats().unwrap();
    assert!(stats.rtt <= 25 * MS, "{stats:?}");
    assert!(stats.body_sent > 200_000, "{stats:?}");
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

/// RESETs of exchanges that never were, are over, or say what cannot be.
fn resets(mode: Mode) {
    let reset = |exchange, body, messages| Frame::Reset {
        exchange,
        status: Status::Cancelled.code(),
        detail: 0,
        body,
        messages,
    };
    let (mut world, mut forged) = to_server(mode);
    for exchange in 0..256 {
        forged.send(&mut world, &[reset(exchange, 0, 0)]);
        forged.send(&mut world, &[reset(exchange, 0, 0)]);
    }
    world.run_for(SECOND);
    assert_eq!(forged.closed(&mut world), None);
    assert_eq!(world.server().performed.len(), 1, "that of the honest client");
    // More body bytes than the credit, fewer than came.
    server_closes(mode, &[&[reset(0, 1 << 40, 0)]], Violation::Credit);
    server_closes(mode, &[&[reset(0, 0, 1 << 40)]], Violation::Credit);
    server_closes(
        mode,
        &[&[opening(0, put(b"x", 5000)), data(0, 0, 1000)], &[reset(0, 999, 1000)]],
        Violation::EndMoved,
    );
    server_closes(mode, &[&[reset(256, 0, 0)]], Violation::Credit);
}

/// Row 29: single bytes with gaps between them, in one block and over many; they are kept account of up to a bound, and
/// what is sent again in the end completes the body.
fn one_byte_fragments_with_gaps(mode: Mode) {
    let (mut world, mut forged) = to_server(mode);
    let len = 3 * MIB;
    let content = vec![7; usize::try_from(len).unwrap()];
    forged.send(&mut world, &[opening(0, put(b"x", len))]);
    for i in 0..20_000 {
        forged.send(&mut world, &[data(0, i * 2 % len, 1)]);
        forged.receive(&mut world);
    }
    let groups = gannet_tests::groups::Groups::of(gannet_protocol::BodyLen::Known(len));
    let mut talk = put(b"x", len);
    for range in groups.ranges(len) {
        let hash = groups.hash(range.start, &content[..usize::try_from(MIB).unwrap()]).subtree;
        talk.extend_from_slice(&group(groups.index(range.start), hash));
    }
    talk.extend_from_slice(&end(len));
    forged.send(&mut world, &[whole(0, talk)]);
    for at in (0..len).step_by(1024) {
        forged.send(&mut world, &[data(0, at, 1024)]);
        forged.receive(&mut world);
    }
    world.run_for(SECOND);
    assert_eq!(world.server().stored.len(), 1, "{:?}", world.server().closed);
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

/// Row 10: packets of a server to a server, of a client to a client, and one's own that come back, as they were and under
/// the right id.
fn packets_of_the_wrong_side(mode: Mode) {
    let (mut world, mut forged) = to_server(mode);
    let (mut other, client, mut forged_server) = to_client(mode, Job::Get(name("file")));
    forged.send(&mut world, &[whole(0, get(b"file"))]);
    for packet in world.take_strays(STRANGER) {
        world.spoof(STRANGER, &packet);
        world.spoof(STRANGER, &with_id(&packet, forged.server));
        other.spoof_down(client, &packet);
    }
    let said = forged_server.receive();
    // Its hello would be as good a one as any.
    for packet in said.into_iter().filter(|packet| packet[0] != forge::HELLO) {
        world.spoof(STRANGER, &packet);
        other.spoof_down(client, &packet);
        other.spoof_down(client, &with_id(&packet, forged_server.id()));
    }
    assert!(world.strays().iter().all(|(_, packet)| packet[0] != forge::ANSWER));
    assert_eq!((world.end(), other.close_reason(client)), (None, None));
    forged_server.send(&mut other, &[opening(0, meta_reply(5))]);
    assert_eq!(other.close_reason(client), None);
}

/// The packet with another receiver. In plain mode its checksum is wrong then.
fn with_id(packet: &[u8], id: u64) -> Vec<u8> {
    [&packet[..1], &id.to_be_bytes(), &packet[9..]].concat()
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
in_both_modes! {
    malformed_frames
    frames_cut_anywhere
    an_acknowledgement_of_a_packet_never_sent
    an_acknowledgement_of_a_number_left_out
    malformed_acknowledgements
    malformed_messages
    messages_out_of_place
    ends_that_move
    beyond_credit_and_size
    body_bytes_beyond_the_window
    frames_of_the_wrong_role
    body_bytes_before_the_message_that_opens_the_body
    replays_and_late_bytes_are_taken_once
    repeated_acknowledgements_trigger_nothing
    a_peer_that_never_acknowledges
    a_peer_that_only_wants_acknowledgements
    absurd_delays_are_clamped
    a_flood_of_challenges
    resets
    one_byte_fragments_with_gaps
    the_peers_reason_is_told
    endless_empty_datagrams
    strangers_do_not_disturb
    parameters_at_their_extremes
    packets_of_the_wrong_side
}
