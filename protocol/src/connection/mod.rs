//! One connection: its handshake, its path, its packets and its exchanges.

mod greeting;
mod handshake;
mod keying;
mod migration;
mod packet;
mod path;
mod receive;
mod timers;
mod transmit;

use alloc::{boxed::Box, vec::Vec};
use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use greeting::Greeting;
pub(crate) use handshake::Answering;
use handshake::{Finishing, Handshake};
pub(crate) use keying::Authenticated;
use keying::{ClientKeying, Protection};
use migration::Migration;
use path::Path;

use crate::{
    CloseCode, CloseReason, Config, ConnectionHandle, Event, Instant, PathMemory, Spent, Stats,
    Violation,
    acks::Acks,
    exchange::{Exchanges, Limits, Outbox, Role},
    expected::Expected,
    noise::HandshakeError,
    protect::Plain,
    random::{Random, Unguessable},
    recovery::{Fate, Recovery, Repeat, Repeats, SentPacket},
    spent::Ledger,
    throughput::Throughput,
    trace::{Metrics, Tracer},
    wire::packet::{ConnectionId, TOKEN_LEN},
};

use subtle::ConstantTimeEq;

/// Body bytes that a peer may have under way to us at first: 100 Mbit/s at 300 ms need no more.
const INITIAL_WINDOW: u64 = 4 << 20;
/// And at most: 1 Gbit/s at 250 ms. A slow disk holds up so much of memory at worst.
const MAX_WINDOW: u64 = 32 << 20;
pub(crate) const LIMITS: Limits = Limits { window: INITIAL_WINDOW, max_window: MAX_WINDOW };

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) handle: ConnectionHandle,
    role: Role,
    state: State,
    /// The id that the peer sends to, and the one that we do.
    own_id: ConnectionId,
    peer_id: ConnectionId,
    protection: Protection,
    /// Who the peer is, once it has proved it.
    peer: Option<Authenticated>,
    /// As a client: what the path gave when it was used last, and what it gives now, to the server and from it.
    memory: Option<PathMemory>,
    up: Throughput,
    down: Throughput,
    /// As a client: what the server's RESET will show.
    reset_token: Option<[u8; TOKEN_LEN]>,
    path: Path,
    migration: Migration,
    dice: Unguessable,
    recovery: Recovery,
    repeats: Repeats,
    acks: Acks,
    pub(crate) exchanges: Exchanges,
    liveness: Liveness,
    /// Packets that must go out whatever the window says, to learn what became of the others.
    probes: u32,
    /// A PING is to be sent.
    ping: bool,
    /// The pacer holds packets back until then.
    paced_until: Option<Instant>,
    config: Config,
    counters: Counters,
    ledger: Ledger,
    pub(crate) tracer: Tracer,
    /// It stands in the endpoint's queue of those with something to send.
    pub(crate) queued: bool,
    /// When the endpoint will look at its timers next.
    pub(crate) armed: Option<Instant>,
}

/// Where a connection stands in its life.
#[derive(Debug)]
enum State {
    Handshake(Handshake),
    /// Packets of both sides are protected. A client repeats its FINISH until the server is heard.
    Established {
        finish: Option<Finishing>,
    },
    Closing(Closing),
    Dead,
}

/// A connection that is closed but still says so to whoever has not heard.
#[derive(Debug)]
struct Closing {
    code: CloseCode,
    reason: CloseReason,
    /// Frames that the peer may not have heard: what of our exchanges is all said.
    last_words: Vec<u8>,
    due: bool,
    /// The application knows.
    told: bool,
    /// CLOSE packets that may still be sent.
    left: u32,
    until: Option<Instant>,
}

/// CLOSE packets that are sent at most, so that two ends cannot keep each other talking.
const MAX_CLOSES: u32 = 8;
/// Bytes of a CLOSE packet for what the peer may not have heard: the ends of a hundred streams. The rest is for acknowledgements.
const MAX_LAST_WORDS: usize = 900;
/// Time, in probe timeouts, during which late packets are answered with CLOSE (RFC 9000, section 10.2).
const CLOSING_PTOS: u32 = 3;
/// At most: who delays acknowledgements makes probe timeouts of minutes, and could have as much of our memory for as long.
const MAX_CLOSING: Duration = Duration::from_secs(10);

/// Who was heard when.
#[derive(Clone, Copy, Debug)]
struct Liveness {
    last_received: Instant,
    last_eliciting_sent: Instant,
    idle_timeout: Duration,
    /// Packets sent since that asked for no acknowledgement.
    quiet_packets: u32,
    /// Unanswered PINGs of a client that waits for bytes.
    asked: u32,
    /// Acknowledgements that a client repeated since it last heard of the server.
    shown: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    packets_sent: u64,
    packets_lost: u64,
    packets_received: u64,
    body_sent: u64,
    body_resent: u64,
}

