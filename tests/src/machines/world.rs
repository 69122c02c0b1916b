//! A world of machines: one server, some clients, paths between them, and a virtual clock.

use std::{
    cell::RefMut,
    collections::VecDeque,
    fmt,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use gannet_driver_mio::simulation::{Client, Server};
use gannet_protocol::{Config, Datagram, Instant, Transmit};
use tempfile::TempDir;

use super::{Command, Disk, End, Fault, Random, caller::Caller, node::Node};
use crate::world::{
    Direction, Path, SERVER,
    net::{Label, Net},
};

/// Memory that bodies take at most on a machine, in bytes.
const MAX_MEMORY: u64 = 48 << 20;
/// Longest time that a machine takes to be there again.
const RESTART: Duration = Duration::from_secs(3);

/// Something that a client was told to do, by its number in the world.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct JobId(u64);

/// A world of machines.
///
/// A process that ends is started again by itself, and a client's connects again; what it was told to do is told to have ended, and
/// has to be told to it once more.
pub struct World {
    now: Instant,
    net: Net,
    random: Random,
    config: Config,
    server: Node<Server>,
    clients: Vec<Caller>,
    jobs: u64,
    ended: VecDeque<(JobId, End)>,
    /// Whether machines have little memory.
    tight: bool,
    _scratch: TempDir,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a world of {} clients at {:?}", self.clients.len(), self.now)
    }
}

impl World {
    /// A server and a client for each of these paths to it, with empty disks.
    ///
    /// # Panics
    /// If there is no room for their files.
    #[must_use]
    pub fn new(seed: u64, paths: &[Path]) -> Self {
        let scratch = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let scratch = scratch.expect("there is room for files");
        let mut random = Random::new(seed, 0);
        let mut net = Net::default();
        let server = Node::new(scratch.path().join("server"), random.next());
        let clients = (0..).zip(paths).map(|(number, path)| {
            let base = scratch.path().join(format!("client-{number}"));
            let path = net.add_path(random.next(), path.clone());
            let address = SocketAddr::new(Ipv4Addr::new(10, 0, 0, number).into(), 40_000);
            Caller::new(Node::new(base, random.next()), address, path)
        });
        let clients = clients.collect();
        Self {
            now: Instant::ZERO,
            net,
            random,
            config: Config::default(),
            server,
            clients,
            jobs: 0,
            ended: VecDeque::new(),
            tight: false,
            _scratch: scratch,
        }
    }

    /// Lets the machines have little memory for bodies. Only before the world begins.
    pub const fn tighten(&mut self) {
        self.tight = true;
    }

    /// Lets no datagram be longer.
    pub const fn set_max_datagram(&mut self, bytes: u16) {
        self.config.max_datagram = bytes;
    }

    /// Time since the world began.
    #[must_use]
    pub const fn elapsed(&self) -> Duration {
        self.now.saturating_since(Instant::ZERO)
    }

