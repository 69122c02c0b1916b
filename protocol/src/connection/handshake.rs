//! HELLO, ANSWER, FINISH (docs/protocol.md, "Handshake").
//!
//! The client alone drives retransmission: it repeats its hello until it is answered, and its finish until it hears the
//! server's first protected packet. A repeated hello is answered byte for byte as before.

use alloc::{boxed::Box, vec::Vec};
use core::{net::SocketAddr, time::Duration};

use super::{
    Connection, LIMITS, State,
    greeting::Greeting,
    keying::{self, NotAnswered, Secured, ServerKeying},
};
use crate::{
    CloseReason, Config, CongestionKind, Event, Instant, Security,
    congestion::Saved,
    exchange::{Outbox, Role},
    noise::HandshakeError,
    random::Random,
    wire::{
        cursor::{Malformed, Reader, Writer},
        packet::{self, ConnectionId, Hello, MIN_DATAGRAM, TOKEN_LEN},
        params::{Parameters, PathHint},
    },
};

/// The first hello is repeated after this, as is the FINISH, for lost ones are more likely than paths of half a second.
pub(super) const FIRST_REPEAT: Duration = Duration::from_millis(250);
/// From then on the pause doubles up to this: soon and often, for 1200 bytes burden nobody.
pub(super) const MAX_REPEAT: Duration = Duration::from_secs(1);
/// A FINISH that comes this soon after we said something is not answered: no honest client repeats it so soon.
const MIN_REPEAT: Duration = Duration::from_millis(125);
/// A server drops a client that does not finish its handshake within this.
const FINISH_DEADLINE: Duration = Duration::from_secs(10);
/// A FINISH that comes later than this after the answer tells nothing of the round-trip time: more likely it is a repeated
/// one, the first of which were lost, and the probe timeouts that follow from it would outlast the connection.
const MAX_FINISH_SAMPLE: Duration = Duration::from_secs(1);
/// Protected packets that overtook the FINISH and wait for it. Larger ones than every path carries are only probes, and
/// would let strangers fill our memory.
const MAX_HELD: usize = 8;
/// Room for a connection id and the parameters.
const MAX_SAID: usize = 256;

/// A handshake that runs.
#[derive(Debug)]
pub(super) enum Handshake {
    Greeting(Box<Greeting>),
    Answering(Answering),
}

/// A server that was greeted.
#[derive(Debug)]
pub(crate) struct Answering {
    keying: ServerKeying,
    /// The payload of the answer.
    answer: Vec<u8>,
    pub(super) due: bool,
    answered_at: Option<Instant>,
    answers: u32,
    pub(super) deadline: Instant,
    held: Vec<Held>,
}

/// A client whose FINISH was not answered yet.
#[derive(Debug)]
pub(super) struct Finishing {
    payload: Vec<u8>,
    pub(super) next_at: Instant,
    repeat: Duration,
}

/// A protected packet that came before the FINISH.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) number: u64,
    pub(super) bytes: Vec<u8>,
}

impl Finishing {
    const fn new(now: Instant, payload: Vec<u8>) -> Self {
        Self { payload, next_at: now, repeat: FIRST_REPEAT }
    }

    /// Writes the FINISH if it is due.
    pub(super) fn poll(&mut self, now: Instant, to: ConnectionId, out: &mut [u8]) -> Option<usize> {
        if now < self.next_at {
            return None;
        }
        let len = packet::write_finish(out, to, &self.payload)?;
        self.next_at = now + self.repeat;
        self.repeat = (self.repeat * 2).min(MAX_REPEAT);
        Some(len)
    }
}

impl Answering {
    /// Whether a hello asks for what we do: others are not worth a word.
    pub(crate) fn suits(config: &Config, hello: &Hello<'_>) -> bool {
        keying::suits(&config.security, hello)
    }

