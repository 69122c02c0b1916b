//! What a client says before it is answered (docs/protocol.md, "Handshake"): hellos, without a cookie at first.
//!
//! Anybody who sees a hello can forge a RETRY, so a hello with a cookie takes the place of none: answers to all of the last few are
//! taken, and a cookie that opens no door is given up.

use alloc::vec::Vec;
use core::time::Duration;

use super::{
    handshake::{FIRST_REPEAT, MAX_REPEAT},
    keying::{Answered, ClientKeying, NotAnswered},
};
use crate::{
    CloseReason, Instant,
    crypto::PublicKey,
    noise::HandshakeError,
    random::Random,
    wire::packet::{self, ConnectionId},
};

/// RETRYs that are taken for one hello without a cookie: a server sends the same cookie for half a minute, so more than two are
/// somebody else's.
const MAX_RETRIES: usize = 3;
/// A cookie without an answer is given up after so long: four hellos brought it.
const COOKIE_PATIENCE: Duration = Duration::from_secs(3);
/// Time that the right server gets to answer once another did: whoever reads along is faster by less than that.
const WRONG_KEY_PATIENCE: Duration = Duration::from_secs(3);

/// A client that said hello.
#[derive(Debug)]
pub(super) struct Greeting {
    first: Spoken,
    /// Those with cookies, the latest last.
    others: Vec<Spoken>,
    /// Until when the latest of them is said, rather than the first.
    cookie_until: Option<Instant>,
    /// Cookies taken since the first was said last.
    retries: usize,
    started: Instant,
    deadline: Instant,
    pub(super) next_at: Instant,
    repeat: Duration,
    /// A key that was proved by someone else than who is looked for.
    wrong: Option<PublicKey>,
}

/// A hello.
#[derive(Debug)]
struct Spoken {
    cookie: Vec<u8>,
    keying: ClientKeying,
    times: u32,
    last_at: Instant,
}

impl Spoken {
    const fn new(now: Instant, cookie: Vec<u8>, keying: ClientKeying) -> Self {
        Self { cookie, keying, times: 0, last_at: now }
    }
}

impl Greeting {
    pub(super) fn new(now: Instant, timeout: Duration, keying: ClientKeying) -> Self {
        Self {
            first: Spoken::new(now, Vec::new(), keying),
            others: Vec::new(),
            cookie_until: None,
            retries: 0,
            started: now,
            deadline: now + timeout,
            next_at: now,
            repeat: FIRST_REPEAT,
            wrong: None,
        }
    }

    /// Writes a hello if one is due.
    pub(super) fn poll(
        &mut self,
        now: Instant,
        own: ConnectionId,
        out: &mut [u8],
    ) -> Option<usize> {
        if now < self.next_at {
            return None;
        }
        if self.cookie_until.is_some_and(|until| now >= until) {
            self.cookie_until = None;
            self.retries = 0;
            self.repeat = FIRST_REPEAT;
        }
        let latest = self.others.last_mut().filter(|_| self.cookie_until.is_some());
        let spoken = latest.unwrap_or(&mut self.first);
        let Spoken { cookie, keying, .. } = spoken;
        let len = packet::write_hello(out, keying.suite(), own, cookie, keying.hello())?;
        spoken.times = spoken.times.saturating_add(1);
        spoken.last_at = now;
        self.next_at = now + self.repeat;
        self.repeat = (self.repeat * 2).min(MAX_REPEAT);
        Some(len)
    }

    /// Takes in a RETRY: the next hello brings its cookie, at once. One too many is ignored.
    pub(super) fn on_retry(
        &mut self,
        now: Instant,
        own: ConnectionId,
        cookie: &[u8],
        random: &mut Random,
    ) -> Result<(), HandshakeError> {
        let known = self.others.iter().position(|spoken| spoken.cookie == cookie);
        let is_said =
            self.cookie_until.is_some() && known.is_some_and(|at| at + 1 == self.others.len());
        if is_said || self.retries >= MAX_RETRIES {
            return Ok(());
        }
        let spoken = match known {
            Some(at) => self.others.remove(at),
            None => {
                let keying = self.first.keying.with_cookie(own, cookie, random)?;
                Spoken::new(now, cookie.to_vec(), keying)
            }
        };
        if self.others.len() >= MAX_RETRIES {
            self.others.remove(0);
        }
        self.others.push(spoken);
        self.retries += 1;
        self.cookie_until = Some(now + COOKIE_PATIENCE);
        self.next_at = now;
        self.repeat = FIRST_REPEAT;
        Ok(())
    }

    /// Reads an answer to any of the hellos; tells the round-trip time too, unless nobody knows which of several repetitions was
    /// answered.
    pub(super) fn read_answer(
        &self,
        now: Instant,
        payload: &[u8],
    ) -> Result<(Answered, Option<Duration>), NotAnswered> {
        for spoken in self.others.iter().rev().chain([&self.first]) {
            match spoken.keying.read_answer(payload) {
                Err(NotAnswered::Noise) => {}
                Err(other) => return Err(other),
                Ok(answered) => {
                    let sample = now.saturating_since(spoken.last_at);
                    return Ok((answered, (spoken.times == 1).then_some(sample)));
                }
            }
        }
        Err(NotAnswered::Noise)
    }

    pub(super) fn next_timeout(&self) -> Instant {
        self.next_at.min(self.deadline)
    }

    /// Why nothing came of it, if that is settled.
    pub(super) fn given_up(&self, now: Instant) -> Option<CloseReason> {
        let reason = || match self.wrong {
            Some(key) => CloseReason::WrongKey(key),
            None => CloseReason::NoAnswer(now.saturating_since(self.started)),
        };
        (now >= self.deadline).then(reason)
    }

    /// Someone else answered than who is looked for.
    pub(super) fn on_wrong_key(&mut self, now: Instant, key: PublicKey) {
        if self.wrong.is_none() {
            self.wrong = Some(key);
            self.deadline = self.deadline.min(now + WRONG_KEY_PATIENCE);
        }
    }
}
