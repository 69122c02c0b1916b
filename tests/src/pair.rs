//! Two endpoints, the links between them, and nothing else: for tests that count what the core itself does.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use gannet_driver_mio::netem::{Link, LinkConfig};
use gannet_protocol::{
    BodyLen, Config, CongestionKind, ConnectionHandle, Datagram, Endpoint, Event, FileDone,
    FileTime, Identity, Instant, Meta, Mode, Opened, Request, Source, Unread, Write,
};

/// The end that connected.
pub const CLIENT: usize = 0;
/// The end that accepted.
pub const SERVER: usize = 1;

const ADDRESSES: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 40_000),
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5555),
];

/// A client and a server, connected. Body bytes come from the source of [`Self::step`], and are settled at once.
#[derive(Debug)]
pub struct Pair {
    /// Both endpoints.
    pub ends: [Endpoint; 2],
    /// The client's connection.
    pub connection: ConnectionHandle,
    /// The present.
    pub now: Instant,
    /// Body bytes that arrived.
    pub received: u64,
    /// Datagrams that arrived.
    pub packets: u64,
    /// The links away from each.
    links: [Link<()>; 2],
    out: Vec<u8>,
}

/// What a test does on top of the endpoints.
pub trait App: Source {
    /// Takes an event of the endpoint of that number.
    fn on_event(&mut self, end: usize, endpoint: &mut Endpoint, event: &Event);

    /// Looks at bytes that arrived.
    fn on_write(&mut self, _write: &Write<'_>) {}
}

/// Takes nothing, has nothing.
#[derive(Debug)]
pub struct NoApp;

impl Source for NoApp {
    fn read(
        &mut self,
        _body: gannet_protocol::BodyId,
        _offset: u64,
        _buf: &mut [u8],
    ) -> Result<(), Unread> {
        Err(Unread::Pending)
    }
}

impl App for NoApp {
    fn on_event(&mut self, _end: usize, _endpoint: &mut Endpoint, _event: &Event) {}
}

impl Pair {
    /// Two endpoints that are connected over two such links.
    ///
    /// # Panics
    /// If they cannot be.
    #[must_use]
    pub fn connect(link: &LinkConfig, congestion: CongestionKind) -> Self {
        let mut config = Config::default();
        config.congestion = congestion;
        let mut client = Endpoint::new(config.clone(), [1; 32]);
        config.accept = true;
        let server = Endpoint::new(config, [2; 32]);
        let connection = client.connect(Instant::ZERO, ADDRESSES[SERVER]);
        let mut pair = Self {
            ends: [client, server],
            connection,
            now: Instant::ZERO,
            received: 0,
            packets: 0,
            links: [1, 2].map(|seed| Link::new(LinkConfig { seed, ..link.clone() })),
            out: vec![0; 65_400],
        };
        // A server that counts its peer as connected takes its packets.
        while pair.packets < 10 {
            pair.step(&mut NoApp);
        }
        pair
    }

    /// Asks.
    ///
    /// # Panics
    /// If the server does not allow it.
    pub fn request(&mut self, request: Request) -> Opened {
        let mut session = self.ends[CLIENT].session(self.connection).expect("it lives");
        session.request(request).expect("it is allowed")
    }

    /// Moves the clock to what happens next, and lets it happen.
    ///
    /// # Panics
    /// If nothing ever will.
    pub fn step(&mut self, app: &mut impl App) {
        for end in [CLIENT, SERVER] {
            self.ends[end].handle_timeout(self.now);
            while let Some(sent) = self.ends[end].poll_transmit(self.now, app, &mut self.out) {
                for payload in self.out[..sent.len].chunks(sent.segment_len) {
                    self.links[end].offer(self.now, (), payload);
                }
            }
            while let Some(event) = self.ends[end].poll_event() {
                app.on_event(end, &mut self.ends[end], &event);
            }
        }
        let timeouts = self.ends.iter().map(Endpoint::poll_timeout);
        let arrivals = self.links.iter().map(Link::next_due);
        let next = timeouts.chain(arrivals).flatten().min().expect("something happens");
        self.now = self.now.max(next);
        for (from, to) in [(CLIENT, SERVER), (SERVER, CLIENT)] {
            while let Some(((), mut payload)) = self.links[from].take_due(self.now) {
                let remote = ADDRESSES[from];
                let datagram = Datagram { remote, local: None, ecn: None, payload: &mut payload };
                if let Some(write) = self.ends[to].handle_datagram(self.now, datagram) {
                    self.received += write.fresh as u64;
                    app.on_write(&write);
                    self.ends[to].handle_file(self.now, FileDone::Settled(write.ticket));
                }
                self.links[from].recycle(payload);
                self.packets += 1;
            }
        }
    }

    /// Goes on until so many body bytes arrived.
    pub fn run_until_received(&mut self, bytes: u64, app: &mut impl App) {
        while self.received < bytes {
            self.step(app);
        }
    }
}

/// Properties of a file that does not end within any test.
#[must_use]
pub fn endless() -> Meta {
    Meta {
        len: BodyLen::Known(1 << 40),
        mode: Mode::default(),
        modified: FileTime::default(),
        identity: Identity::default(),
    }
}
