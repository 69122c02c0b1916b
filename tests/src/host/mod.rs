//! A host: an endpoint, files in memory, a disk of some speed, and what serves and asks on top.

mod client;
mod events;
mod held;
mod server;
mod transfer;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
};

use gannet_protocol::{
    BodyId, CloseReason, Config, ConnectionHandle, Datagram, Ecn, Endpoint, ExchangeId, FileDone,
    How, Instant, MAX_DATAGRAM, Name, Source, Stats, Ticket, Transmit, Unread, Version,
};

use crate::{
    directory::Directory,
    disk::{Disk, DiskConfig},
    incoming::{Incoming, Partial, Received},
    outgoing::{Outgoing, SourceFault},
};

pub use client::{Job, JobId, Outcome, put_identity};
pub use server::{Asked, Performed};
use transfer::Exchange;

/// Most datagrams and events that one input may cause before the polls fall idle: a window of packets that becomes
/// due at once is far less.
const MAX_OUTPUTS: usize = 100_000;
/// Most times in a row that a timeout may be due at once without anything to do.
const MAX_IDLE_TIMEOUTS: usize = 3;

/// A host of a world.
#[derive(Debug)]
pub struct Host {
    /// The core under test.
    pub endpoint: Endpoint,
    /// What it shares, and where it stores.
    pub files: Directory,
    /// What is wrong with the sources of its files.
    pub faults: BTreeMap<Name, SourceFault>,
    /// Longest body that it takes.
    pub max_stored: u64,
    /// What it has of files from before, to be received.
    pub partials: BTreeMap<Name, Partial>,
    /// Which versions of files it has, as a client.
    pub versions: BTreeMap<Name, Version>,
    /// How it wants its files stored, as a client.
    pub how: How,
    /// Which state of its source each file is that it puts, unless each is one of its own.
    pub put_state: Option<u64>,
    /// Groups that it finds to be spoilt as soon as it has them from before.
    pub doubts: BTreeSet<u64>,
    /// Names under which nothing is ever written: their bytes stay where they are until [`Self::unstick`].
    pub stuck: BTreeSet<Name>,
    /// Every request that it performed as a server, in order.
    pub performed: Vec<Performed>,
    /// Every body that it stored as a server, in order.
    pub stored: Vec<(Name, Received)>,
    /// Connections that ended here.
    pub closed: Vec<(ConnectionHandle, CloseReason)>,
    /// Connections that were established, in order.
    pub connected: Vec<ConnectionHandle>,
    /// Whether a client asked it to exit.
    pub exit_asked: bool,
    /// Figures of its connections when an exchange of theirs ended last.
    pub stats: BTreeMap<ConnectionHandle, Stats>,
    /// Exchanges that ended well.
    pub finished: u64,
    /// How many datagrams its polls write at once.
    pub batch: usize,
    /// Groups that it asked for again.
    pub asked_again: u64,
    /// Times that it was woken by its endpoint's timeout.
    pub timeouts: u64,
    /// States of sources that are no other host's.
    states: u64,
    connection: Option<ConnectionHandle>,
    disk: Disk,
    stuck_writes: Vec<Ticket>,
    exchanges: BTreeMap<ExchangeId, Exchange>,
    sending: BTreeMap<BodyId, Outgoing>,
    receiving: BTreeMap<BodyId, Incoming>,
    received: BTreeSet<BodyId>,
    outcomes: Vec<Option<Outcome>>,
    begun: BTreeMap<JobId, ExchangeId>,
    waiting: VecDeque<(JobId, Job)>,
    out: Vec<u8>,
}

