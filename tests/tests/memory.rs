//! Memory is bounded, whatever comes.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use gannet_driver_mio::netem::LinkConfig;
use gannet_protocol::{
    BodyId, Config, CongestionKind, Datagram, End, Endpoint, Entry, EntryKind, Event, FileDone,
    FileTime, Identity, Instant, Mode, Name, Note, Reply, Request, Source, Unread, Write,
};
use gannet_tests::{
    counting::{Counting, counts, reset_peak},
    forge::{
        self, Frame, MIN_DATAGRAM, Parameters, finish, hello, hello_of_version,
        message::{get, opening, put, whole},
        server_of,
    },
    pair::{App, Pair, SERVER, endless},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MIB: i64 = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);

fn stranger(number: u32) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::from(0xc633_0000 + number).into(), 4000)
}

/// A server without a network: what it hears is made up, and what it says is looked at and forgotten.
struct Server {
    endpoint: Endpoint,
    now: Instant,
    out: Vec<u8>,
    /// Whether writes are settled.
    settles: bool,
    tickets: Vec<FileDone>,
}

impl Server {
    fn new() -> Self {
        let mut config = Config::default();
        config.accept = true;
        Self {
            endpoint: Endpoint::new(config, [3; 32]),
            now: Instant::ZERO,
            out: vec![0; 65_400],
            settles: true,
            tickets: Vec::new(),
        }
    }

    /// Hears a datagram and says what it has to say; gives how many datagrams that were, and the last one's length.
    fn hear(&mut self, from: SocketAddr, payload: &mut [u8]) -> (usize, usize) {
        let datagram = Datagram { remote: from, local: None, ecn: None, payload };
        if let Some(write) = self.endpoint.handle_datagram(self.now, datagram) {
            let done = FileDone::Settled(write.ticket);
            if self.settles {
                self.endpoint.handle_file(self.now, done);
            } else {
                self.tickets.push(done);
            }
        }
        self.say()
    }

    fn say(&mut self) -> (usize, usize) {
        let mut source = |_: BodyId, _: u64, buf: &mut [u8]| {
            buf.fill(7);
            Ok(())
        };
        let (mut count, mut len) = (0, 0);
        while let Some(sent) = self.endpoint.poll_transmit(self.now, &mut source, &mut self.out) {
            count += sent.len.div_ceil(sent.segment_len);
            len = sent.len;
        }
        while let Some(event) = self.endpoint.poll_event() {
            if let Event::Request { exchange, request: Request::Get(_), .. } = event
                && let Some(mut session) = self.endpoint.session(exchange.connection())
            {
                session.reply(exchange, Reply::Meta(endless())).unwrap();
                count += self.say().0;
            }
        }
        (count, len)
    }

    /// Lets time pass, a timeout at a time.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.endpoint.poll_timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.endpoint.handle_timeout(self.now);
            self.say();
        }
        self.now = end;
    }

    /// Shakes hands with a client; gives the id that its packets need.
    fn connect(&mut self, from: SocketAddr) -> u64 {
        let (_, mut len) = self.hear(from, &mut hello(1));
        if let Some(cookie) = forge::cookie_of(&self.out[..len]) {
            len = self.hear(from, &mut forge::hello_with_cookie(1, &cookie)).1;
        }
        let id = server_of(&self.out[..len]).expect("an answer");
        self.hear(from, &mut finish(id, &Parameters::default()));
        id
    }
}

/// Row 1: noise before authentication takes no memory at all.
#[test]
fn noise_allocates_nothing() {
    let mut server = Server::new();
    let mut noise: Vec<Vec<u8>> = vec![vec![], vec![0; 65_507], vec![1; 1200]];
    for kind in (0..=20).filter(|kind| *kind != forge::HELLO) {
        noise.push(forge::seal([&[kind][..], &[0; MIN_DATAGRAM]].concat()));
        noise.push(forge::seal(vec![kind; 60]));
        noise.push(vec![kind; 9000]);
    }
    noise.push(finish(1 << 33, &Parameters::default()));
    noise.push(forge::data(1 << 33, 7, &[Frame::Ping]));
    let before = counts();
    for number in 0..2000 {
        for payload in &mut noise {
            assert_eq!(server.hear(stranger(number), payload).0, 0);
        }
    }
    assert_eq!(counts(), before);
}

