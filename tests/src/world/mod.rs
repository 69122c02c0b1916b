//! A world: one server, any number of clients, paths between them, and a virtual clock.

mod cross;
pub(crate) mod net;
mod node;
mod path;
mod trace;
mod watch;

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use gannet_driver_mio::netem::Counters;
use gannet_protocol::{
    CloseReason, Config, ConnectionHandle, Instant, PathMemory, Security, Stats, crypto::PublicKey,
};

use crate::{
    host::{Host, Job, JobId, Outcome},
    random::Random,
};
use cross::Cross;
use net::{Net, Whose};
use node::Node;

pub use cross::CrossId;
pub use net::{Direction, Filter, Nat, Passing};
pub use path::{ETHERNET, Path};

/// Where the server is.
pub const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5555);

/// Most wake-ups in a row that bring nothing: no datagram, no output.
const MAX_IDLE_WAKES: u32 = 10_000;

/// Which client of a world.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ClientId(usize);

/// Which path of a world.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PathId(usize);

/// What of a client's address changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rebind {
    /// The port: a NAT forgot its mapping.
    Port,
    /// The whole address: the client moved.
    Address,
}

/// One server, any number of clients, and a virtual clock.
///
/// Nothing in it happens by itself: [`Self::run_until`] moves the clock from one event to the next. The same calls
/// on a world of the same seed give the same packets at the same times.
pub struct World {
    now: Instant,
    seed: u64,
    server: Node,
    clients: Vec<Client>,
    crosses: Vec<Cross>,
    net: Net,
    /// Datagrams wait for the next multiple of this time, as for an interrupt that collects several.
    grain: Duration,
    nat: Nat,
    actions: BTreeMap<(Instant, u64), Action>,
    action_count: u64,
    idle_wakes: u32,
}

type Action = Box<dyn FnOnce(&mut World)>;

struct Client {
    node: Node,
    address: SocketAddr,
    path: usize,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a world of {} clients at {:?}", self.clients.len(), self.now)
    }
}

