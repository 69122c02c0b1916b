//! `docs/hostile-input.md`, row 28: a packet full of the worst frames is bounded work, and ten times the size costs about ten
//! times as much. And a packet costs a server the same, however many others are connected.
//!
//! What is measured is the time that this thread had the processor, the least of several tries: not the time on a clock.
#![cfg(target_os = "linux")]

use std::{net::SocketAddr, time::Duration};

use gannet_driver_mio::simulation::{Host, Server};
use gannet_protocol::{Config, Datagram, Endpoint, FileDone, Instant};
use gannet_tests::forge::{
    self, Frame, Parameters, finish, hello,
    message::{get, group, opening, put, whole},
    server_of, stranger,
};
use rustix::time::{ClockId, clock_gettime};

/// Bytes of frames of the small packets, and how many times as many the large ones have.
const SMALL: usize = 800;
const TIMES: usize = 10;
/// How many times as much the large ones may cost: if the work grows with the square of the size, it is a hundred times.
const MOST: u32 = 30;
/// Packets of a try.
const PACKETS: usize = 4;
const LEAST_TRIES: u32 = 5;
/// So that the work that has no bound fails the test in seconds.
const MOST_TRIES: u32 = 20;

const STRANGER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1)), 4000);

/// A server and a client of it that says what it is told to.
struct Target {
    server: Endpoint,
    id: u64,
    number: u64,
    now: Instant,
    out: Vec<u8>,
}

impl Target {
    fn new() -> Self {
        let mut config = Config::default();
        config.accept = true;
        let server = Endpoint::new(config, [3; 32]);
        let out = vec![0; 65_400];
        let mut target = Self { server, id: 0, number: 0, now: Instant::ZERO, out };
        target.hear(hello(1));
        let mut source = |_, _, _: &mut [u8]| Err(gannet_protocol::Unread::Pending);
        let sent = target.server.poll_transmit(target.now, &mut source, &mut target.out);
        target.id = server_of(&target.out[..sent.unwrap().len]).unwrap();
        let mut parameters = Parameters::default();
        parameters.set(3, 1 << 40);
        parameters.set(6, 1 << 40);
        target.hear(finish(target.id, &parameters));
        target
    }

    fn packet(&mut self, frames: &[Frame]) -> Vec<u8> {
        self.number += 1;
        forge::data(self.id, self.number, frames)
    }

    fn hear(&mut self, mut packet: Vec<u8>) {
        let datagram = Datagram { remote: STRANGER, local: None, ecn: None, payload: &mut packet };
        if let Some(write) = self.server.handle_datagram(self.now, datagram) {
            self.server.handle_file(self.now, FileDone::Settled(write.ticket));
        }
    }

    /// Whether it answers a challenge, and not by closing the connection.
    fn is_alive(&mut self) -> bool {
        let challenge = self.packet(&[Frame::PathChallenge([1; 8])]);
        self.hear(challenge);
        let mut source = |_, _, _: &mut [u8]| Ok(());
        let sent = self.server.poll_transmit(self.now, &mut source, &mut self.out);
        let Some(sent) = sent else { return false };
        let frames = forge::frames(&self.out[..sent.segment_len.min(sent.len)]);
        frames.is_some_and(|mut all| all.all(|frame| !matches!(frame, Frame::Close(_))))
    }

    /// Says all that it has to say, whatever a file holds.
    fn say(&mut self) {
        let mut source = |_, _, _: &mut [u8]| Ok(());
        while self.server.poll_transmit(self.now, &mut source, &mut self.out).is_some() {}
    }
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("below a second"))
}

/// As many of `frames` as fill `len` bytes.
fn fill(len: usize, frames: &mut dyn Iterator<Item = Frame>) -> Vec<Frame> {
    let (mut taken, mut bytes) = (Vec::new(), Vec::new());
    for frame in frames {
        frame.write(&mut bytes);
        if bytes.len() > len {
            break;
        }
        taken.push(frame);
    }
    taken
}

/// The time that a target takes over packets of `len` bytes, after it was prepared.
fn cost(len: usize, prepare: fn(&mut Target), frames: fn(usize) -> Vec<Frame>) -> Duration {
    let mut target = Target::new();
    prepare(&mut target);
    let packets: Vec<_> = (0..PACKETS).map(|_| target.packet(&frames(len))).collect();
    let before = processor_time();
    packets.into_iter().for_each(|packet| target.hear(packet));
    target.say();
    let cost = processor_time() - before;
    assert!(
        target.is_alive(),
        "the frames are not taken: a connection that is closed costs nothing"
    );
    cost
}

/// Other programs can only make it longer: the least of all tries is nearest to the truth, and is looked for until it will do.
#[track_caller]
fn check(prepare: fn(&mut Target), frames: fn(usize) -> Vec<Frame>) {
    let (mut small, mut large) = (Duration::MAX, Duration::MAX);
    for tries in 1..=MOST_TRIES {
        small = small.min(cost(SMALL, prepare, frames));
        large = large.min(cost(SMALL * TIMES, prepare, frames));
        if tries >= LEAST_TRIES && large < small * MOST {
            return;
        }
    }
    panic!("{small:?} for {SMALL} bytes, {large:?} for {TIMES} times as many");
}

fn nothing(_: &mut Target) {}

/// A file is sent, and a window of it is not acknowledged.
fn sending(target: &mut Target) {
    target.hear(forge::data(target.id, 0, &[whole(0, get(b"file"))]));
    while let Some(event) = target.server.poll_event() {
        let gannet_protocol::Event::Request { exchange, .. } = event else { continue };
        let reply = gannet_protocol::Reply::Meta(gannet_tests::pair::endless());
        let mut session = target.server.session(exchange.connection()).unwrap();
        session.reply(exchange, reply).unwrap();
    }
    target.say();
}