/// Which connection this is, as its endpoint knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ids {
    pub(crate) handle: ConnectionHandle,
    pub(crate) own: ConnectionId,
    pub(crate) peer: ConnectionId,
}

/// Whom a client connects to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    pub(crate) remote: SocketAddr,
    /// The key that it has to prove.
    pub(crate) expected: Expected,
    /// What the path to it gave.
    pub(crate) memory: Option<PathMemory>,
}

impl Connection {
    /// A client's connection, about to say hello.
    pub(crate) fn connect(
        now: Instant,
        config: &Config,
        ids: Ids,
        server: &Server,
        random: &mut Random,
    ) -> Result<Self, HandshakeError> {
        let Server { remote, expected, memory } = *server;
        let keying = ClientKeying::new(&config.security, ids.own, expected, random)?;
        let greeting = Greeting::new(now, config.connect_timeout, keying);
        // A client has chosen the address itself.
        let path = Path::new(config, remote, None, true);
        let state = State::Handshake(Handshake::Greeting(Box::new(greeting)));
        let connection = Self::new(now, config, ids, Role::Client, state, (path, random));
        Ok(Self { memory, ..connection })
    }

    /// A server's connection, about to answer a hello.
    pub(crate) fn accept(
        now: Instant,
        config: &Config,
        ids: Ids,
        (remote, local): (SocketAddr, Option<IpAddr>),
        answering: Answering,
        random: &mut Random,
    ) -> Self {
        let path = Path::new(config, remote, local, false);
        let state = State::Handshake(Handshake::Answering(answering));
        Self::new(now, config, ids, Role::Server, state, (path, random))
    }

    fn new(
        now: Instant,
        config: &Config,
        ids: Ids,
        role: Role,
        state: State,
        (path, random): (Path, &mut Random),
    ) -> Self {
        Self {
            handle: ids.handle,
            role,
            state,
            own_id: ids.own,
            peer_id: ids.peer,
            // Until there are keys, nothing is sealed or opened.
            protection: Protection::Plain(Plain),
            peer: None,
            memory: None,
            up: Throughput::default(),
            down: Throughput::default(),
            reset_token: None,
            path,
            migration: Migration::default(),
            dice: Unguessable::new(&config.security, random),
            recovery: Recovery::new(now),
            repeats: Repeats::default(),
            acks: Acks::new(),
            exchanges: Exchanges::new(ids.handle, role, &LIMITS),
            liveness: Liveness {
                last_received: now,
                last_eliciting_sent: now,
                idle_timeout: config.idle_timeout,
                quiet_packets: 0,
                asked: 0,
                shown: 0,
            },
            probes: 0,
            ping: false,
            paced_until: None,
            config: config.clone(),
            counters: Counters::default(),
            ledger: Ledger::default(),
            tracer: Tracer::new(config.trace),
            queued: false,
            armed: None,
        }
    }

    pub(crate) const fn own_id(&self) -> ConnectionId {
        self.own_id
    }

    pub(crate) const fn remote(&self) -> SocketAddr {
        self.path.remote
    }

    /// Who the peer is; none in plain mode, or before the handshake is done.
    pub(crate) const fn peer(&self) -> Option<&Authenticated> {
        self.peer.as_ref()
    }

    pub(crate) const fn is_dead(&self) -> bool {
        matches!(self.state, State::Dead)
    }

    pub(crate) const fn is_established(&self) -> bool {
        matches!(self.state, State::Established { .. })
    }