/// Row 5: handshakes that fail leave nothing behind, however many.
#[test]
fn failed_handshakes_leave_nothing() {
    let mut bad = Parameters::default();
    bad.set(1, 7);
    let mut server = Server::new();
    let mut after_warm_up = None;
    for round in 0..300 {
        for number in 0..1000 {
            let from = stranger(number);
            let (_, len) = server.hear(from, &mut hello(1));
            if let Some(id) = server_of(&server.out[..len]) {
                server.hear(from, &mut finish(id, &bad));
            }
        }
        server.pass(11 * SECOND);
        assert_eq!(server.endpoint.poll_timeout(), None);
        match after_warm_up {
            None if round == 10 => after_warm_up = Some(counts().live),
            Some(live) => assert_eq!(counts().live, live, "in round {round}"),
            None => {}
        }
    }
}

/// A server of many clients keeps them at small cost while they do nothing.
#[test]
fn ten_thousand_idle_connections_are_small() {
    const CLIENTS: u32 = 10_000;
    // Each in a network of its own, for those of one network may not come so fast.
    let client = |number| stranger(number * 256);
    let mut server = Server::new();
    let before = counts().live;
    let connect = |number| {
        server.pass(Duration::from_millis(1));
        server.connect(client(number))
    };
    let ids: Vec<_> = (0..CLIENTS).map(connect).collect();
    for (number, id) in (0..).zip(ids) {
        let mut ping = forge::data(id, 1, &[Frame::Ping]);
        server.hear(client(number), &mut ping);
    }
    server.pass(SECOND);
    let each = (counts().live - before) / i64::from(CLIENTS);
    assert!((1024..16 * 1024).contains(&each), "{each}");
}

/// Row 12: a flood of hellos from anywhere, of this version and others.
#[test]
fn a_flood_of_hellos_is_bounded() {
    let mut server = Server::new();
    let before = counts().live;
    for number in 0..200_000 {
        let mut hello = match number % 3 {
            0 => hello_of_version(9, u64::from(number), b""),
            _ => hello(u64::from(number)),
        };
        server.hear(stranger(number), &mut hello);
    }
    let held = counts().live - before;
    assert!(held < 8 * MIB, "{held}");
    server.pass(11 * SECOND);
    let left = counts().live - before;
    assert!(left < MIB, "{left}");
}

/// Row 37: a peer that asks for everything and never acknowledges.
#[test]
fn a_peer_that_never_acknowledges() {
    let mut server = Server::new();
    let before = counts().live;
    let id = server.connect(stranger(1));
    for exchange in 0..200 {
        let frames = [whole(exchange, get(b"file"))];
        server.hear(stranger(1), &mut forge::data(id, exchange, &frames));
    }
    for number in 200..2_200 {
        server.hear(stranger(1), &mut forge::data(id, number, &[Frame::Ping]));
        server.pass(Duration::from_millis(10));
    }
    let held = counts().live - before;
    assert!(held < MIB, "{held}");
    server.pass(40 * SECOND);
    assert_eq!(server.endpoint.poll_timeout(), None);
    let left = counts().live - before;
    assert!(left < MIB / 4, "{left}");
}

/// Row 29: fragments of a byte with gaps, in as many bodies and blocks as the credit allows.
#[test]
fn fragments_are_bounded() {
    let mut server = Server::new();
    server.settles = false;
    let before = counts().live;
    let id = server.connect(stranger(1));
    let mut number = 0;
    let mut send = |server: &mut Server, frames: &[Frame]| {
        server.hear(stranger(1), &mut forge::data(id, number, frames));
        number += 1;
    };
    for exchange in 0..100 {
        send(&mut server, &[opening(exchange, put(b"x", 1 << 40))]);
    }
    reset_peak();
    for step in 0..300_000u64 {
        let (exchange, place) = (step % 100, step / 100);
        // Every other byte of a block, or of each block one.
        let offset = if exchange % 2 == 0 { place * 2 } else { place << 20 };
        send(&mut server, &[Frame::Data { exchange, offset, bytes: vec![1] }]);
    }
    server.tickets = Vec::new();
    let held = counts().peak - before;
    assert!(held < 48 * MIB, "{held}");
}

/// Pieces of message streams with gaps, as many as the credit allows.
#[test]
fn message_fragments_are_bounded() {
    let mut server = Server::new();
    let before = counts().live;
    let id = server.connect(stranger(1));
    reset_peak();
    for step in 0..200_000u64 {
        let (exchange, place) = (step % 4, step / 4 % 30_000);
        let frame = Frame::Message { exchange, offset: 2 + place * 2, fin: false, bytes: vec![1] };
        server.hear(stranger(1), &mut forge::data(id, step, &[frame]));
    }
    let held = counts().peak - before;
    assert!(held < 16 * MIB, "{held}");
}