/// Two hundred bodies are open.
fn receiving(target: &mut Target) {
    for exchange in 0..200 {
        let packet = target.packet(&[opening(exchange, put(b"x", 1 << 40))]);
        target.hear(packet);
    }
    target.say();
}

#[test]
fn pings() {
    check(nothing, |len| fill(len, &mut std::iter::repeat(Frame::Ping)));
}

#[test]
fn challenges() {
    check(nothing, |len| fill(len, &mut std::iter::repeat(Frame::PathChallenge([1; 8]))));
}

#[test]
fn credits() {
    check(sending, |len| {
        fill(len, &mut (0..).map(|i| Frame::Credit((1 << 40) + i, 1 << 20, 1 << 30)))
    });
    check(sending, |len| {
        fill(len, &mut (0..).map(|i| Frame::BodyCredit { exchange: i % 256, limit: 1 << 40 }))
    });
}

#[test]
fn openings_of_exchanges() {
    check(nothing, |len| fill(len, &mut (0..256).map(|i| whole(i, get(b"f"))).cycle()));
}

#[test]
fn resets_of_exchanges() {
    check(nothing, |len| {
        let reset =
            |exchange| Frame::Reset { exchange, status: 16, detail: 0, body: 0, messages: 0 };
        fill(len, &mut (0..256).map(reset).cycle())
    });
}

#[test]
fn pieces_of_messages_with_gaps() {
    // From the far end to the start, so that each goes before all others.
    check(receiving, |len| {
        let piece = |exchange, place: u64| Frame::Message {
            exchange,
            offset: 60 + (200 - place) * 2,
            fin: false,
            bytes: vec![0],
        };
        fill(
            len,
            &mut (0..200).flat_map(|exchange| (0..9).map(move |place| piece(exchange, place))),
        )
    });
}

#[test]
fn many_messages_at_once() {
    check(receiving, |len| {
        let note = |index| group(index, [0; 32]);
        let start = put(b"x", 1 << 40).len() as u64;
        let bytes: Vec<u8> = (0..).flat_map(note).take(len - 30).collect();
        vec![Frame::Message { exchange: 0, offset: start, fin: false, bytes }]
    });
}

/// A real server, with all that stands around its endpoint, of many clients.
struct Crowded {
    server: Server,
    now: Instant,
    /// The last packet that it sent to whom it heard.
    said: Vec<u8>,
    _root: tempfile::TempDir,
}

impl Crowded {
    /// So many idle connections; the id of the first one.
    fn new(connections: u32) -> (Self, u64) {
        let root = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.idle_timeout = Duration::from_secs(100_000);
        let server = Server::start(root.path(), config, [3; 32]).unwrap();
        let mut crowded = Self { server, now: Instant::ZERO, said: Vec::new(), _root: root };
        // From the last on, so that what is looked for first is what came last.
        let ids: Vec<_> = (0..connections).rev().map(|number| crowded.connect(number)).collect();
        let first = *ids.last().unwrap();
        (crowded, first)
    }

    fn connect(&mut self, number: u32) -> u64 {
        let from = stranger(number);
        // Slow enough for the limit of handshakes a second.
        self.now = self.now + Duration::from_millis(2);
        self.hear(from, &mut hello(1));
        if let Some(cookie) = forge::cookie_of(&self.said) {
            self.hear(from, &mut forge::hello_with_cookie(1, &cookie));
        }
        let id = server_of(&self.said).expect("an answer");
        self.hear(from, &mut finish(id, &Parameters::default()));
        self.hear(from, &mut forge::data(id, 0, &[Frame::Ping]));
        id
    }

    /// A turn of its loop, as a datagram brings it about.
    fn hear(&mut self, from: SocketAddr, payload: &mut [u8]) {
        let datagram = Datagram { remote: from, local: None, ecn: None, payload };
        self.server.receive(self.now, datagram);
        let said = &mut self.said;
        self.server.turn(self.now, &mut |sent, bytes| {
            // Others may have been due for an acknowledgement.
            if sent.remote == from {
                said.clear();
                said.extend_from_slice(bytes);
            }
        });
        assert!(self.server.next_timeout().is_some());
    }

    /// The time that it takes over packets of a client.
    fn cost(&mut self, id: u64, numbers: std::ops::Range<u64>) -> Duration {
        let packets: Vec<_> = numbers.map(|n| forge::data(id, n, &[Frame::Ping])).collect();
        let before = processor_time();
        packets.into_iter().for_each(|mut packet| self.hear(stranger(0), &mut packet));
        processor_time() - before
    }
}

/// A hundred times as many connections cost a little more, for trees are deeper and caches smaller; what walks over all of them
/// would cost dozens of times as much.
#[test]
fn a_packet_costs_the_same_among_ten_thousand_connections() {
    let ((mut few, of_few), (mut many, of_many)) = (Crowded::new(100), Crowded::new(10_000));
    let (mut least, mut most) = (Duration::MAX, Duration::MAX);
    for tries in 1..=u64::from(MOST_TRIES) {
        let numbers = tries * 1000..tries * 1000 + 500;
        least = least.min(few.cost(of_few, numbers.clone()));
        most = most.min(many.cost(of_many, numbers));
        if tries >= u64::from(LEAST_TRIES) && most < least * 4 {
            return;
        }
    }
    panic!("{least:?} among a hundred, {most:?} among ten thousand");
}