    /// Whether commands are taken.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.state, State::Established { .. } | State::Handshake(_))
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            rtt: self.path.rtt.smoothed(),
            min_rtt: self.path.rtt.min(),
            latest_rtt: self.path.rtt.latest(),
            congestion: self.config.congestion,
            ecn_marked: self.path.ecn_marked(),
            window: self.path.congestion.window(),
            mtu: self.path.mtu.current(),
            packets_sent: self.counters.packets_sent,
            packets_lost: self.counters.packets_lost,
            packets_received: self.counters.packets_received,
            body_sent: self.counters.body_sent,
            body_resent: self.counters.body_resent,
            ..Stats::new(self.path.remote)
        }
    }

    /// As a client: what the path gave so far; none before there is a sample of its round-trip time.
    pub(crate) fn path_memory(&self) -> Option<PathMemory> {
        let is_known = self.role == Role::Client && self.path.rtt.has_sample();
        is_known.then(|| PathMemory {
            rtt: self.path.rtt.min(),
            mtu: self.path.mtu.current(),
            up: self.up.best(),
            down: self.down.best(),
        })
    }

    /// Tells who watches what is known of the path.
    fn trace_path(&mut self, now: Instant) {
        if !self.tracer.is_watched() {
            return;
        }
        let Path { rtt, congestion, .. } = &self.path;
        let metrics = Metrics {
            min_rtt: rtt.min(),
            rtt: rtt.smoothed(),
            latest_rtt: rtt.latest(),
            window: congestion.window(),
            in_flight: self.recovery.in_flight(),
            pacing: congestion.pacing_rate(rtt),
        };
        self.tracer.note_path(now, metrics, congestion.in_slow_start());
    }

    /// For what it has waited, as of `now`.
    pub(crate) fn spent(&self, now: Instant) -> Spent {
        self.ledger.spent(now)
    }

    /// Smoothed round-trip time.
    pub(crate) const fn rtt(&self) -> Duration {
        self.path.rtt.smoothed()
    }

    /// As a client: where a RESET of this connection comes from, and the id that it names.
    pub(crate) fn resettable_as(&self) -> Option<(SocketAddr, ConnectionId)> {
        self.reset_token.map(|_| (self.path.remote, self.peer_id))
    }

    /// As a client: the server knows nothing of the connection any more, if that is the token.
    pub(crate) fn on_reset(&mut self, token: &[u8; TOKEN_LEN], outbox: &mut Outbox) {
        let is_right = self.reset_token.is_some_and(|own| own.ct_eq(token).into());
        if is_right && self.is_established() {
            self.die(Some(CloseReason::Reset), outbox);
        }
    }

    /// Closes the connection as the application wants it.
    pub(crate) fn close(&mut self, code: CloseCode, outbox: &mut Outbox) {
        self.begin_closing(code, CloseReason::Local, outbox);
    }

    fn violate(&mut self, violation: Violation, outbox: &mut Outbox) {
        let code = CloseCode::Violation(violation);
        self.begin_closing(code, CloseReason::Violation(violation), outbox);
    }

    /// Closes the connection while its keys still suffice to say so.
    fn give_up_keys(&mut self, outbox: &mut Outbox) {
        self.begin_closing(CloseCode::KeysUsedUp, CloseReason::KeysUsedUp, outbox);
    }

    fn begin_closing(&mut self, code: CloseCode, reason: CloseReason, outbox: &mut Outbox) {
        match self.state {
            State::Handshake(_) => self.die(Some(reason), outbox),
            State::Established { .. } => {
                let last_words = match code {
                    CloseCode::Done => self.exchanges.last_words(MAX_LAST_WORDS),
                    _ => Vec::new(),
                };
                self.exchanges.close(outbox);
                self.state = State::Closing(Closing {
                    code,
                    reason,
                    last_words,
                    due: true,
                    told: false,
                    left: MAX_CLOSES,
                    until: None,
                });
            }
            State::Closing(_) | State::Dead => {}
        }
    }

    /// Ends without a word to the peer; `reason` is for the application, if it does not know yet.
    fn die(&mut self, reason: Option<CloseReason>, outbox: &mut Outbox) {
        self.exchanges.close(outbox);
        self.state = State::Dead;
        if let Some(reason) = reason {
            outbox.events.push_back(Event::Closed(self.handle, reason));
        }
    }

    /// Acts on the fate of a packet that we sent.
    fn apply_fate(
        (exchanges, acks, (path, migration), repeats): (
            &mut Exchanges,
            &mut Acks,
            (&mut Path, &mut Migration),
            &Repeats,
        ),
        outbox: &mut Outbox,
        now: Instant,
        (number, packet, fate): (u64, &SentPacket, Fate),
    ) {
        let contents = &packet.contents;
        // What another path did with it says nothing of this one.
        let here = packet.path == path.id;
        match fate {
            Fate::Acked | Fate::AckedLate => {
                if let Some((low, high)) = contents.acked {
                    acks.on_told(&(low..=high));
                }
                for repeat in repeats.of(number) {
                    match repeat {
                        Repeat::Challenge => path.repeat_challenge(),
                        Repeat::FormerChallenge => migration.ask_again(),
                        repeat => exchanges.on_repeat_acked(repeat, outbox),
                    }
                }
                if let Some(chunk) = &contents.chunk {
                    exchanges.on_chunk_acked(chunk, outbox);
                }
                if packet.eliciting && here {
                    if let Some(mtu) = path.mtu.on_acked(number, packet.size) {
                        path.congestion.on_mtu(u64::from(mtu));
                    }
                    if fate == Fate::Acked {
                        let size = u64::from(packet.size);
                        path.delivery.on_acked(now, size, packet.stamp, packet.sent_at);
                    }
                }
            }
            Fate::Lost => {
                for repeat in repeats.of(number) {
                    match repeat {
                        Repeat::Challenge => path.repeat_challenge(),
                        Repeat::FormerChallenge => migration.ask_again(),
                        repeat => exchanges.on_repeat_lost(repeat),
                    }
                }
                if let Some(chunk) = &contents.chunk {
                    exchanges.on_chunk_lost(chunk);
                }
                if contents.credit {
                    exchanges.repeat_credit();
                }
                if !here {
                    return;
                }
                if contents.mtu_probe {
                    path.mtu.on_probe_lost(number);
                } else if packet.eliciting {
                    path.mtu.on_lost(number, packet.size);
                }
            }
        }
    }
}
