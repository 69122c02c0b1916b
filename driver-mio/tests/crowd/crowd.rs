//! Many clients in one thread: endpoints on sockets of their own, each with many connections that get the same file.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    os::fd::AsFd,
    sync::Arc,
    time::{Duration, Instant as Clock},
};

use gannet_driver_mio::{crypto::AwsLc, trust::SecretKey};
use gannet_protocol::{
    BodyId, Config, ConnectionHandle, Datagram, Endpoint, Event, ExchangeId, Expected, FileDone,
    Get, Instant, Name, Note, Reply, Request, Security, Source, Unread, Write,
    crypto::{Identity, Secret},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

/// Datagrams that a host takes before it says something: acknowledgements come as often as a driver's.
const BATCH: usize = 64;
/// Longest wait for the next datagram, so that a test can look at what it waits for.
const WAIT: Duration = Duration::from_millis(100);

/// Clients of a server, and what each of them has.
pub(crate) struct Crowd {
    hosts: Vec<Host>,
    start: Clock,
}

/// One socket and its connections.
struct Host {
    socket: UdpSocket,
    server: SocketAddr,
    endpoint: Endpoint,
    members: BTreeMap<ConnectionHandle, Member>,
    buffer: Vec<u8>,
}

/// One connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Member {
    /// Whether the server let it in.
    pub(crate) connected: bool,
    /// Bytes of the file that are here.
    pub(crate) bytes: u64,
    /// How many there are, once the server has said so.
    len: Option<u64>,
    /// Whether all of them are here, and the server knows.
    pub(crate) done: bool,
}

/// Clients send no bodies.
struct Nothing;

impl Source for Nothing {
    fn read(&mut self, _: BodyId, _: u64, _: &mut [u8]) -> Result<(), Unread> {
        Err(Unread::Pending)
    }
}

impl Crowd {
    /// So many addresses with so many connections each to the server there, all with its own key.
    pub(crate) fn new(server: SocketAddr, key: &SecretKey, hosts: u8, each: usize) -> Self {
        let start = Clock::now();
        let hosts = (1..=hosts).map(|host| Host::new(host, server, key, each)).collect();
        Self { hosts, start }
    }

    /// Moves on until `until` says so of all connections. The file that they get holds `content`.
    pub(crate) fn run(&mut self, content: &[u8], mut until: impl FnMut(&[Member]) -> bool) {
        loop {
            let now = Instant::ZERO + self.start.elapsed();
            self.hosts.iter_mut().for_each(|host| host.turn(now, content));
            if until(&self.members()) {
                return;
            }
            self.wait();
        }
    }

    /// How each connection does.
    pub(crate) fn members(&self) -> Vec<Member> {
        self.hosts.iter().flat_map(|host| host.members.values().copied()).collect()
    }

    /// Has every connection ask for the file.
    pub(crate) fn get(&mut self, name: &str) {
        let name = Name::parse(name.as_bytes()).unwrap();
        for host in &mut self.hosts {
            for connection in host.members.keys() {
                let mut session = host.endpoint.session(*connection).unwrap();
                session.request(Request::Get(Get::all(name.clone()))).unwrap();
            }
        }
    }

    fn wait(&self) {
        let now = Instant::ZERO + self.start.elapsed();
        let next = self.hosts.iter().filter_map(|host| host.endpoint.poll_timeout()).min();
        let wait = next.map_or(WAIT, |next| next.saturating_since(now).min(WAIT));
        let wait = Timespec { tv_sec: 0, tv_nsec: i64::from(wait.subsec_nanos()) };
        let mut sockets: Vec<_> = self
            .hosts
            .iter()
            .map(|host| PollFd::from_borrowed_fd(host.socket.as_fd(), PollFlags::IN))
            .collect();
        match poll(&mut sockets, Some(&wait)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

impl Host {
    fn new(host: u8, server: SocketAddr, key: &SecretKey, each: usize) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, host, 1), 0)).unwrap();
        socket.connect(server).unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut config = Config::default();
        let secret = Secret::take(&mut key.expose().clone());
        config.security = Security::Sealed(Identity::new(Arc::new(AwsLc), &secret));
        // What is tested is that they get in, not how soon on a busy machine.
        config.connect_timeout = Duration::from_secs(100);
        let mut endpoint = Endpoint::new(config, [host; 32]);
        let connect = |_| endpoint.connect_to(Instant::ZERO, server, Expected::just(key.public()));
        let members = (0..each).map(connect).map(|handle| (handle, Member::default())).collect();
        Self { socket, server, endpoint, members, buffer: vec![0; 1 << 16] }
    }

    fn turn(&mut self, now: Instant, content: &[u8]) {
        while self.receive(now, content) | self.send(now) {
            self.endpoint.handle_timeout(now);
        }
        self.endpoint.handle_timeout(now);
        self.send(now);
    }

    fn receive(&mut self, now: Instant, content: &[u8]) -> bool {
        for count in 0..BATCH {
            let Ok(len) = self.socket.recv(&mut self.buffer) else { return count > 0 };
            let payload = &mut self.buffer[..len];
            let datagram = Datagram { remote: self.server, local: None, ecn: None, payload };
            let write = self.endpoint.handle_datagram(now, datagram);
            if let Some(Write { body, offset, data, fresh, ticket }) = write {
                let at = usize::try_from(offset).unwrap();
                assert!(content.get(at..at + data.len()) == Some(data), "wrong bytes at {at}");
                if let Some(exchange) = self.endpoint.exchange_of(body) {
                    self.note(exchange, |member| member.bytes += fresh as u64);
                }
                self.endpoint.handle_file(now, FileDone::Settled(ticket));
            }
            self.take_events();
        }
        true
    }

    fn take_events(&mut self) {
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Connected(connection) => self.member(connection).connected = true,
                Event::Note { exchange, note: Note::End(end), .. } => {
                    assert!(end.stable);
                    self.note(exchange, |member| member.len = Some(end.len));
                }
                Event::Finished(exchange) => self.member(exchange.connection()).done = true,
                Event::Reply { reply: Reply::Meta(_), .. } | Event::Note { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn member(&mut self, connection: ConnectionHandle) -> &mut Member {
        self.members.get_mut(&connection).unwrap()
    }

    /// Takes note of something that came, and tells the server if it was the last.
    fn note(&mut self, exchange: ExchangeId, note: impl FnOnce(&mut Member)) {
        let member = self.member(exchange.connection());
        note(member);
        if member.len == Some(member.bytes) {
            // It may have been told of already.
            let mut session = self.endpoint.session(exchange.connection()).unwrap();
            let _ = session.finish(exchange);
        }
    }

    fn send(&mut self, now: Instant) -> bool {
        let mut progress = false;
        while let Some(sent) = self.endpoint.poll_transmit(now, &mut Nothing, &mut self.buffer) {
            for packet in self.buffer[..sent.len].chunks(sent.segment_len) {
                // What finds no room is lost, as on any path.
                let _ = self.socket.send(packet);
            }
            progress = true;
        }
        progress
    }
}