    /// The server's disk.
    #[must_use]
    pub fn server_disk(&self) -> RefMut<'_, Disk> {
        self.server.disk()
    }

    /// A client's disk.
    #[must_use]
    pub fn client_disk(&self, client: usize) -> RefMut<'_, Disk> {
        self.clients[client].node.disk()
    }

    /// Every disk: the server's, then the clients'.
    pub fn disks(&self) -> impl Iterator<Item = RefMut<'_, Disk>> {
        let clients = self.clients.iter().map(|caller| caller.node.disk());
        std::iter::once(self.server.disk()).chain(clients)
    }

    /// A number that differs from another run's if any packet or call of them does.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.disks().fold(self.net.trace.hash(), |all, disk| all.rotate_left(7) ^ disk.trace())
    }

    /// Tells a client to do something, as soon as it is connected.
    pub fn start(&mut self, client: usize, command: Command) -> JobId {
        let job = JobId(self.jobs);
        self.jobs += 1;
        self.clients[client].waiting.push((job, command));
        self.clients[client].node.touched = true;
        job
    }

    /// Something that ended, and how.
    pub fn take_ended(&mut self) -> Option<(JobId, End)> {
        self.ended.pop_front()
    }

    /// The power fails everywhere.
    pub fn fail_power(&mut self) {
        self.disks().for_each(|mut disk| disk.end(Fault::Power));
        self.server.touched = true;
        self.clients.iter_mut().for_each(|caller| caller.node.touched = true);
    }

    /// Takes a client's path away, or brings it back.
    pub fn set_blackout(&mut self, client: usize, on: bool) {
        self.net.set_blackout(self.clients[client].path, on);
    }

    /// Runs until a job has ended.
    ///
    /// # Panics
    /// If it does not within `limit`.
    pub fn run(&mut self, job: JobId, limit: Duration) -> End {
        let end = self.now + limit;
        loop {
            match self.take_ended() {
                Some((ended, how)) if ended == job => return how,
                Some(_) => {}
                None => assert!(self.step() <= end, "{job:?} does not end within {limit:?}"),
            }
        }
    }

    /// Runs for so long, whatever ends meanwhile.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step() < end {
            self.ended.clear();
        }
    }

    /// Lets the next thing happen, and tells when that was.
    ///
    /// # Panics
    /// If nothing happens any more, or a machine takes too much memory.
    pub fn step(&mut self) -> Instant {
        let now = self.now;
        let clients = self.clients.iter_mut().filter_map(|caller| caller.node.next(now));
        let next = clients.chain(self.net.next_due()).min();
        let next = next.into_iter().chain(self.server.next(now)).min();
        self.now = next.expect("something happens").max(now);
        self.deliver();
        self.serve();
        (0..self.clients.len()).for_each(|client| self.call(client));
        self.now
    }

    fn deliver(&mut self) {
        let now = self.now;
        while let Some(mut arrival) = self.net.take_due(now) {
            let Label { from, to, ecn, .. } = arrival.label;
            let payload = &mut arrival.payload;
            match arrival.direction {
                Direction::Up => {
                    let is_clients = self.net.routes.contains_key(&from);
                    self.net.watch.on_received(from, payload, is_clients);
                    let datagram = Datagram { remote: from, local: None, ecn, payload };
                    self.server.receive(now, datagram);
                }
                Direction::Down => {
                    if let Some((_, client)) = self.net.routes.get(&to) {
                        let datagram = Datagram { remote: SERVER, local: None, ecn, payload };
                        self.clients[*client].node.receive(now, datagram);
                    }
                }
            }
            self.net.recycle(arrival);
        }
    }

    /// Lets the server work, and starts or ends it.
    fn serve(&mut self) {
        let (now, server, net) = (self.now, &mut self.server, &mut self.net);
        if server.is_to_start(now) {
            let (config, seed) = (self.config.clone(), self.random.seed());
            let root = server.restart();
            server.host = server.act(|_| Server::start(&root, config, seed)).ok();
            if let (true, Some(host)) = (self.tight, &mut server.host) {
                host.tighten();
            }
        }
        if server.is_to_turn(now) {
            server.turn(now, &mut |transmit, payload| {
                each_datagram(transmit, payload, |payload| net.send_down(now, transmit, payload));
            });
        }
        check_memory(server.host.as_mut().map_or(0, Server::memory));
        if server.host.is_none() || server.disk().dead().is_some() {
            server.end_host(now + RESTART.mul_f64(self.random.share()));
        }
    }

    /// The same for a client.
    fn call(&mut self, client: usize) {
        let now = self.now;
        let caller = &mut self.clients[client];
        if caller.node.is_to_start(now) {
            self.net.routes.remove(&caller.address);
            let mut host = caller.connect(now, &self.config, self.random.seed());
            if self.tight {
                host.tighten();
            }
            caller.node.host = Some(host);
            self.net.routes.insert(caller.address, (caller.path, client));
        }
        let (net, from) = (&mut self.net, caller.address);
        if caller.node.is_to_turn(now) {
            caller.begin();
            caller.node.turn(now, &mut |transmit, payload| {
                each_datagram(transmit, payload, |payload| {
                    net.send_up(now, from, transmit, payload);
                });
            });
        }
        check_memory(caller.node.host.as_mut().map_or(0, Client::memory));
        caller.wait();
        caller.collect(&mut self.ended);
        let is_over = caller.node.host.as_mut().is_some_and(Client::is_over);
        if is_over || caller.node.disk().dead().is_some() {
            caller.node.end_host(now + RESTART.mul_f64(self.random.share()));
            let ended = caller.running.drain(..).map(|(job, _)| (job, End::Ended));
            self.ended.extend(ended);
        }
    }
}

fn check_memory(bytes: u64) {
    assert!(bytes <= MAX_MEMORY, "bodies take {bytes} bytes of memory");
}

/// Takes a batch apart.
fn each_datagram(transmit: &Transmit, payload: &[u8], send: impl FnMut(&[u8])) {
    payload.chunks(transmit.segment_len.max(1)).for_each(send);
}
