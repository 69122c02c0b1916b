//! The byte vectors of docs/protocol.md, "Golden vectors", read from the document itself and compared both ways.

use alloc::{
    boxed::Box,
    collections::BTreeMap,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::{num::NonZeroU64, time::Duration};

use zeroize::Zeroizing;

use super::{
    cursor::{Reader, Writer},
    frame::{self, Credit, Frame, Frames, Reset},
    packet::{self, ConnectionId, Hello, MIN_DATAGRAM, Packet, VERSION},
    params::{Parameters, PathHint},
};
use crate::{
    Algorithm, BLOCK_LEN, BodyLen, Destination, End, Entry, EntryKind, FileTime, Get, Have, Held,
    How, Identity, Invite, Meta, Mode, Name, Note, Plain, Protect, Put, Reply, Report, Request,
    Spent, Stat, Status, Stored, TicketText, Version, message::Message,
};

const DOCUMENT: &str = include_str!("../../../docs/protocol.md");

const CLIENT: ConnectionId = ConnectionId(0x0000_0000_c11e_0001);
const SERVER: ConnectionId = ConnectionId(0x0000_0000_5e47_0002);
const NONCE: [u8; 16] = *b"sixteen of bytes";
const COOKIE: [u8; 16] = *b"made for you now";
const RESET_TOKEN: [u8; 16] = *b"nothing is known";
const TOKEN: [u8; 8] = *b"8 bytes!";

/// The blocks that are fenced with "```vector NAME", by name: hex digits, `00*N` for N zeros, and comments behind `#`.
fn vectors() -> BTreeMap<&'static str, Vec<u8>> {
    let mut vectors = BTreeMap::new();
    let mut blocks = DOCUMENT.split("\n```vector ");
    blocks.next();
    for block in blocks {
        let (name, rest) = block.split_once('\n').unwrap();
        let (lines, _) = rest.split_once("\n```").unwrap();
        let words =
            lines.lines().flat_map(|line| line.split('#').next().unwrap().split_whitespace());
        let bytes = words.flat_map(|word| match word.strip_prefix("00*") {
            Some(count) => vec![0; count.parse().unwrap()],
            None => unhex(word),
        });
        assert!(vectors.insert(name, bytes.collect()).is_none(), "{name} is there twice");
    }
    vectors
}

fn unhex(word: &str) -> Vec<u8> {
    assert!(word.len().is_multiple_of(2), "{word} is not whole bytes");
    (0..word.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&word[at..at + 2], 16).unwrap())
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| alloc::format!("{byte:02x}")).collect()
}

/// Compares a vector of the document with what the code writes.
fn check_written(vectors: &BTreeMap<&str, Vec<u8>>, name: &str, written: &[u8]) {
    let documented = vectors.get(name).map(|bytes| hex(bytes));
    assert_eq!(documented, Some(hex(written)), "{name}");
}

fn written(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buf = vec![0; 2 * MIN_DATAGRAM];
    let mut w = Writer::new(&mut buf);
    write(&mut w);
    let len = w.finish().unwrap();
    buf.truncate(len);
    buf
}

fn parameters() -> Parameters {
    Parameters {
        max_datagram: 8972,
        idle_timeout: Duration::from_secs(30),
        credit: Credit { body: 4 << 20, exchanges: 256, messages: 256 << 10 },
        body_window: 2 << 20,
        reset_token: None,
        path: None,
        max_rate: None,
        background: false,
    }
}

fn handshake_payload(id: ConnectionId, nonce: &[u8]) -> Vec<u8> {
    written(|w| {
        w.u64(id.0);
        w.bytes(nonce);
        parameters().write(w);
    })
}

fn name(bytes: &[u8]) -> Name {
    Name::parse(bytes).unwrap()
}