impl World {
    /// A world with a server that has no files, and no clients.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with_server(seed, Config::default())
    }

    /// The same, where the server has that configuration. It accepts in any case.
    #[must_use]
    pub fn with_server(seed: u64, mut config: Config) -> Self {
        config.accept = true;
        let sealed = matches!(config.security, Security::Sealed(_));
        Self {
            now: Instant::ZERO,
            seed,
            server: Node::new(config, seed, 0),
            clients: Vec::new(),
            crosses: Vec::new(),
            net: Net::new(sealed),
            grain: Duration::ZERO,
            nat: Nat::default(),
            actions: BTreeMap::new(),
            action_count: 0,
            idle_wakes: 0,
        }
    }

    /// Datagrams wait for the next multiple of `grain`, as for an interrupt that collects several.
    pub const fn set_grain(&mut self, grain: Duration) {
        self.grain = grain;
    }

    /// Has every host that there is wait for its turn when it wakes up, `mean` on the average: other programs use its processor.
    pub fn share_processors(&mut self, mean: Duration) {
        let nodes =
            self.clients.iter_mut().map(|client| &mut client.node).chain([&mut self.server]);
        for (stream, node) in (0..).zip(nodes) {
            node.share_processor(Random::new(self.seed, stream), mean);
        }
    }

    /// Puts the NAT of every path there.
    pub const fn set_nat(&mut self, nat: Nat) {
        self.nat = nat;
    }

    /// A client at the end of a path of its own, that connects at once.
    pub fn add_client(&mut self, path: Path) -> ClientId {
        let path = self.add_path(path);
        self.add_client_on(path, Config::default())
    }

    /// A path that clients can share.
    pub fn add_path(&mut self, path: Path) -> PathId {
        PathId(self.net.add_path(self.seed, path))
    }

    /// A client at the end of that path, that connects at once.
    pub fn add_client_on(&mut self, path: PathId, config: Config) -> ClientId {
        self.add_connecting(path, config, |host, now| host.connect(now, SERVER))
    }

    /// The same, to a server that has to prove its key.
    pub fn add_client_to(&mut self, path: PathId, config: Config, key: PublicKey) -> ClientId {
        self.add_connecting(path, config, |host, now| host.connect_to(now, SERVER, key))
    }

    /// The same, over a path that is known from before.
    pub fn add_client_again(
        &mut self,
        path: PathId,
        config: Config,
        memory: PathMemory,
    ) -> ClientId {
        self.add_connecting(path, config, |host, now| host.connect_again(now, SERVER, memory))
    }

    fn add_connecting(
        &mut self,
        path: PathId,
        config: Config,
        connect: impl FnOnce(&mut Host, Instant) -> ConnectionHandle,
    ) -> ClientId {
        let number = self.clients.len();
        let [high, low] = u16::try_from(number).expect("so many clients").to_be_bytes();
        let address = SocketAddr::new(Ipv4Addr::new(10, 0, high, low).into(), 40_000);
        let mut node = Node::new(config, self.seed, number as u64 + 1);
        connect(&mut node.host, self.now);
        node.touched = true;
        self.clients.push(Client { node, address, path: path.0 });
        self.net.routes.insert(address, (path.0, number));
        ClientId(number)
    }

    /// The present.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Time since the world began.
    #[must_use]
    pub const fn elapsed(&self) -> Duration {
        self.now.saturating_since(Instant::ZERO)
    }

    /// The server.
    #[must_use]
    pub const fn server(&self) -> &Host {
        &self.server.host
    }

    /// The server, to change it.
    pub const fn server_mut(&mut self) -> &mut Host {
        self.server.touched = true;
        &mut self.server.host
    }

    /// The server dies without a word, and starts again at the same address with the same files.
    pub fn restart_server(&mut self, mut config: Config) {
        config.accept = true;
        // A number that no client has.
        let node = Node::new(config, self.seed, u64::MAX);
        let old = std::mem::replace(&mut self.server, node);
        self.server.host.files = old.host.files;
    }

    /// A client.
    #[must_use]
    pub fn client(&self, client: ClientId) -> &Host {
        &self.clients[client.0].node.host
    }

    /// A client, to change it.
    pub fn client_mut(&mut self, client: ClientId) -> &mut Host {
        let node = &mut self.clients[client.0].node;
        node.touched = true;
        &mut node.host
    }

    /// Every client.
    pub fn clients(&self) -> impl Iterator<Item = ClientId> + use<> {
        (0..self.clients.len()).map(ClientId)
    }

    /// Where a client is now.
    #[must_use]
    pub fn address(&self, client: ClientId) -> SocketAddr {
        self.clients[client.0].address
    }

    /// Gives a client a job.
    pub fn start(&mut self, client: ClientId, job: Job) -> JobId {
        self.client_mut(client).start(job)
    }

    /// What a job came to.
    #[must_use]
    pub fn outcome(&self, client: ClientId, job: JobId) -> Option<&Outcome> {
        self.client(client).outcome(job)
    }

    /// Why a client's connection ended, if it did.
    #[must_use]
    pub fn close_reason(&self, client: ClientId) -> Option<CloseReason> {
        self.client(client).closed.last().map(|(_, reason)| *reason)
    }

    /// Figures of the server's end of its only connection that lives.
    pub fn server_stats(&mut self) -> Option<Stats> {
        let connection = *self.server.host.connected.last()?;
        Some(self.server.host.endpoint.session(connection)?.stats())
    }

    /// The server's end of a client's connection, while it lives.
    pub fn server_connection(&mut self, client: ClientId) -> Option<ConnectionHandle> {
        let ip = self.address(client).ip();
        let Host { connected, endpoint, .. } = &mut self.server.host;
        let mut all = connected.iter().copied();
        all.find(|c| endpoint.session(*c).is_some_and(|session| session.remote().ip() == ip))
    }

    /// Figures of a client's connection, while it lives.
    pub fn client_stats(&mut self, client: ClientId) -> Option<Stats> {
        let host = &mut self.clients[client.0].node.host;
        let connection = host.connection();
        Some(host.endpoint.session(connection)?.stats())
    }

    /// What the links of a client's path did, up and down.
    #[must_use]
    pub fn counters(&self, client: ClientId) -> (&Counters, &Counters) {
        self.net.counters(self.clients[client.0].path)
    }

    /// A number that differs from another run's if any packet of them does, in content or time.
    #[must_use]
    pub const fn trace_hash(&self) -> u64 {
        self.net.trace.hash()
    }

    /// Datagrams that the server sent to addresses where nobody is.
    #[must_use]
    pub fn strays(&self) -> &[(SocketAddr, Vec<u8>)] {
        &self.net.strays
    }

    /// Takes those to one address.
    pub fn take_strays(&mut self, to: SocketAddr) -> Vec<Vec<u8>> {
        let of = |(address, _): &mut (SocketAddr, Vec<u8>)| *address == to;
        self.net.strays.extract_if(.., of).map(|(_, payload)| payload).collect()
    }

    /// Lets `filter` decide of each datagram that is sent from now on whether the network takes it.
    pub fn set_filter(&mut self, filter: impl FnMut(&Passing<'_>) -> bool + 'static) {
        self.net.filter = Some(Box::new(filter));
    }

    /// Takes a client's path away, or brings it back.
    pub fn set_blackout(&mut self, client: ClientId, on: bool) {
        self.net.set_blackout(self.clients[client.0].path, on);
    }

    /// A datagram reaches the server out of nowhere.
    pub fn spoof(&mut self, from: SocketAddr, payload: &[u8]) {
        let mut payload = payload.to_vec();
        self.deliver_up(from, None, &mut payload);
        self.turn();
    }

    /// A datagram that claims to be the server's reaches a client out of nowhere.
    pub fn spoof_down(&mut self, client: ClientId, payload: &[u8]) {
        self.spoof_down_from(SERVER, client, payload);
    }

    /// The same from another address.
    pub fn spoof_down_from(&mut self, from: SocketAddr, client: ClientId, payload: &[u8]) {
        let mut payload = payload.to_vec();
        let now = self.now;
        self.client_mut(client).receive(now, from, None, &mut payload);
        self.turn();
    }

    /// Changes a client's address, of which it knows nothing. What is on the way to the old one is lost.
    pub fn rebind(&mut self, client: ClientId, what: Rebind) {
        let Client { address, path, .. } = &mut self.clients[client.0];
        self.net.routes.remove(address);
        match (what, address.ip()) {
            (Rebind::Address, IpAddr::V4(ip)) => {
                address.set_ip(Ipv4Addr::from(u32::from(ip) + (1 << 20)).into());
            }
            _ => address.set_port(address.port() + 1),
        }
        self.net.routes.insert(*address, (*path, client.0));
    }

    /// The same each time that `period` has passed.
    pub fn rebind_every(&mut self, client: ClientId, what: Rebind, period: Duration) {
        let next = self.now + period;
        self.at(next, move |world| {
            world.rebind(client, what);
            world.rebind_every(client, what, period);
        });
    }

    /// Does something at that time.
    pub fn at(&mut self, when: Instant, action: impl FnOnce(&mut Self) + 'static) {
        self.action_count += 1;
        self.actions.insert((when, self.action_count), Box::new(action));
    }

    /// Runs until `done`, or until `limit` has passed; whether it came to `done`.
    pub fn run_until(&mut self, mut done: impl FnMut(&mut Self) -> bool, limit: Duration) -> bool {
        let end = self.now + limit;
        loop {
            if done(self) {
                return true;
            }
            match self.next() {
                Some(next) if next <= end => self.step(next),
                _ => {
                    self.now = self.now.max(end);
                    return false;
                }
            }
        }
    }

    /// Runs for so long.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(|_| false, time);
    }

    /// Runs until every client's jobs came to something.
    ///
    /// # Panics
    /// If they do not within `limit`.
    pub fn run_until_idle(&mut self, limit: Duration) {
        let idle = |world: &mut Self| world.clients.iter().all(|client| client.node.host.is_idle());
        assert!(self.run_until(idle, limit), "not done after {limit:?}");
    }

    /// When something happens next.
    fn next(&self) -> Option<Instant> {
        let nodes = self.clients.iter().map(|client| &client.node).chain([&self.server]);
        let timeouts = nodes.filter_map(|node| node.next(self.now));
        let arrival = self.net.next_due().map(|due| self.round_up(due));
        let action = self.actions.keys().next().map(|(at, _)| *at);
        let crosses = self.crosses.iter().map(Cross::timeout);
        timeouts.chain(crosses).chain(arrival).chain(action).min().map(|next| next.max(self.now))
    }

    fn round_up(&self, due: Instant) -> Instant {
        match u64::try_from(self.grain.as_nanos()) {
            Ok(grain) if grain > 0 => Instant::from_nanos(due.as_nanos().next_multiple_of(grain)),
            _ => due,
        }
    }

    fn step(&mut self, now: Instant) {
        self.now = now;
        let mut news = false;
        while let Some(entry) = self.actions.first_entry().filter(|entry| entry.key().0 <= now) {
            let action = entry.remove();
            action(self);
            news = true;
        }
        if self.net.next_due().is_some_and(|due| self.round_up(due) <= now) {
            while let Some(mut arrival) = self.net.take_due(now) {
                let net::Label { from, to, ecn, whose } = arrival.label;
                match (whose, arrival.direction) {
                    (Whose::Client(client), Direction::Up) => {
                        let from = match self.nat {
                            Nat::Near => from,
                            Nat::Halfway => self.clients[client].address,
                        };
                        self.deliver_up(from, ecn, &mut arrival.payload);
                    }
                    (Whose::Client(_), Direction::Down) => {
                        self.deliver_down(to, ecn, &mut arrival.payload);
                    }
                    (Whose::Cross(cross), way) => self.deliver_cross(cross, way, &arrival.payload),
                }
                self.net.recycle(arrival);
                news = true;
            }
        }
        news |= self.turn() | self.turn_crosses();
        self.idle_wakes = if news { 0 } else { self.idle_wakes + 1 };
        assert!(self.idle_wakes < MAX_IDLE_WAKES, "timeouts bring nothing again and again");
    }

    fn deliver_up(
        &mut self,
        from: SocketAddr,
        ecn: Option<gannet_protocol::Ecn>,
        payload: &mut [u8],
    ) {
        let is_clients = self.net.routes.contains_key(&from);
        self.net.watch.on_received(from, payload, is_clients);
        self.server.receive(self.now, from, ecn, payload);
    }

    fn deliver_down(
        &mut self,
        to: SocketAddr,
        ecn: Option<gannet_protocol::Ecn>,
        payload: &mut [u8],
    ) {
        // The address may have changed while the datagram was on the way.
        let Some((_, number)) = self.net.routes.get(&to) else { return };
        self.clients[*number].node.receive(self.now, SERVER, ecn, payload);
    }

    /// Lets every host work that has something to work on; whether anything was sent.
    fn turn(&mut self) -> bool {
        let (now, net) = (self.now, &mut self.net);
        let mut sent = false;
        self.server.turn(now, &mut |transmit, payload| {
            sent = true;
            net.send_down(now, transmit, payload);
        });
        for Client { node, address, .. } in &mut self.clients {
            node.turn(now, &mut |transmit, payload| {
                sent = true;
                net.send_up(now, *address, transmit, payload);
            });
        }
        sent
    }
}