/// Requests and cancels without end, faster than the server answers.
#[test]
fn a_flood_of_requests_is_bounded() {
    let mut server = Server::new();
    let before = counts().live;
    let id = server.connect(stranger(1));
    for number in 0..20_000 {
        let exchange = number / 2;
        let frame = match number % 2 {
            0 => whole(exchange, get(b"file")),
            _ => Frame::Reset { exchange, status: 16, detail: 0, body: 0, messages: 7 },
        };
        server.hear(stranger(1), &mut forge::data(id, number, &[frame]));
    }
    let held = counts().live - before;
    assert!(held < MIB, "{held}");
}

/// A listing of a million names that is made up as it is read, and kept only until it is released.
struct MillionNames {
    /// The entries from `released` on, as far as they were asked for.
    kept: VecDeque<u8>,
    released: u64,
    made: u64,
    peak: usize,
    body: Option<BodyId>,
    received: u64,
    told: bool,
    now: Instant,
    /// How long it is, as the client was told.
    len: Option<u64>,
}

const NAMES: u64 = 1_000_000;

impl MillionNames {
    fn make_until(&mut self, end: u64) {
        while self.made < NAMES && self.released + (self.kept.len() as u64) < end {
            let name = Name::parse(format!("name {}", self.made).as_bytes()).unwrap();
            let entry = Entry {
                name,
                kind: EntryKind::File,
                is_link: false,
                len: self.made,
                mode: Mode::from_bits(0o644),
                modified: FileTime::default(),
            };
            let mut bytes = Vec::new();
            entry.encode(&mut bytes);
            self.kept.extend(bytes);
            self.made += 1;
        }
        self.peak = self.peak.max(self.kept.len());
    }
}

impl Source for MillionNames {
    fn read(&mut self, _: BodyId, offset: u64, buf: &mut [u8]) -> Result<(), Unread> {
        let end = offset + buf.len() as u64;
        self.make_until(end);
        let from = usize::try_from(offset - self.released).expect("nothing released is read");
        if from + buf.len() > self.kept.len() {
            return Err(Unread::Pending);
        }
        let bytes = self.kept.range(from..from + buf.len());
        buf.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
        Ok(())
    }
}

impl App for MillionNames {
    fn on_event(&mut self, end: usize, endpoint: &mut Endpoint, event: &Event) {
        match event {
            Event::Request { exchange, .. } => {
                let mut session = endpoint.session(exchange.connection()).unwrap();
                self.body = session.reply(*exchange, Reply::Listing).unwrap();
            }
            Event::Released { below, .. } => {
                let count = usize::try_from(below - self.released).unwrap();
                self.kept.drain(..count);
                self.released = *below;
            }
            Event::Note { note: Note::End(end), .. } => self.len = Some(end.len),
            _ => {}
        }
        let all = self.made == NAMES && !self.told;
        if let Some(body) = self.body.filter(|_| end == SERVER && all) {
            self.told = true;
            let len = self.released + self.kept.len() as u64;
            let told = End { len, identity: Identity::default(), stable: true };
            let connection = endpoint.exchange_of(body).unwrap().connection();
            endpoint.session(connection).unwrap().note(body, Note::End(told)).unwrap();
            // The last read wanted more than there was.
            endpoint.handle_file(self.now, FileDone::Readable(body));
        }
    }

    fn on_write(&mut self, write: &Write<'_>) {
        self.received += write.fresh as u64;
    }
}

/// Row 58: a directory of a million names is streamed; nobody holds more of it than the window.
#[test]
fn a_million_names() {
    let link = LinkConfig {
        rate: Some(100_000_000),
        delay: Duration::from_millis(10),
        loss: 0.0005,
        ..LinkConfig::default()
    };
    let mut app = MillionNames {
        kept: VecDeque::new(),
        released: 0,
        made: 0,
        peak: 0,
        body: None,
        received: 0,
        told: false,
        now: Instant::ZERO,
        len: None,
    };
    let mut pair = Pair::connect(&link, CongestionKind::Cubic);
    let before = counts().live;
    reset_peak();
    pair.request(Request::List(None));
    while app.len.is_none_or(|len| app.received < len) {
        app.now = pair.now;
        pair.step(&mut app);
    }
    assert!(app.received > 15_000_000, "{}", app.received);
    assert!(app.peak < 3 << 20, "{}", app.peak);
    let held = counts().peak - before;
    assert!(held < 12 * MIB, "{held}");
}
