//! The network of a world: links, who is reached at which address, and what went over them.

use std::{collections::BTreeMap, net::SocketAddr};

use gannet_driver_mio::netem::{Counters, Link};
use gannet_protocol::{Ecn, Instant, Transmit};

use super::{Path, SERVER, trace::Trace, watch::Watch};

/// Datagrams to addresses of nobody that are kept.
const MAX_STRAYS: usize = 10_000;

/// Which way a datagram goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// From a client to the server.
    Up,
    /// From the server to a client.
    Down,
}

impl Direction {
    /// The other one.
    #[must_use]
    pub const fn reverse(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

/// Where on a path the NAT is that gives a client its address.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Nat {
    /// Beside the client. A change costs a whole round trip: what is on the way down is lost, and so is what the server sends
    /// until it gets what was sent after the change.
    #[default]
    Near,
    /// As in the interop runner's simulator, which translates at either end what has come over the path: the server hears of a
    /// change by the next packet that arrives, and what is on the way down is lost. It costs what a NAT halfway would.
    Halfway,
}

/// A datagram as it is sent.
#[derive(Clone, Copy, Debug)]
pub struct Passing<'a> {
    /// When.
    pub now: Instant,
    /// Which way.
    pub direction: Direction,
    /// From where.
    pub from: SocketAddr,
    /// Where to.
    pub to: SocketAddr,
    /// What.
    pub payload: &'a [u8],
}

/// Decides about each datagram that is sent whether the network takes it at all.
pub type Filter = Box<dyn FnMut(&Passing<'_>) -> bool>;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Label {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) ecn: Option<Ecn>,
    pub(crate) whose: Whose,
}

/// Whose a datagram is, as a number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whose {
    Client(usize),
    Cross(usize),
}

#[derive(Debug)]
struct Links {
    up: Link<Label>,
    down: Link<Label>,
}

/// What joins the hosts.
#[derive(Default)]
pub(crate) struct Net {
    paths: Vec<Links>,
    /// Which path leads to an address, and which client it is.
    pub(crate) routes: BTreeMap<SocketAddr, (usize, usize)>,
    pub(crate) filter: Option<Filter>,
    pub(crate) strays: Vec<(SocketAddr, Vec<u8>)>,
    pub(crate) trace: Trace,
    pub(crate) watch: Watch,
}

impl Net {
    /// One where packets are sealed, or not.
    pub(crate) fn new(sealed: bool) -> Self {
        Self { watch: Watch::new(sealed), ..Self::default() }
    }

    pub(crate) fn add_path(&mut self, seed: u64, mut path: Path) -> usize {
        let number = self.paths.len();
        // Far apart, so that no two links share a stretch of random numbers.
        let seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(number as u64 * 2);
        path.up.seed = seed;
        path.down.seed = seed.wrapping_add(1);
        self.paths.push(Links { up: Link::new(path.up), down: Link::new(path.down) });
        number
    }

    pub(crate) fn counters(&self, path: usize) -> (&Counters, &Counters) {
        let links = &self.paths[path];
        (links.up.counters(), links.down.counters())
    }

    pub(crate) fn set_blackout(&mut self, path: usize, on: bool) {
        let links = &mut self.paths[path];
        links.up.set_blackout(on);
        links.down.set_blackout(on);
    }

    /// A client sends.
    pub(crate) fn send_up(
        &mut self,
        now: Instant,
        from: SocketAddr,
        transmit: &Transmit,
        payload: &[u8],
    ) {
        assert_eq!(transmit.remote, SERVER, "a client knows of the server alone");
        let (path, client) = self.routes[&from];
        let label =
            Label { from, to: transmit.remote, ecn: transmit.ecn, whose: Whose::Client(client) };
        self.offer(now, Direction::Up, path, label, payload);
    }

    /// The server sends.
    pub(crate) fn send_down(&mut self, now: Instant, transmit: &Transmit, payload: &[u8]) {
        let to = transmit.remote;
        self.watch.on_sent(to, payload.len());
        match self.routes.get(&to) {
            Some((path, client)) => {
                let whose = Whose::Client(*client);
                let label = Label { from: SERVER, to, ecn: transmit.ecn, whose };
                self.offer(now, Direction::Down, *path, label, payload);
            }
            None if self.strays.len() < MAX_STRAYS => self.strays.push((to, payload.to_vec())),
            None => {}
        }
    }

    /// Cross traffic of that number goes some way over a path.
    pub(crate) fn send_cross(
        &mut self,
        now: Instant,
        (direction, path, cross): (Direction, usize, usize),
        payload: &[u8],
    ) {
        // Nobody's: a route has no unspecified address.
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let label = Label { from: nowhere, to: nowhere, ecn: None, whose: Whose::Cross(cross) };
        self.offer(now, direction, path, label, payload);
    }

    fn offer(
        &mut self,
        now: Instant,
        direction: Direction,
        path: usize,
        label: Label,
        payload: &[u8],
    ) {
        let Label { from, to, .. } = label;
        let passing = Passing { now, direction, from, to, payload };
        self.trace.note(&passing);
        if self.filter.as_mut().is_some_and(|filter| !filter(&passing)) {
            return;
        }
        let links = &mut self.paths[path];
        match direction {
            Direction::Up => links.up.offer(now, label, payload),
            Direction::Down => links.down.offer(now, label, payload),
        }
    }

    /// When the next datagram arrives anywhere.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let due = |links: &Links| [links.up.next_due(), links.down.next_due()];
        self.paths.iter().flat_map(due).flatten().min()
    }

    /// The next datagram that arrives by `now`.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Arrival> {
        for (path, links) in self.paths.iter_mut().enumerate() {
            let up = links.up.take_due(now).map(|arrived| (Direction::Up, arrived));
            let next =
                up.or_else(|| links.down.take_due(now).map(|arrived| (Direction::Down, arrived)));
            if let Some((direction, (label, payload))) = next {
                return Some(Arrival { path, direction, label, payload });
            }
        }
        None
    }

    /// Gives the memory of an arrived datagram back.
    pub(crate) fn recycle(&mut self, arrival: Arrival) {
        let links = &mut self.paths[arrival.path];
        match arrival.direction {
            Direction::Up => links.up.recycle(arrival.payload),
            Direction::Down => links.down.recycle(arrival.payload),
        }
    }
}

pub(crate) struct Arrival {
    path: usize,
    pub(crate) direction: Direction,
    pub(crate) label: Label,
    pub(crate) payload: Vec<u8>,
}
