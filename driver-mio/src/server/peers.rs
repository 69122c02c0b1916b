//! The connections of a server, and whose request is next.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use gannet_protocol::{ConnectionHandle, ExchangeId, Instant, PublicKey};

/// The share of the requests that may run at a time which one connection may have, a half, so that a client which stalls all of its
/// own leaves some to others.
const SHARE_OF_ONE: usize = 2;

/// The connections of a server. Those that may run next are the ones that have least.
///
/// What is asked in every turn costs the same for one connection and for thousands.
#[derive(Debug)]
pub(super) struct Peers {
    peers: BTreeMap<ConnectionHandle, Peer>,
    /// Those that have no grant, and until when they may bring a ticket; as many as the gate lets in.
    strangers: BTreeMap<ConnectionHandle, Instant>,
    /// Those of which a request waits: which has least, then which has waited longest.
    queue: BTreeSet<(Turn, ConnectionHandle)>,
    /// Counts the turns that were given.
    turns: u64,
    /// Requests that run, and how many may at most.
    running: usize,
    most: usize,
}

#[derive(Debug)]
struct Peer {
    remote: SocketAddr,
    key: Option<PublicKey>,
    running: usize,
    /// Its place in the queue.
    turn: Option<Turn>,
    /// Whether it is being closed.
    closing: bool,
    /// As many as the endpoint lets a client open.
    waiting: VecDeque<ExchangeId>,
}

/// When it is a connection's turn: how many of its requests run, and when it took its place.
type Turn = (usize, u64);

impl Peers {
    /// None, of whose requests at most so many run at a time.
    pub(super) fn new(most: usize) -> Self {
        let (peers, strangers, queue) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { peers, strangers, queue, turns: 0, running: 0, most }
    }

    /// Adds a connection to the client that has proved to hold `key`. Its address, as it is told in the log.
    pub(super) fn add(
        &mut self,
        connection: ConnectionHandle,
        remote: SocketAddr,
        key: Option<PublicKey>,
    ) -> SocketAddr {
        let remote = of_one_family(remote);
        let waiting = VecDeque::new();
        let peer = Peer { remote, key, running: 0, turn: None, closing: false, waiting };
        self.peers.entry(connection).or_insert(peer);
        remote
    }

    /// The key that the client has proved to hold; none on a plain connection.
    pub(super) fn key(&self, connection: ConnectionHandle) -> Option<PublicKey> {
        self.peers.get(&connection)?.key
    }

    /// Until when a connection is kept that has no grant; none if it has one.
    pub(super) fn set_stranger(&mut self, connection: ConnectionHandle, until: Option<Instant>) {
        match until.filter(|_| self.peers.contains_key(&connection)) {
            Some(until) => self.strangers.insert(connection, until),
            None => self.strangers.remove(&connection),
        };
    }

    /// Whether a connection has no grant, and is kept all the same.
    pub(super) fn is_stranger(&self, connection: ConnectionHandle) -> bool {
        self.strangers.contains_key(&connection)
    }

    /// How many have no grant, and how many of them are where `ip` is.
    pub(super) fn strangers(&self, ip: IpAddr) -> (usize, usize) {
        let place = place_of(ip);
        let is_near = |remote: &SocketAddr| place_of(remote.ip()) == place;
        let near = self.strangers.keys().filter_map(|connection| self.remote(*connection));
        (self.strangers.len(), near.filter(is_near).count())
    }

    /// When the time of the first of them is up.
    pub(super) fn stranger_deadline(&self) -> Option<Instant> {
        let open = self.strangers.iter().filter(|(connection, _)| !self.is_closing(**connection));
        open.map(|(_, until)| *until).min()
    }

    /// Those whose time is up.
    pub(super) fn late_strangers(&self, now: Instant) -> Vec<ConnectionHandle> {
        let late = self.strangers.iter().filter(|(_, until)| **until <= now);
        let late = late.map(|(connection, _)| *connection);
        late.filter(|connection| !self.is_closing(*connection)).collect()
    }

    /// Every connection that is not being closed.
    pub(super) fn connections(&self) -> Vec<ConnectionHandle> {
        self.peers
            .iter()
            .filter(|(_, peer)| !peer.closing)
            .map(|(connection, _)| *connection)
            .collect()
    }