impl Host {
    /// A host with no files.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            endpoint: Endpoint::new(config, seed),
            files: Directory::default(),
            faults: BTreeMap::new(),
            max_stored: 1 << 40,
            partials: BTreeMap::new(),
            versions: BTreeMap::new(),
            how: How::default(),
            put_state: None,
            doubts: BTreeSet::new(),
            stuck: BTreeSet::new(),
            performed: Vec::new(),
            stored: Vec::new(),
            closed: Vec::new(),
            connected: Vec::new(),
            exit_asked: false,
            stats: BTreeMap::new(),
            finished: 0,
            batch: 10,
            asked_again: 0,
            timeouts: 0,
            states: u64::from(u16::from_le_bytes([seed[8], seed[9]])) << 16,
            connection: None,
            disk: Disk::new(DiskConfig::default()),
            stuck_writes: Vec::new(),
            exchanges: BTreeMap::new(),
            sending: BTreeMap::new(),
            receiving: BTreeMap::new(),
            received: BTreeSet::new(),
            outcomes: Vec::new(),
            begun: BTreeMap::new(),
            waiting: VecDeque::new(),
            out: Vec::new(),
        }
    }

    /// What its disk is like from now on.
    pub const fn set_disk(&mut self, config: DiskConfig) {
        self.disk.set_config(config);
    }

    /// Its disk.
    #[must_use]
    pub const fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Writes what was stuck, and lets nothing get stuck any more.
    pub fn unstick(&mut self, now: Instant) {
        self.stuck.clear();
        for ticket in std::mem::take(&mut self.stuck_writes) {
            self.disk.write(now, ticket);
        }
    }

    /// Exchanges that run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.exchanges.len()
    }

    /// When it wants to be woken.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let late = self.sending.values().filter_map(Outgoing::ready);
        let timeout = self.endpoint.poll_timeout();
        late.chain(self.disk.next_due()).chain(timeout).min()
    }

    /// A datagram arrives.
    pub fn receive(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        ecn: Option<Ecn>,
        payload: &mut [u8],
    ) {
        let datagram = Datagram { remote, local: None, ecn, payload };
        if let Some(write) = self.endpoint.handle_datagram(now, datagram) {
            self.on_write(now, write);
        }
    }

    /// Does all there is to do at `now`, handing what is sent to `emit`.
    ///
    /// # Panics
    /// If the endpoint's polls do not fall idle, or its timeout then is not later than now.
    pub fn turn(&mut self, now: Instant, emit: &mut dyn FnMut(&Transmit, &mut [u8])) {
        let (mut outputs, mut idle_timeouts) = (0, 0);
        loop {
            let fired = self.endpoint.poll_timeout().is_some_and(|at| at <= now);
            if fired {
                self.timeouts += 1;
                self.endpoint.handle_timeout(now);
            }
            // What the receiver of a body wants again is news to its source.
            let mut news = self.work_disk(now) + self.drain_events(now);
            news += self.transmit(now, emit);
            news += self.drain_events(now);
            news += self.say_notes() + self.start_waiting();
            outputs += news;
            assert!(outputs < MAX_OUTPUTS, "the polls do not fall idle");
            match (news, fired) {
                (0, false) => break,
                (0, true) => idle_timeouts += 1,
                _ => idle_timeouts = 0,
            }
            assert!(idle_timeouts <= MAX_IDLE_TIMEOUTS, "the next timeout is not later than now");
        }
    }

    /// Lets the disk and late sources go on; how often.
    fn work_disk(&mut self, now: Instant) -> usize {
        let mut count = 0;
        while let Some(ticket) = self.disk.take_done(now) {
            self.on_written(now, ticket);
            count += 1;
        }
        for (body, outgoing) in &mut self.sending {
            if outgoing.ready().is_some_and(|at| at <= now) {
                outgoing.set_ready();
                self.endpoint.handle_file(now, FileDone::Readable(*body));
                count += 1;
            }
        }
        count
    }

    /// Polls for datagrams until there is none; how many there were.
    fn transmit(&mut self, now: Instant, emit: &mut dyn FnMut(&Transmit, &mut [u8])) -> usize {
        let mut out = std::mem::take(&mut self.out);
        out.resize(self.batch.max(1) * MAX_DATAGRAM, 0);
        let mut count = 0;
        while let Some(transmit) = {
            let mut source = Sources { sending: &mut self.sending, now };
            self.endpoint.poll_transmit(now, &mut source, &mut out)
        } {
            assert!(0 < transmit.len && transmit.len <= out.len(), "{transmit:?}");
            assert!((1..=MAX_DATAGRAM).contains(&transmit.segment_len), "{transmit:?}");
            for datagram in out[..transmit.len].chunks_mut(transmit.segment_len) {
                emit(&transmit, datagram);
                count += 1;
            }
            assert!(count < MAX_OUTPUTS, "there is always another datagram");
        }
        self.out = out;
        count
    }
}

/// What the endpoint reads the bodies from.
struct Sources<'h> {
    sending: &'h mut BTreeMap<BodyId, Outgoing>,
    now: Instant,
}

impl Source for Sources<'_> {
    fn read(&mut self, body: BodyId, offset: u64, buf: &mut [u8]) -> Result<(), Unread> {
        let outgoing = self.sending.get_mut(&body).expect("only bodies that run are read");
        outgoing.read(self.now, offset, buf)
    }
}
