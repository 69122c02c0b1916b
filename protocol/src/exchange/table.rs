//! The exchanges of a connection, and the credit that they share.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
};
use core::time::Duration;

mod asked;
mod heard;
mod held;
mod lack;
mod outbox;
mod sending;
mod stall;

use super::{Ended, Exchange, Role, SendBody};
use crate::{
    ConnectionHandle, ExchangeId, Instant,
    credit::{RecvCredit, SendCredit},
    ranges::RangeSet,
    wire::frame::Credit,
};
use stall::Progress;

pub(crate) use lack::Lack;
pub(crate) use outbox::Outbox;
pub(crate) use sending::NextChunk;

/// Exchanges that a peer may have open at once, at first and at most. Each holds about a KiB. The window grows by one with each
/// exchange that ends well: only who gets things done has many, and small files fill a long path within some round trips.
const EXCHANGES: u64 = 256;
const MAX_EXCHANGES: u64 = 2048;
/// Message bytes that a peer may have sent and we have not read: four streams' worth, or 256 requests of 1 KiB.
const MESSAGE_WINDOW: u64 = 256 * 1024;
/// A sender stays with one body for so many chunks before the next gets its turn.
const CHUNKS_PER_TURN: u32 = 32;

/// The body credit of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Body bytes that a peer may send before any is settled, at first and at most.
    pub(crate) window: u64,
    pub(crate) max_window: u64,
}

impl Limits {
    /// Half of the window: no body can take all of it from the others.
    const fn of_a_body(window: u64) -> u64 {
        window / 2
    }

    /// What the handshake tells.
    pub(crate) const fn initial(&self) -> (Credit, u64) {
        let credit = Credit { body: self.window, exchanges: EXCHANGES, messages: MESSAGE_WINDOW };
        (credit, Self::of_a_body(self.window))
    }
}

/// The exchanges of a connection.
#[derive(Debug)]
pub(crate) struct Exchanges {
    me: ConnectionHandle,
    role: Role,
    live: BTreeMap<u64, Box<Exchange>>,
    ended: BTreeMap<u64, Ended>,
    /// Numbers that were ever opened.
    seen: RangeSet,
    /// Those with messages to send.
    talkers: VecDeque<u64>,
    /// Those with body bytes to send.
    senders: VecDeque<u64>,
    /// Chunks that the first sender may still send before the next one's turn.
    turn: u32,
    /// Those whose RESET, or whose body's limit, is to be told.
    resets_due: VecDeque<u64>,
    body_credits_due: VecDeque<u64>,
    send_bodies: SendCredit,
    send_exchanges: SendCredit,
    send_messages: SendCredit,
    recv_bodies: RecvCredit,
    recv_exchanges: RecvCredit,
    recv_messages: RecvCredit,
    /// What the peer grants each body at first, and we do.
    peer_body_window: u64,
    own_body_window: u64,
    credit_due: bool,
    /// New requests are refused.
    shutting_down: bool,
    progress: Progress,
}

impl Exchanges {
    pub(crate) fn new(me: ConnectionHandle, role: Role, limits: &Limits) -> Self {
        Self {
            me,
            role,
            live: BTreeMap::new(),
            ended: BTreeMap::new(),
            seen: RangeSet::new(),
            talkers: VecDeque::new(),
            senders: VecDeque::new(),
            turn: CHUNKS_PER_TURN,
            resets_due: VecDeque::new(),
            body_credits_due: VecDeque::new(),
            send_bodies: SendCredit::default(),
            send_exchanges: SendCredit::default(),
            send_messages: SendCredit::default(),
            recv_bodies: RecvCredit::new(limits.window, limits.max_window),
            recv_exchanges: RecvCredit::new(EXCHANGES, MAX_EXCHANGES),
            recv_messages: RecvCredit::new(MESSAGE_WINDOW, MESSAGE_WINDOW),
            peer_body_window: 0,
            own_body_window: Limits::of_a_body(limits.window),
            credit_due: false,
            shutting_down: false,
            progress: Progress::new(),
        }
    }

    /// Takes in what the peer grants at first. Requests made before take their limits from here.
    pub(crate) fn set_peer_limits(&mut self, credit: &Credit, body_window: u64) {
        self.peer_body_window = body_window;
        for exchange in self.live.values_mut() {
            if let Some(body) = &mut exchange.send_body {
                body.raise_limit(body_window);
            }
        }
        self.on_credit(credit);
    }

    pub(crate) fn shut_down(&mut self) {
        self.shutting_down = true;
    }

    /// Whether any exchange runs.
    pub(crate) fn is_idle(&self) -> bool {
        self.live.is_empty() && self.ended.is_empty()
    }

    fn id(&self, number: u64) -> ExchangeId {
        ExchangeId { connection: self.me, number }
    }

    /// Takes in that written bytes are settled.
    pub(crate) fn settle(&mut self, now: Instant, rtt: Duration, body: Option<u64>, len: u64) {
        self.recv_bodies.settle(len);
        self.recv_bodies.grow(now, rtt);
        self.credit_due |= self.recv_bodies.wants_update();
        let window = Limits::of_a_body(self.recv_bodies.window());
        if let Some(number) = body
            && let Some(exchange) = self.live.get_mut(&number)
            && let Some(body) = &mut exchange.recv_body
        {
            body.credit.set_window(window);
            body.credit.settle(len);
            self.tell_body_credit(number);
        }
    }

    /// Tells the limit of a body that is received, if that is worth it.
    fn tell_body_credit(&mut self, number: u64) {
        let body = self.live.get(&number).and_then(|exchange| exchange.recv_body.as_ref());
        let due = body.is_some_and(|body| body.credit.wants_update() && !body.is_done());
        if due && !self.body_credits_due.contains(&number) {
            self.body_credits_due.push_back(number);
        }
    }

    /// Takes in that a parked body's bytes are there.
    pub(crate) fn on_readable(&mut self, number: u64) {
        if let Some(exchange) = self.live.get_mut(&number)
            && let Some(body) = &mut exchange.send_body
        {
            body.parked = false;
            self.wake(number);
        }
    }

    /// Puts an exchange into the queues that it belongs to.
    fn wake(&mut self, number: u64) {
        let Some(exchange) = self.live.get_mut(&number) else { return };
        if !exchange.talking && exchange.send.next_piece(1, 1).is_some() {
            exchange.talking = true;
            self.talkers.push_back(number);
        }
        if !exchange.sending && exchange.send_body.as_ref().is_some_and(SendBody::wants) {
            exchange.sending = true;
            self.senders.push_back(number);
        }
    }

    /// Lets go of all bodies, when the connection ends.
    pub(crate) fn close(&mut self, outbox: &mut Outbox) {
        for exchange in self.live.values() {
            let send = exchange.send_body.as_ref().map(|body| body.id);
            let recv = exchange.recv_body.as_ref().map(|body| body.id);
            send.into_iter().chain(recv).for_each(|id| outbox.bodies.remove(id));
        }
        self.live.clear();
        self.ended.clear();
        self.talkers.clear();
        self.senders.clear();
    }
}