    /// Makes up the answer to a hello.
    pub(crate) fn new(
        now: Instant,
        config: &Config,
        own: ConnectionId,
        hello: &Hello<'_>,
    ) -> Result<Self, HandshakeError> {
        let token = match &config.security {
            Security::Plain => None,
            Security::Sealed(identity) => Some(identity.resets().tag(&[&own.0.to_be_bytes()])),
        };
        let said = said(own, config, token, None);
        let (keying, answer) = ServerKeying::answer(&config.security, hello, &said)?;
        Ok(Self {
            keying,
            answer,
            due: true,
            answered_at: None,
            answers: 0,
            deadline: now + FINISH_DEADLINE,
            held: Vec::new(),
        })
    }

    /// The client repeats its hello: so does the answer.
    fn repeat(&mut self) {
        self.due = true;
    }

    /// Writes the answer if it is due.
    pub(super) fn poll(&mut self, now: Instant, to: ConnectionId, out: &mut [u8]) -> Option<usize> {
        if !self.due {
            return None;
        }
        let len = packet::write_answer(out, to, &self.answer)?;
        self.due = false;
        self.answers = self.answers.saturating_add(1);
        self.answered_at = Some(now);
        Some(len)
    }
}

/// What each side says of itself: the server's connection id, and its own parameters.
fn said(
    server: ConnectionId,
    config: &Config,
    reset_token: Option<[u8; TOKEN_LEN]>,
    path: Option<PathHint>,
) -> Vec<u8> {
    let (credit, body_window) = LIMITS.initial();
    let parameters = Parameters {
        max_datagram: config.max_datagram,
        idle_timeout: config.idle_timeout,
        credit,
        body_window,
        reset_token,
        path,
        max_rate: config.max_rate,
        background: config.background,
    };
    let mut bytes = alloc::vec![0; MAX_SAID];
    let mut w = Writer::new(&mut bytes);
    w.u64(server.0);
    parameters.write(&mut w);
    let len = w.finish().unwrap_or_default();
    bytes.truncate(len);
    bytes
}

fn read_said(said: &[u8]) -> Result<(ConnectionId, Parameters), Malformed> {
    let mut reader = Reader::new(said);
    let server = ConnectionId(reader.u64()?);
    Ok((server, Parameters::read(&mut reader)?))
}

impl Connection {
    /// As a server: the client's hello came again.
    pub(crate) fn on_hello_again(&mut self) {
        if let State::Handshake(Handshake::Answering(answering)) = &mut self.state {
            answering.repeat();
        }
    }

    /// As a client: the server wants to see a cookie first.
    pub(crate) fn on_retry(
        &mut self,
        now: Instant,
        cookie: &[u8],
        (random, outbox): (&mut Random, &mut Outbox),
    ) {
        let State::Handshake(Handshake::Greeting(greeting)) = &mut self.state else { return };
        if let Err(error) = greeting.on_retry(now, self.own_id, cookie, random) {
            self.die(Some(CloseReason::Cryptography(error)), outbox);
        }
    }

    /// As a client: takes in an ANSWER. One that is not to our hello is noise.
    pub(crate) fn on_answer(&mut self, now: Instant, payload: &[u8], outbox: &mut Outbox) {
        let State::Handshake(Handshake::Greeting(greeting)) = &mut self.state else { return };
        let (answered, sample) = match greeting.read_answer(now, payload) {
            Ok(read) => read,
            Err(NotAnswered::Noise) => return,
            Err(NotAnswered::WrongKey(key)) => return greeting.on_wrong_key(now, key),
            Err(NotAnswered::UnknownKey(key)) => {
                return self.die(Some(CloseReason::UnknownKey(key)), outbox);
            }
        };
        let Ok((peer_id, parameters)) = read_said(&answered.said) else { return };
        if let Some(sample) = sample {
            self.path.rtt.update(sample, Duration::ZERO, now);
        }
        let hint = self.memory.map(|memory| memory.of_receiving());
        let said = said(peer_id, &self.config, None, hint);
        let Ok((finish, secured)) = answered.finish(&said) else { return };
        self.peer_id = peer_id;
        self.reset_token = parameters.reset_token;
        let finish = Some(Finishing::new(now, finish));
        self.establish(now, &parameters, secured, finish, outbox);
    }

    /// As a server: whether the next FINISH costs public-key operations even if it is noise.
    pub(crate) fn is_finish_costly(&self) -> bool {
        match &self.state {
            State::Handshake(Handshake::Answering(answering)) => answering.keying.is_spoilt(),
            _ => false,
        }
    }

