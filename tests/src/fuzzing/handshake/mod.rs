//! Sealed handshakes of which somebody on the way makes whatever some bytes say: what the fuzz target `handshake` runs.
//!
//! Whatever he does, nothing panics, polls fall idle, and nobody takes anybody for another: a client connects to nobody but who
//! holds the right key, and a server to nobody but a client with whom it agrees on all of the handshake, once. An address that
//! hears nothing of a server gets no more than three times what was sent in its name. In the end nothing is left of all this,
//! and a client in whose way nobody stands connects.

mod host;
mod operation;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use arbitrary::{Arbitrary, Unstructured};
use gannet_protocol::{CloseCode, CloseReason, Config, Expected, Instant, PublicKey};

use super::{History, LATENCY, MAX_OPERATIONS, MAX_ROUNDS, MAX_WIRE};
use crate::{
    crypto::Seeded,
    forge::{self, ANSWER, RESET, RETRY},
};
use host::{Bond, Host};
use operation::{Change, Cookie, Expects, Forged, Id, Operation, Payload, Place};

/// Packets that are remembered, to be replayed.
const MAX_SEEN: usize = 512;
/// Bytes that an address gets for each that came from it.
const AMPLIFICATION: u64 = 3;
/// Time in which a client connects in whose way nobody stands. It says hello four times.
const PATIENCE: Duration = Duration::from_secs(2);
/// Time after which a host that hears nothing has nothing left: a connection is idle for half a minute, and closes for seconds.
const OBLIVION: Duration = Duration::from_secs(60);

const SERVER: usize = 0;
const IMPOSTOR: usize = 1;
const CLIENT: usize = 2;
const OTHER_CLIENT: usize = 3;
/// A client that comes when all is over.
const LATE_CLIENT: usize = 4;
/// Where something lives that answers anything.
const CHARGEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(203, 0, 113, 0)), 19);

/// Runs the operations that `bytes` say.
///
/// # Panics
/// If an endpoint does what it must not.
pub fn handshake(bytes: &[u8]) {
    let mut bytes = Unstructured::new(bytes);
    let mut scene = Scene::new(bytes.arbitrary().unwrap_or_default());
    let mut history = History(Vec::new());
    while history.0.len() < MAX_OPERATIONS && !bytes.is_empty() {
        let Ok(operation) = Operation::arbitrary(&mut bytes) else { break };
        history.0.push((scene.now, operation.clone()));
        scene.run(operation);
    }
    scene.forget();
    scene.connect_in_peace();
    scene.forget();
}

/// What there is to choose from for the endpoints.
#[derive(Arbitrary, Clone, Copy, Debug, Default)]
struct Setup {
    always_retry: bool,
    client_without_aes: bool,
    server_without_aes: bool,
}

/// A datagram that an endpoint sent.
#[derive(Clone, Debug)]
struct Packet {
    sender: usize,
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

/// What a server and an address sent to each other.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    received: u64,
    sent: u64,
    /// A client has read something that was sent there.
    heard: bool,
    retried: bool,
}

/// The endpoints, and all that they said.
struct Scene {
    now: Instant,
    setup: Setup,
    hosts: Vec<Host>,
    wire: Vec<Packet>,
    seen: Vec<Packet>,
    /// By the number of the server.
    accounts: BTreeMap<(usize, SocketAddr), Account>,
    /// What clients have connected by: their keys and those of the servers, by transcript.
    bonds: BTreeMap<[u8; 32], (PublicKey, PublicKey)>,
    /// Transcripts by which servers have connected.
    accepted: BTreeSet<[u8; 32]>,
    /// A server sent a RESET.
    resets: bool,
    /// VERSIONS came to a client from where the server is.
    versions: bool,
}