    /// Counts a connection as being closed; true if that is new.
    pub(super) fn set_closing(&mut self, connection: ConnectionHandle) -> bool {
        let peer = self.peers.get_mut(&connection).filter(|peer| !peer.closing);
        peer.map(|peer| peer.closing = true).is_some()
    }

    fn is_closing(&self, connection: ConnectionHandle) -> bool {
        self.peers.get(&connection).is_none_or(|peer| peer.closing)
    }

    pub(super) fn remove(&mut self, connection: ConnectionHandle) {
        self.strangers.remove(&connection);
        if let Some(peer) = self.peers.remove(&connection) {
            self.running = self.running.saturating_sub(peer.running);
            if let Some(turn) = peer.turn {
                self.queue.remove(&(turn, connection));
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Where the connection led when it was new.
    pub(super) fn remote(&self, connection: ConnectionHandle) -> Option<SocketAddr> {
        self.peers.get(&connection).map(|peer| peer.remote)
    }

    /// The connections that are to be closed now and were not before: all, or those on which nothing runs.
    pub(super) fn close(&mut self, all: bool) -> Vec<ConnectionHandle> {
        let mut closed = Vec::new();
        for (connection, peer) in &mut self.peers {
            if !peer.closing && (all || peer.running == 0 && peer.waiting.is_empty()) {
                peer.closing = true;
                closed.push(*connection);
            }
        }
        closed
    }

    /// Queues a request.
    pub(super) fn wait(&mut self, exchange: ExchangeId) {
        if let Some(peer) = self.peers.get_mut(&exchange.connection()) {
            peer.waiting.push_back(exchange);
            self.queue_up(exchange.connection());
        }
    }

    /// Counts a request as running that waits for nobody.
    pub(super) fn run(&mut self, exchange: ExchangeId) {
        if let Some(peer) = self.peers.get_mut(&exchange.connection()) {
            peer.running += 1;
            self.running += 1;
            self.queue_up(exchange.connection());
        }
    }

    /// The request that may run now; it counts as running.
    pub(super) fn next(&mut self) -> Option<ExchangeId> {
        if self.running >= self.most {
            return None;
        }
        let ((least, _), connection) = self.queue.first().copied()?;
        if least >= self.most / SHARE_OF_ONE {
            return None;
        }
        let peer = self.peers.get_mut(&connection)?;
        let exchange = peer.waiting.pop_front()?;
        peer.running += 1;
        self.running += 1;
        self.queue_up(connection);
        Some(exchange)
    }

    /// Gives a connection that changed its place among those that wait; none if it does not.
    fn queue_up(&mut self, connection: ConnectionHandle) {
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        let keeps = |turn: &Turn| turn.0 == peer.running;
        let turn = (!peer.waiting.is_empty()).then(|| {
            self.turns += 1;
            peer.turn.filter(keeps).unwrap_or((peer.running, self.turns))
        });
        if let Some(left) = std::mem::replace(&mut peer.turn, turn) {
            self.queue.remove(&(left, connection));
        }
        if let Some(turn) = turn {
            self.queue.insert((turn, connection));
        }
    }

    /// Forgets a request, whether it waits or runs.
    pub(super) fn end(&mut self, exchange: ExchangeId) {
        if let Some(peer) = self.peers.get_mut(&exchange.connection()) {
            match peer.waiting.iter().position(|waiting| *waiting == exchange) {
                Some(at) => drop(peer.waiting.remove(at)),
                None => {
                    peer.running = peer.running.saturating_sub(1);
                    self.running = self.running.saturating_sub(1);
                }
            }
            self.queue_up(exchange.connection());
        }
    }

    /// All requests that wait.
    pub(super) fn waiting(&self) -> Vec<ExchangeId> {
        self.peers.values().flat_map(|peer| peer.waiting.iter().copied()).collect()
    }
}

/// What one host has: an IPv4 address, the upper half of an IPv6 address.
fn place_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip @ IpAddr::V4(_) => ip,
    }
}

/// An IPv4 client's address as such, and not as a socket of both families tells it.
fn of_one_family(remote: SocketAddr) -> SocketAddr {
    match remote.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, remote.port()),
        // It may have a scope.
        IpAddr::V6(_) => remote,
    }
}
