//! Packets for which nothing is remembered: VERSIONS, RETRY and RESET wait here to be sent.

use alloc::collections::VecDeque;
use core::net::{IpAddr, SocketAddr};

use super::{Transmit, cookies::Cookie};
use crate::{
    Config, Instant, Rate, RateLimiter, RateLimits, Security,
    crypto::Mac,
    wire::packet::{self, ConnectionId, RESET_LEN},
};

/// Packets that wait: a receive batch of hellos. Whoever comes when all places are taken asks again.
const MAX_WAITING: usize = 256;
/// RESETs. A client needs one; after a restart all clients of a site may want theirs at once. Each shows a token that will be
/// worth something to its finder if the id ever comes again: one in four billion of those that a slot can have.
const RESETS: RateLimits =
    RateLimits { host: Rate::new(5, 10), site: Rate::new(20, 50), global: Rate::new(50, 250) };
/// Ports of services that answer anything, from which no client comes: 0, echo, qotd, chargen, DNS, NTP. Who forged them would
/// have two servers talk to each other for ever.
const ANSWERING_PORTS: [u16; 6] = [0, 7, 17, 19, 53, 123];

/// Whether something that answers anything lives there.
pub(super) fn answers_anything(remote: SocketAddr) -> bool {
    ANSWERING_PORTS.contains(&remote.port())
}

/// Packets that wait to be sent.
#[derive(Debug)]
pub(super) struct Stateless {
    waiting: VecDeque<Waiting>,
    /// What tokens of RESETs are made with, if any are sent.
    tokens: Option<Mac>,
    resets: RateLimiter,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    remote: SocketAddr,
    local: Option<IpAddr>,
    to: ConnectionId,
    word: Word,
}

/// What there is to say.
#[derive(Clone, Copy, Debug)]
pub(super) enum Word {
    Versions,
    Retry(Cookie),
    Reset,
}

impl Stateless {
    pub(super) fn new(config: &Config) -> Self {
        let tokens = match &config.security {
            Security::Sealed(identity) if config.accept => Some(identity.resets().clone()),
            _ => None,
        };
        Self { waiting: VecDeque::new(), tokens, resets: RateLimiter::new(RESETS) }
    }

    /// Says it, if there is room.
    pub(super) fn say(
        &mut self,
        (remote, local): (SocketAddr, Option<IpAddr>),
        to: ConnectionId,
        word: Word,
    ) {
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push_back(Waiting { remote, local, to, word });
        }
    }

    /// A packet of `len` bytes came for a connection that is not there. What answers it is shorter, so that two endpoints
    /// that know nothing of each other fall silent.
    pub(super) fn on_unknown(
        &mut self,
        now: Instant,
        from: (SocketAddr, Option<IpAddr>),
        unknown: ConnectionId,
        len: usize,
    ) {
        let is_worth_it = self.tokens.is_some() && len > RESET_LEN;
        let has_room = self.waiting.len() < MAX_WAITING;
        if is_worth_it && has_room && self.resets.allow(now, from.0.ip()).is_ok() {
            self.say(from, unknown, Word::Reset);
        }
    }

    /// Writes the next one into `out`.
    pub(super) fn poll(&mut self, out: &mut [u8]) -> Option<Transmit> {
        let Waiting { remote, local, to, word } = self.waiting.pop_front()?;
        let len = match word {
            Word::Versions => packet::write_versions(out, to),
            Word::Retry(cookie) => packet::write_retry(out, to, &cookie),
            Word::Reset => {
                let token = self.tokens.as_ref()?.tag(&[&to.0.to_be_bytes()]);
                packet::write_reset(out, to, &token)
            }
        }?;
        Some(Transmit { remote, local, ecn: None, len, segment_len: len })
    }
}
