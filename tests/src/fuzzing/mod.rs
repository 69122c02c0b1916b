//! Two endpoints driven by whatever operations some bytes say: what the fuzz target `endpoints` and the ordinary tests run.
//!
//! Whatever happens, nothing panics, polls fall idle after a bounded number of outputs, and the next timer lies in
//! the future then. As long as nobody forges packets, neither side accuses the other of a violation; and
//! once the network has become perfect and the applications do their part, every exchange comes to its end.

mod held;
mod operation;
mod side;

use std::{net::SocketAddr, time::Duration};

use arbitrary::{Arbitrary, Unstructured};
use gannet_protocol::{CloseCode, CloseReason, Config, CongestionKind, Instant};

use crate::forge;
use operation::{End, Fate, Forged, Operation};
use side::{Packet, Side};

/// Operations of a run; more would only make it slower.
const MAX_OPERATIONS: usize = 300;
/// Packets on the way to a side; what comes when so many are is lost.
const MAX_WIRE: usize = 8_192;
/// Rounds after which two sides with nothing in their way must be done.
const MAX_ROUNDS: u32 = 4_000;
/// Time that packets take when all arrive.
const LATENCY: Duration = Duration::from_millis(10);
/// Time that can pass without anybody giving up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs the operations that `bytes` say.
///
/// # Panics
/// If an endpoint does what it must not.
pub fn endpoints(bytes: &[u8]) {
    let mut bytes = Unstructured::new(bytes);
    let mut pair = Pair::new(bytes.arbitrary().unwrap_or_default());
    let mut history = History(Vec::new());
    while history.0.len() < MAX_OPERATIONS && !bytes.is_empty() {
        let Ok(operation) = Operation::arbitrary(&mut bytes) else { break };
        history.0.push((pair.now, operation.clone()));
        pair.run(operation);
    }
    if pair.honest {
        pair.come_to_an_end();
    }
}

/// What was done when, told if it leads to a panic.
struct History(Vec<(Instant, Operation)>);

impl Drop for History {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for (at, operation) in &self.0 {
                let at = Duration::from_nanos(at.as_nanos());
                eprintln!("{at:?}: {operation:?}");
            }
        }
    }
}

/// Two endpoints and what is on the way between them.
struct Pair {
    now: Instant,
    client: Side,
    server: Side,
    to_client: Vec<Packet>,
    to_server: Vec<Packet>,
    /// Connection id and number of the last DATA packet to each side.
    client_id: (u64, u64),
    server_id: (u64, u64),
    /// Time that has passed.
    waited: Duration,
    /// Nobody forged a packet.
    honest: bool,
    /// A side closed a connection, and the other may not have heard.
    left: bool,
}

impl Pair {
    fn new(fixed_rate: bool) -> Self {
        let mut config = Config::default();
        if fixed_rate {
            config.congestion = CongestionKind::Fixed(100_000_000);
        }
        let client = Side::new(config.clone(), 1, SocketAddr::from(([192, 0, 2, 1], 1000)));
        config.accept = true;
        let server = Side::new(config, 2, SocketAddr::from(([192, 0, 2, 2], 2000)));
        let mut pair = Self {
            now: Instant::ZERO,
            client,
            server,
            to_client: Vec::new(),
            to_server: Vec::new(),
            client_id: (0, 0),
            server_id: (0, 0),
            waited: Duration::ZERO,
            honest: true,
            left: false,
        };
        pair.connect();
        pair
    }

    fn connect(&mut self) {
        self.client.connection = Some(self.client.endpoint.connect(self.now, self.server.address));
        self.drain();
    }

    fn side(&mut self, end: End) -> &mut Side {
        match end {
            End::Client => &mut self.client,
            End::Server => &mut self.server,
        }
    }

    fn run(&mut self, operation: Operation) {
        let now = self.now;
        match operation {
            Operation::Ask(ask) => self.client.ask(ask),
            Operation::Answer { which, how } => self.server.answer(which, how),
            Operation::Note { at, which, note } => self.side(at).note(now, which, note),
            Operation::Held { at, which, says } => self.side(at).hold(which, says),
            Operation::Finish { which } => self.client.finish(which),
            Operation::Fail { at, which, status } => self.side(at).fail(which, status),
            Operation::Deliver { to, which, fate } => self.deliver(to, which, fate),
            Operation::DeliverAll => self.deliver_all(),
            Operation::LoseAll => {
                self.to_client.clear();
                self.to_server.clear();
            }
            Operation::Forge { to, ahead, frames } => self.forge(to, ahead, &frames),
            Operation::Stray { to, mut bytes } => {
                self.honest = false;
                self.arrive(to, &mut bytes);
            }
            Operation::Wait { millis } => self.wait(Duration::from_millis(millis.into())),
            Operation::WaitForTimer => self.wait_for_timer(),
            Operation::Settle { at, count } => self.side(at).settle(now, count.into()),
            Operation::Stall { at, stalled } => self.side(at).stall(now, stalled),
            Operation::Break { at, broken } => self.side(at).broken = broken,
            Operation::Move { port } => self.client.address = moved(self.client.address, port),
            Operation::Close { at, code } => self.close(at, code),
            Operation::ShutDown => self.server.endpoint.shut_down(),
            Operation::Connect => self.connect(),
        }
        self.drain();
    }