impl Scene {
    fn new(setup: Setup) -> Self {
        let mut server = Config::default();
        server.accept = true;
        server.always_retry = setup.always_retry;
        let client = Config::default();
        let hosts = [
            (server.clone(), [192, 0, 2, 1], setup.server_without_aes),
            (server, [192, 0, 2, 2], setup.server_without_aes),
            (client.clone(), [198, 51, 100, 1], setup.client_without_aes),
            (client.clone(), [198, 51, 100, 2], false),
            (client, [198, 51, 100, 3], false),
        ];
        let hosts = (1..).zip(hosts).map(|(seed, (config, ip, without_aes))| {
            let seeded = Seeded::new(seed.into());
            let seeded = if without_aes { seeded.without_aes() } else { seeded };
            Host::new(config, seeded.identity(), seed, SocketAddr::from((ip, 2000)))
        });
        Self {
            now: Instant::ZERO,
            setup,
            hosts: hosts.collect(),
            wire: Vec::new(),
            seen: Vec::new(),
            accounts: BTreeMap::new(),
            bonds: BTreeMap::new(),
            accepted: BTreeSet::new(),
            resets: false,
            versions: false,
        }
    }

    fn run(&mut self, operation: Operation) {
        match operation {
            Operation::Connect { other, expects } => {
                self.connect(if other { OTHER_CLIENT } else { CLIENT }, expects);
            }
            Operation::Deliver { which } => {
                if let Some(packet) = self.take(which) {
                    self.arrive(&[&packet], packet.from, packet.to, packet.bytes.clone());
                }
            }
            Operation::Lose { which } => drop(self.take(which)),
            Operation::DeliverAll => self.deliver_all(),
            Operation::LoseAll => self.wire.clear(),
            Operation::Replay { which, change, from, to } => self.replay(which, change, from, to),
            Operation::Forge { forged, from, to } => {
                let bytes = self.forge(forged);
                self.arrive(&[], self.address(from), self.address(to), bytes);
            }
            Operation::Wait { millis } => {
                self.now = self.now + Duration::from_millis(millis.into());
            }
            Operation::WaitForTimer => self.wait_for_timer(),
            Operation::Close { at } => {
                if let Some(at) = host_of(at) {
                    self.hosts[at].close();
                }
            }
        }
        self.drain();
    }

    fn connect(&mut self, client: usize, expects: Expects) {
        let expected = match expects {
            Expects::Server => Expected::just(self.hosts[SERVER].key),
            Expects::Impostor => Expected::just(self.hosts[IMPOSTOR].key),
            Expects::Nobody => Expected::default(),
        };
        let to = self.hosts[SERVER].address;
        self.hosts[client].connect(self.now, to, expected);
    }

    fn address(&self, place: Place) -> SocketAddr {
        match (host_of(place), place) {
            (Some(host), _) => self.hosts[host].address,
            (None, Place::Stranger(number)) if number % 4 != 0 => {
                SocketAddr::from(([203, 0, 113, number % 4], 4000))
            }
            _ => CHARGEN,
        }
    }

    fn take(&mut self, which: u8) -> Option<Packet> {
        let at = usize::from(which).checked_rem(self.wire.len())?;
        Some(self.wire.remove(at))
    }

    /// One of the last packets, 0 being the last.
    fn seen(&self, which: u8) -> Option<&Packet> {
        let back = usize::from(which).checked_rem(self.seen.len())?;
        self.seen.get(self.seen.len() - 1 - back)
    }

    fn replay(&mut self, which: u8, change: Change, from: Option<Place>, to: Option<Place>) {
        let Some(packet) = self.seen(which).cloned() else { return };
        let mut bytes = packet.bytes.clone();
        let mut other = packet.clone();
        let sum = match change {
            Change::Nothing => false,
            Change::Byte { at, mask, sum } => {
                let at = usize::from(at) % bytes.len();
                bytes[at] ^= mask;
                sum
            }
            Change::Cut { at, sum } => {
                bytes.truncate(at.into());
                sum
            }
            Change::Splice { at, tail, sum } => {
                other = self.seen(tail).cloned().unwrap_or(other);
                bytes.truncate(at.into());
                bytes.extend_from_slice(other.bytes.get(bytes.len()..).unwrap_or_default());
                sum
            }
        };
        if sum {
            bytes.truncate(bytes.len().saturating_sub(4));
            bytes = forge::seal(bytes);
        }
        let from = from.map_or(packet.from, |from| self.address(from));
        let to = to.map_or(packet.to, |to| self.address(to));
        self.arrive(&[&packet, &other], from, to, bytes);
    }