    /// As a server: takes in a FINISH, or one that was repeated.
    pub(crate) fn on_finish(
        &mut self,
        now: Instant,
        from: SocketAddr,
        payload: &[u8],
        outbox: &mut Outbox,
    ) {
        match &mut self.state {
            State::Handshake(Handshake::Answering(answering)) => {
                let Ok(finished) = answering.keying.read_finish(payload) else { return };
                let Ok((confirmed, parameters)) = read_said(&finished.said) else { return };
                if confirmed != self.own_id {
                    return;
                }
                if let (Some(at), 1) = (answering.answered_at, answering.answers) {
                    let sample = now.saturating_since(at);
                    if sample <= MAX_FINISH_SAMPLE {
                        self.path.rtt.update(sample, Duration::ZERO, now);
                    }
                }
                let held = core::mem::take(&mut answering.held);
                self.path.validate();
                self.establish(now, &parameters, finished.secured, None, outbox);
                if from != self.path.remote {
                    // It received the answer where it was, and is elsewhere now.
                    self.on_new_address(now, from, self.path.local);
                }
                // The client hears that it need not repeat itself.
                self.ping = true;
                for mut packet in held {
                    self.receive_held(now, packet.number, &mut packet.bytes, outbox);
                }
            }
            State::Established { .. } => {
                // Who acknowledged anything has heard us, and has nothing to repeat. A short FINISH gets a longer answer, so
                // that others must not be able to ask for many.
                let soon = self.liveness.last_eliciting_sent + MIN_REPEAT;
                if now >= soon && !self.recovery.was_acknowledged() {
                    self.acks.hurry(now);
                    self.ping = true;
                }
            }
            _ => return,
        }
        if from == self.path.remote {
            self.path.on_received(payload.len());
        }
    }

    fn establish(
        &mut self,
        now: Instant,
        peer: &Parameters,
        secured: Secured,
        finish: Option<Finishing>,
        outbox: &mut Outbox,
    ) {
        self.liveness.last_received = now;
        self.liveness.last_eliciting_sent = now;
        self.liveness.idle_timeout = self.liveness.idle_timeout.min(peer.idle_timeout);
        self.path.allow_datagrams(peer.max_datagram.min(self.config.max_datagram));
        self.heed(peer);
        let memory = match self.role {
            Role::Client => self.memory.map(|memory| memory.of_sending()),
            Role::Server => peer.path,
        };
        if let Some(PathHint { rate, rtt, mtu }) = memory {
            self.path.remember(Saved { rate, rtt }, mtu);
        }
        self.exchanges.set_peer_limits(&peer.credit, peer.body_window);
        self.peer = secured.peer;
        self.protection = secured.protection;
        if let Some(lowered) = self.config.lowered {
            self.protection.lower(lowered);
        }
        self.state = State::Established { finish };
        outbox.events.push_back(Event::Connected(self.handle));
    }

    /// Sends as the peer wants it, here and on every later path.
    fn heed(&mut self, peer: &Parameters) {
        let config = &mut self.config;
        config.max_rate = match (config.max_rate, peer.max_rate) {
            (Some(own), Some(theirs)) => Some(own.min(theirs)),
            (own, theirs) => own.or(theirs),
        };
        if config.background || peer.background {
            config.congestion = CongestionKind::Ledbat;
        }
        self.path.set_manners(config);
    }

    /// Keeps a protected packet until the FINISH is here.
    pub(super) fn hold(&mut self, number: u64, bytes: &[u8]) {
        if let State::Handshake(Handshake::Answering(answering)) = &mut self.state
            && answering.held.len() < MAX_HELD
            && bytes.len() <= MIN_DATAGRAM
        {
            answering.held.push(Held { number, bytes: bytes.to_vec() });
        }
    }

    /// As a client: the server speaks none of our versions.
    pub(crate) fn on_versions(&mut self, outbox: &mut Outbox) {
        if matches!(self.state, State::Handshake(Handshake::Greeting(_))) {
            self.die(Some(CloseReason::Version), outbox);
        }
    }
}