const fn packet_name(packet: &Packet<'_>) -> &'static str {
    match packet {
        Packet::Hello(hello) if !hello.cookie.is_empty() => "packet-hello-with-cookie",
        Packet::Hello(_) => "packet-hello",
        Packet::Answer { .. } => "packet-answer",
        Packet::Finish { .. } => "packet-finish",
        Packet::Retry { .. } => "packet-retry",
        Packet::Reset { .. } => "packet-reset",
        Packet::Versions { .. } => "packet-versions",
        Packet::Data { .. } => "packet-data",
    }
}

fn packets() -> [(Vec<u8>, Packet<'static>); 8] {
    fn sized(write: impl FnOnce(&mut [u8]) -> Option<usize>) -> Vec<u8> {
        let mut buf = vec![0; MIN_DATAGRAM];
        let len = write(&mut buf).unwrap();
        buf.truncate(len);
        buf
    }
    let answer = handshake_payload(SERVER, &NONCE).leak();
    let finish = handshake_payload(SERVER, &[]).leak();
    let data = sized(|buf| {
        let len = packet::write_data_header(buf, SERVER, 5)? + 1;
        buf[len - 1] = 1;
        Plain.seal(5, packet::DATA_HEADER, &mut buf[..len + Plain.tag_len()]).unwrap();
        Some(len + Plain.tag_len())
    });
    let hello =
        |cookie| Hello { version: VERSION, suite: 0, client: CLIENT, cookie, payload: &NONCE };
    let hello_with = |cookie| {
        let bytes = sized(|buf| packet::write_hello(buf, 0, CLIENT, cookie, &NONCE));
        (bytes, Packet::Hello(hello(cookie)))
    };
    [
        hello_with(&[]),
        hello_with(&COOKIE),
        (
            sized(|buf| packet::write_retry(buf, CLIENT, &COOKIE)),
            Packet::Retry { to: CLIENT, cookie: &COOKIE },
        ),
        (
            sized(|buf| packet::write_reset(buf, SERVER, &RESET_TOKEN)),
            Packet::Reset { unknown: SERVER, token: RESET_TOKEN },
        ),
        (
            sized(|buf| packet::write_answer(buf, CLIENT, answer)),
            Packet::Answer { to: CLIENT, payload: answer },
        ),
        (
            sized(|buf| packet::write_finish(buf, SERVER, finish)),
            Packet::Finish { to: SERVER, payload: finish },
        ),
        (
            sized(|buf| packet::write_versions(buf, CLIENT)),
            Packet::Versions { to: CLIENT, spoken: true },
        ),
        (data, Packet::Data { to: SERVER, number: 5 }),
    ]
}

const fn frame_name(frame: &Frame<'_>) -> &'static str {
    match frame {
        Frame::Padding => "frame-padding",
        Frame::Ping => "frame-ping",
        Frame::Ack(ack) if ack.partial => "frame-ack-partial",
        Frame::Ack(_) => "frame-ack",
        Frame::Message { fin: false, .. } => "frame-message",
        Frame::Message { fin: true, .. } => "frame-message-fin",
        Frame::Data { .. } => "frame-data",
        Frame::Credit(_) => "frame-credit",
        Frame::BodyCredit { .. } => "frame-body-credit",
        Frame::Reset(_) => "frame-reset",
        Frame::PathChallenge(_) => "frame-path-challenge",
        Frame::PathResponse(_) => "frame-path-response",
        Frame::Close { .. } => "frame-close",
    }
}

/// Every frame but ACK, which is written from ranges.
fn frames() -> [Frame<'static>; 11] {
    [
        Frame::Padding,
        Frame::Ping,
        Frame::Message { exchange: 3, offset: 300, fin: false, bytes: b"abc" },
        Frame::Message { exchange: 3, offset: 303, fin: true, bytes: b"" },
        Frame::Data { exchange: 3, offset: 1 << 20, bytes: b"hello world" },
        Frame::Credit(Credit { body: 5 << 20, exchanges: 257, messages: 300_000 }),
        Frame::BodyCredit { exchange: 3, limit: 3 << 20 },
        Frame::Reset(Reset {
            exchange: 3,
            status: Status::Busy,
            detail: 2,
            body: 70_000,
            messages: 303,
        }),
        Frame::PathChallenge(TOKEN),
        Frame::PathResponse(TOKEN),
        Frame::Close { code: 0x14 },
    ]
}

fn write_frame(w: &mut Writer<'_>, frame: &Frame<'_>) {
    match frame {
        Frame::Padding => w.bytes(&[0; 3]),
        Frame::Ping => frame::write_ping(w),
        Frame::Ack(_) => panic!("ACK frames have a test of their own"),
        Frame::Message { exchange, offset, fin, bytes } => {
            frame::write_message(w, *exchange, *offset, *fin, bytes);
        }
        Frame::Data { exchange, offset, bytes } => {
            frame::write_data_header(w, *exchange, *offset);
            w.bytes(bytes);
        }
        Frame::Credit(credit) => frame::write_credit(w, credit),
        Frame::BodyCredit { exchange, limit } => frame::write_body_credit(w, *exchange, *limit),
        Frame::Reset(reset) => frame::write_reset(w, reset),
        Frame::PathChallenge(token) => frame::write_path_challenge(w, *token),
        Frame::PathResponse(token) => frame::write_path_response(w, *token),
        Frame::Close { code } => frame::write_close(w, *code),
    }
}

const fn message_name(message: &Message) -> &'static str {
    match message {
        Message::Request(Request::Get(Get { have: None, .. })) => "message-get",
        Message::Request(Request::Get(_)) => "message-get-rest",
        Message::Request(Request::Put(Put { how: How { discard: true, .. }, .. })) => {
            "message-put-discard"
        }
        Message::Request(Request::Put(Put {
            meta: Meta { len: BodyLen::Known(_), .. }, ..
        })) => "message-put",
        Message::Request(Request::Put(_)) => "message-put-open",
        Message::Request(Request::List(Some(_))) => "message-list",
        Message::Request(Request::List(None)) => "message-list-root",
        Message::Request(Request::Rename { .. }) => "message-rename",
        Message::Request(Request::Exit { .. }) => "message-exit",
        Message::Request(Request::Stat(_)) => "message-stat",
        Message::Request(Request::Remove(_)) => "message-remove",
        Message::Request(Request::Mkdir { mode: None, .. }) => "message-mkdir",
        Message::Request(Request::Mkdir { .. }) => "message-mkdir-private",
        Message::Reply(Reply::Stat(_)) => "message-stated",
        Message::Request(Request::Invite(_)) => "message-invite",
        Message::Request(Request::Join { .. }) => "message-join",
        Message::Reply(Reply::Meta(_)) => "message-meta",
        Message::Reply(Reply::Listing) => "message-listing",
        Message::Reply(Reply::Stored(Stored { hash: Some(_), .. })) => "message-stored",
        Message::Reply(Reply::Stored(_)) => "message-stored-with-holes",
        Message::Reply(Reply::Unchanged) => "message-unchanged",
        Message::Reply(Reply::Done) => "message-done",
        Message::Reply(Reply::Ticket(_)) => "message-ticket",
        Message::Request(Request::Report) => "message-report",
        Message::Request(Request::Zeros { .. }) => "message-zeros",
        Message::Reply(Reply::Report(_)) => "message-reported",
        Message::Note(Note::Group { .. }) => "message-group",
        Message::Note(Note::Hole { .. }) => "message-hole",
        Message::Note(Note::End(_)) => "message-end",
        Message::Held(Held::Groups(_)) => "message-have",
        Message::Held(Held::Nothing) => "message-none",
        Message::Held(Held::Hashes { .. }) => "message-hashes",
        Message::Held(Held::Again(_)) => "message-again",
    }
}

fn messages() -> [Message; 33] {
    let identity = Identity(*b"which state of i");
    let modified = FileTime::new(1_700_000_000, 250_000_000);
    let meta = |len| Meta { len, mode: Mode::from_bits(0o644), modified, identity };
    let put = |path: Option<Name>, into_directory, len| {
        let to = Destination { path, leaf: name(b"notes.txt"), into_directory };
        let how = How { no_clobber: into_directory, check: into_directory, ..How::default() };
        Message::Request(Request::Put(Put { to, meta: meta(len), how }))
    };
    let have = Have { identity, groups: [0..2, 5..6, 100..200].into_iter().collect() };
    let get = Get::all(name(b"notes.txt"));
    let get_rest = Get {
        unless: Some(Version { len: 11, modified }),
        have: Some(have.clone()),
        ..get.clone()
    };
    let stored = |hash, kept| {
        let name = name(b"inbox/notes.txt");
        Message::Reply(Reply::Stored(Stored { name, len: 11, hash, kept }))
    };
    let hash = [0xab; 32];
    let ticket = TicketText::new(Zeroizing::new("ticket".into())).unwrap();
    let rename = Request::Rename { from: name(b"a/old"), to: name(b"a/new") };
    [
        Message::Request(Request::Get(get)),
        Message::Request(Request::Get(get_rest)),
        put(Some(name(b"inbox")), true, BodyLen::Known(11)),
        put(None, false, BodyLen::Open),
        Message::Request(Request::List(Some(name(b"a/b")))),
        Message::Request(Request::List(None)),
        Message::Request(rename),
        Message::Request(Request::Exit { force: true }),
        Message::Request(Request::Stat(name(b"a/b"))),
        Message::Request(Request::Remove(name(b"a/b"))),
        Message::Request(Request::Mkdir { name: name(b"a/b"), mode: None }),
        Message::Request(Request::Mkdir { name: name(b"a/b"), mode: Some(Mode::from_bits(0o700)) }),
        Message::Reply(Reply::Stat(Stat {
            kind: EntryKind::File,
            len: 11,
            mode: Mode::from_bits(0o640),
            modified,
        })),
        Message::Request(Request::Invite(Invite {
            grant: "read".into(),
            via: "nas:5555".into(),
            seconds: 600,
        })),
        Message::Request(Request::Join { proof: hash }),
        Message::Reply(Reply::Meta(Meta {
            modified: FileTime::new(-1, 1),
            ..meta(BodyLen::Known(0))
        })),
        Message::Reply(Reply::Listing),
        stored(Some(hash), 0),
        stored(None, 5),
        Message::Reply(Reply::Done),
        Message::Reply(Reply::Unchanged),
        Message::Reply(Reply::Ticket(ticket)),
        Message::Request(Request::Report),
        Message::Request(Request::Zeros { len: 1 << 30 }),
        discarded(),
        Message::Reply(Reply::Report(Box::new(report()))),
        Message::Note(Note::Group { index: 1, hash }),
        Message::Note(Note::Hole { offset: BLOCK_LEN, len: 3 * BLOCK_LEN }),
        Message::Note(Note::End(End { len: 11, identity, stable: true })),
        Message::Held(Held::Groups(have)),
        Message::Held(Held::Nothing),
        Message::Held(Held::Hashes { first: 3, hashes: vec![hash, [0xcd; 32]] }),
        Message::Held(Held::Again(300)),
    ]
}

/// A put that is only to be measured.
fn discarded() -> Message {
    let meta = Meta {
        len: BodyLen::Known(1 << 30),
        mode: Mode::from_bits(0),
        modified: FileTime::default(),
        identity: Identity::default(),
    };
    let to = Destination { path: None, leaf: name(b"f"), into_directory: false };
    let how = How { discard: true, ..How::default() };
    Message::Request(Request::Put(Put { to, meta, how }))
}

fn report() -> Report {
    let ms = Duration::from_millis;
    Report {
        min_rtt: ms(100),
        rtt: ms(110),
        latest_rtt: ms(120),
        window: 1_500_000,
        mtu: 1452,
        algorithm: Algorithm::Bbr,
        ecn_marked: Some(5),
        packets_sent: 70_000,
        packets_lost: 700,
        body_sent: 100_000_000,
        body_resent: 1_000_000,
        spent: Spent { idle: ms(200), path: ms(8000), credit: ms(1), source: ms(0), busy: ms(300) },
        waited: ms(9000),
    }
}

#[test]
fn packets_are_as_documented() {
    let vectors = vectors();
    for (bytes, packet) in packets() {
        check_written(&vectors, packet_name(&packet), &bytes);
        assert_eq!(Packet::decode(&bytes), Ok(packet));
    }
}

#[test]
fn parameters_are_as_documented() {
    let with_token = Parameters { reset_token: Some(RESET_TOKEN), ..parameters() };
    let path = PathHint { rate: 12_500_000, rtt: Duration::from_micros(100_300), mtu: 1472 };
    let with_path = Parameters { path: Some(path), ..parameters() };
    let polite =
        Parameters { max_rate: NonZeroU64::new(10_000_000), background: true, ..parameters() };
    for (name, parameters) in [
        ("parameters", parameters()),
        ("parameters-sealed", with_token),
        ("parameters-path", with_path),
        ("parameters-polite", polite),
    ] {
        let bytes = written(|w| parameters.write(w));
        check_written(&vectors(), name, &bytes);
        assert_eq!(Parameters::read(&mut Reader::new(&bytes)), Ok(parameters));
    }
}

#[test]
fn frames_are_as_documented() {
    let vectors = vectors();
    for frame in frames() {
        let bytes = written(|w| write_frame(w, &frame));
        check_written(&vectors, frame_name(&frame), &bytes);
        assert_eq!(Frames::new(&bytes).collect::<Vec<_>>(), [Ok(frame)]);
    }
}

#[test]
fn acknowledgements_are_as_documented() {
    let vectors = vectors();
    let ranges = [0..3, 5..6, 90..200];
    // Without room for all of them, the oldest stay out.
    for (room, ecn, told) in [(100, None, &ranges[..]), (18, Some([100, 0, 7]), &ranges[1..])] {
        let bytes = written(|w| {
            frame::write_ack(w, room, &mut ranges.iter().cloned().rev(), 1500, ecn);
        });
        let mut frames = Frames::new(&bytes);
        let Some(Ok(Frame::Ack(ack))) = frames.next() else { panic!("no ack") };
        let read: Vec<_> = ack.ranges().map(|range| *range.start()..range.end() + 1).collect();
        assert!(read.iter().eq(told.iter().rev()), "{read:?}");
        assert_eq!((ack.delay, ack.ecn, frames.next()), (1500, ecn, None));
        check_written(&vectors, frame_name(&Frame::Ack(ack)), &bytes);
    }
}

#[test]
fn messages_are_as_documented() {
    let vectors = vectors();
    for message in messages() {
        let mut bytes = vec![];
        message.encode(&mut bytes);
        check_written(&vectors, message_name(&message), &bytes);
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.varint(), Ok(reader.remaining() as u64));
        assert_eq!(Message::decode(reader.take_rest()), Ok(message));
    }
}

#[test]
fn a_listing_is_as_documented() {
    let entry = |path: &[u8], kind, is_link, len, mode, secs| Entry {
        name: name(path),
        kind,
        is_link,
        len,
        mode: Mode::from_bits(mode),
        modified: FileTime::new(secs, 0),
    };
    let entries = [
        entry(b"notes.txt", EntryKind::File, false, 11, 0o644, 1_700_000_000),
        entry(b"inbox", EntryKind::Directory, false, 0, 0o755, 1),
        entry(b"pipe", EntryKind::Other, false, 0, 0o600, -1),
        entry(b"latest", EntryKind::File, true, 11, 0o644, 1_700_000_000),
    ];
    let mut bytes = vec![];
    entries.iter().for_each(|entry| entry.encode(&mut bytes));
    check_written(&vectors(), "listing", &bytes);
    assert_eq!(Entry::decode_all(&bytes).collect::<Result<Vec<_>, _>>(), Ok(entries.to_vec()));
}

/// A vector that no test compares would be free to be wrong. Those of sealed suites need real cryptography, and are compared where
/// that is.
#[test]
fn every_vector_of_the_document_is_compared() {
    let mut names: Vec<String> = [
        "parameters",
        "parameters-path",
        "parameters-polite",
        "parameters-sealed",
        "listing",
        "frame-ack",
        "frame-ack-partial",
    ]
    .map(|name| name.to_string())
    .into();
    names.extend(packets().iter().map(|(_, packet)| packet_name(packet).to_string()));
    names.extend(frames().iter().map(|frame| frame_name(frame).to_string()));
    names.extend(messages().iter().map(|message| message_name(message).to_string()));
    names.sort();
    let documented = vectors().into_keys().filter(|name| !name.starts_with("sealed-"));
    assert_eq!(documented.collect::<Vec<_>>(), names);
}