    fn forge(&self, forged: Forged) -> Vec<u8> {
        match forged {
            Forged::Hello { version, suite, id, cookie, payload } => {
                let payload = self.payload(payload);
                let cookie = self.cookie(cookie);
                match version {
                    0 | 1 => forge::hello_with(suite, self.id(id), &cookie, &payload),
                    _ => forge::hello_of_version(version.into(), self.id(id), &payload),
                }
            }
            Forged::Retry { id, cookie } => forge::retry(self.id(id), &self.cookie(cookie)),
            Forged::Versions { id, versions } => {
                let versions = versions.iter().flat_map(|version| [0, 0, 0, *version]);
                let id = self.id(id).to_be_bytes();
                forge::seal([forge::VERSIONS].into_iter().chain(id).chain(versions).collect())
            }
            Forged::Reset { id, token } => {
                let id = self.id(id).to_be_bytes();
                forge::seal([&[RESET][..], &id, &token].concat())
            }
            Forged::Answer { id, payload } => forge::handshake(ANSWER, self.id(id), &payload),
            Forged::Finish { id, payload } => {
                forge::handshake(forge::FINISH, self.id(id), &payload)
            }
            Forged::Raw(bytes) => bytes,
        }
    }

    fn id(&self, id: Id) -> u64 {
        match id {
            Id::Any(id) => id,
            Id::Seen(which) => {
                let Some(packet) = self.seen(which) else { return 0 };
                let at = if packet.bytes[0] == forge::HELLO { 14 } else { 1 };
                let id = packet.bytes[at..].first_chunk().expect("packets have ids");
                u64::from_be_bytes(*id)
            }
        }
    }

    fn cookie(&self, cookie: Cookie) -> Vec<u8> {
        let mut bytes = match cookie {
            Cookie::None => Vec::new(),
            Cookie::Any(bytes) => bytes,
            Cookie::Seen(which) => {
                let seen = self.seen(which);
                seen.and_then(|packet| forge::cookie_of(&packet.bytes)).unwrap_or_default()
            }
        };
        // With one byte more than is allowed.
        bytes.truncate(65);
        bytes
    }

    fn payload(&self, payload: Payload) -> Vec<u8> {
        let mut bytes = match payload {
            Payload::Any(bytes) => bytes,
            Payload::Seen(which) => self
                .seen(which)
                .filter(|packet| packet.bytes[0] == forge::HELLO)
                .map(|packet| forge::hello_payload(&packet.bytes))
                .unwrap_or_default(),
        };
        bytes.truncate(600);
        bytes
    }

    /// A datagram arrives that was made of these.
    fn arrive(&mut self, of: &[&Packet], from: SocketAddr, to: SocketAddr, mut bytes: Vec<u8>) {
        let Some(at) = self.hosts.iter().position(|host| host.address == to) else { return };
        if is_server(at) {
            self.accounts.entry((at, from)).or_default().received += bytes.len() as u64;
        } else {
            for packet in of.iter().filter(|packet| is_server(packet.sender)) {
                self.accounts.entry((packet.sender, packet.to)).or_default().heard = true;
            }
            let is_versions = bytes.first() == Some(&forge::VERSIONS);
            self.versions |= is_versions && from == self.hosts[SERVER].address;
        }
        self.hosts[at].receive(self.now, from, &mut bytes);
    }

    fn deliver_all(&mut self) {
        for _ in 0..MAX_ROUNDS {
            if self.wire.is_empty() {
                return;
            }
            self.now = self.now + LATENCY;
            for packet in std::mem::take(&mut self.wire) {
                self.arrive(&[&packet], packet.from, packet.to, packet.bytes.clone());
            }
            self.drain();
        }
        panic!("packets lead to packets for ever");
    }

    /// Polls all hosts until they are idle.
    fn drain(&mut self) {
        for at in 0..self.hosts.len() {
            let from = self.hosts[at].address;
            for (to, bytes) in self.hosts[at].drain(self.now) {
                let packet = Packet { sender: at, from, to, bytes };
                if is_server(at) {
                    self.check_sent(&packet);
                }
                if self.seen.len() >= MAX_SEEN {
                    self.seen.drain(..MAX_SEEN / 2);
                }
                self.seen.push(packet.clone());
                if self.wire.len() < MAX_WIRE {
                    self.wire.push(packet);
                }
            }
            for bond in std::mem::take(&mut self.hosts[at].news) {
                self.check_bond(at, &bond);
            }
            for reason in std::mem::take(&mut self.hosts[at].closed) {
                self.check_end(&reason);
            }
        }
    }