    /// Polls both sides until they are idle.
    fn drain(&mut self) {
        let now = self.now;
        let (client, server) = (self.client.address, self.server.address);
        for (side, wire, peer, last) in [
            (&mut self.client, &mut self.to_server, server, &mut self.server_id),
            (&mut self.server, &mut self.to_client, client, &mut self.client_id),
        ] {
            let mut sent = Vec::new();
            side.drain(now, &mut sent);
            for packet in sent.into_iter().filter(|packet| packet.to == peer) {
                *last = forge::data_header(&packet.bytes).unwrap_or(*last);
                if wire.len() < MAX_WIRE {
                    wire.push(packet);
                }
            }
            if self.honest {
                side.closed.iter().for_each(assert_blameless);
            }
        }
    }

    fn deliver(&mut self, to: End, which: u8, fate: Fate) {
        let wire = match to {
            End::Client => &mut self.to_client,
            End::Server => &mut self.to_server,
        };
        let Some(at) = usize::from(which).checked_rem(wire.len()) else { return };
        let mut packet = match fate {
            Fate::ArriveTwice => wire[at].clone(),
            _ => wire.remove(at),
        };
        match fate {
            Fate::Lose => return,
            Fate::Arrive | Fate::ArriveTwice => {}
            Fate::Damage { at, mask } => {
                let at = usize::from(at) % packet.bytes.len();
                packet.bytes[at] ^= mask;
            }
            Fate::Cut { at } => packet.bytes.truncate(at.into()),
        }
        let now = self.now;
        self.side(to).receive(now, packet.from, &mut packet.bytes);
    }

    fn deliver_all(&mut self) {
        for _ in 0..MAX_ROUNDS {
            if self.to_client.is_empty() && self.to_server.is_empty() {
                return;
            }
            self.now = self.now + LATENCY;
            for mut packet in std::mem::take(&mut self.to_server) {
                self.server.receive(self.now, packet.from, &mut packet.bytes);
            }
            for mut packet in std::mem::take(&mut self.to_client) {
                self.client.receive(self.now, packet.from, &mut packet.bytes);
            }
            self.drain();
        }
        panic!("packets lead to packets for ever");
    }

    fn forge(&mut self, to: End, ahead: u8, frames: &[Forged]) {
        self.honest = false;
        let ((id, last), (_, own)) = match to {
            End::Client => (self.client_id, self.server_id),
            End::Server => (self.server_id, self.client_id),
        };
        let number = last.saturating_add(ahead.into());
        let frames: Vec<_> =
            frames.iter().map(|frame| frame.frame(own.saturating_add(1))).collect();
        let mut packet = forge::data(id, number, &frames);
        self.arrive(to, &mut packet);
    }

    /// A datagram arrives from where the peer is.
    fn arrive(&mut self, to: End, bytes: &mut [u8]) {
        let (now, client, server) = (self.now, self.client.address, self.server.address);
        match to {
            End::Client => self.client.receive(now, server, bytes),
            End::Server => self.server.receive(now, client, bytes),
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
        self.waited += time;
    }

    fn wait_for_timer(&mut self) {
        let timers = [self.client.endpoint.poll_timeout(), self.server.endpoint.poll_timeout()];
        if let Some(at) = timers.into_iter().flatten().min() {
            self.wait(at.saturating_since(self.now));
        }
    }

    fn close(&mut self, at: End, code: u8) {
        self.left = true;
        let code = if code == 0 { CloseCode::Done } else { CloseCode::ShuttingDown };
        let side = self.side(at);
        if let Some(mut session) = side.connection.and_then(|c| side.endpoint.session(c)) {
            session.close(code);
        }
    }

    /// From now on nothing is in the way, and both applications do their part.
    fn come_to_an_end(&mut self) {
        let closed = (self.client.closed.len(), self.server.closed.len());
        let patient = self.waited < PATIENCE && !self.left;
        self.client.broken = false;
        self.server.broken = false;
        for _ in 0..MAX_ROUNDS {
            let now = self.now;
            self.server.answer_all();
            for side in [&mut self.client, &mut self.server] {
                side.stall(now, false);
                side.hold_nothing();
                side.end_all(now);
                side.settle_all(now);
            }
            self.client.finish_all();
            self.drain();
            if self.client.exchanges.is_empty() && self.server.exchanges.is_empty() {
                break;
            }
            if self.to_client.is_empty() && self.to_server.is_empty() {
                self.wait_for_timer();
                self.drain();
            }
            self.deliver_all();
        }
        let left = self.client.exchanges.len() + self.server.exchanges.len();
        assert_eq!(left, 0, "exchanges never end");
        let news = self.client.closed.iter().skip(closed.0);
        let silent = news
            .chain(self.server.closed.iter().skip(closed.1))
            .any(|reason| matches!(reason, CloseReason::Silence(_) | CloseReason::NoAnswer(_)));
        assert!(!(silent && patient), "the peer was there and was not heard");
    }
}

/// Without forged packets nobody breaks a rule.
fn assert_blameless(reason: &CloseReason) {
    let blamed = match reason {
        CloseReason::Violation(violation) | CloseReason::Peer(CloseCode::Violation(violation)) => {
            Some(violation)
        }
        _ => None,
    };
    assert_eq!(blamed, None, "an honest side is blamed");
}

fn moved(address: SocketAddr, port: bool) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if !port => {
            let ip = v4.ip().to_bits() + 0x100;
            SocketAddr::from((std::net::Ipv4Addr::from_bits(ip), v4.port()))
        }
        _ => SocketAddr::new(address.ip(), address.port().wrapping_add(1).max(1)),
    }
}