    fn check_sent(&mut self, packet: &Packet) {
        assert_ne!(packet.to, CHARGEN, "a word to a service that answers anything");
        let account = self.accounts.entry((packet.sender, packet.to)).or_default();
        account.sent += packet.bytes.len() as u64;
        let limit = account.received * AMPLIFICATION;
        assert!(account.heard || account.sent <= limit, "{}: {account:?}", packet.to);
        match packet.bytes[0] {
            RETRY => account.retried = true,
            RESET => self.resets = true,
            ANSWER => {
                assert!(account.retried || !self.setup.always_retry, "an answer without a cookie");
            }
            _ => {}
        }
    }

    /// Whoever takes somebody for another was deceived.
    fn check_bond(&mut self, at: usize, bond: &Bond) {
        let own = self.hosts[at].key;
        if is_server(at) {
            let client = self.bonds.get(&bond.transcript);
            assert_eq!(client, Some(&(bond.peer, own)), "a client that said something else");
            assert!(self.accepted.insert(bond.transcript), "a handshake that was replayed");
            return;
        }
        let expected = bond.expected.expect("clients are told whom to expect");
        assert_eq!(expected.judge(&bond.peer), gannet_protocol::Judgement::Right);
        let before = self.bonds.insert(bond.transcript, (own, bond.peer));
        assert_eq!(before, None, "a handshake that was replayed");
    }

    /// No packet that was changed is taken for one of the peer's, which breaks no rule.
    fn check_end(&self, reason: &CloseReason) {
        match reason {
            CloseReason::WrongKey(key) | CloseReason::UnknownKey(key) => {
                let servers = [SERVER, IMPOSTOR].map(|server| self.hosts[server].key);
                assert!(servers.contains(key), "a key that nobody has");
            }
            CloseReason::Reset => assert!(self.resets, "a reset that nobody sent"),
            CloseReason::Version => assert!(self.versions, "versions from elsewhere"),
            CloseReason::Local
            | CloseReason::Peer(CloseCode::Done)
            | CloseReason::Silence(_)
            | CloseReason::NoAnswer(_) => {}
            other => panic!("{other:?}"),
        }
    }

    fn wait_for_timer(&mut self) {
        let timers = self.hosts.iter().filter_map(|host| host.endpoint.poll_timeout());
        self.now = timers.min().map_or(self.now, |at| at.max(self.now));
    }

    /// Nothing arrives any more, until nobody remembers anything.
    fn forget(&mut self) {
        let began = self.now;
        for _ in 0..MAX_ROUNDS {
            self.wire.clear();
            if self.hosts.iter().all(|host| host.endpoint.poll_timeout().is_none()) {
                break;
            }
            self.wait_for_timer();
            self.drain();
        }
        assert!(self.hosts.iter().all(|host| host.endpoint.poll_timeout().is_none()));
        assert!(self.hosts.iter().all(|host| host.open.is_empty()), "connections without end");
        assert!(self.now.saturating_since(began) <= OBLIVION, "something is remembered for long");
    }

    /// A client in whose way nobody stands connects, and the server to it.
    fn connect_in_peace(&mut self) {
        self.connect(LATE_CLIENT, Expects::Server);
        self.drain();
        let (began, before) = (self.now, self.accepted.len());
        while self.accepted.len() == before {
            assert!(self.now.saturating_since(began) <= PATIENCE, "nobody is let in any more");
            if self.wire.is_empty() {
                self.wait_for_timer();
                self.drain();
            }
            self.deliver_all();
        }
        let late = (self.hosts[LATE_CLIENT].key, self.hosts[SERVER].key);
        assert!(self.bonds.values().any(|bond| *bond == late), "it was somebody else");
    }
}

const fn is_server(host: usize) -> bool {
    matches!(host, SERVER | IMPOSTOR)
}

fn host_of(place: Place) -> Option<usize> {
    match place {
        Place::Server => Some(SERVER),
        Place::Impostor => Some(IMPOSTOR),
        Place::Client => Some(CLIENT),
        Place::OtherClient => Some(OTHER_CLIENT),
        Place::Stranger(_) => None,
    }
}
