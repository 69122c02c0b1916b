//! The exchanges of a connection, and the credit that they share.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::{ops::Range, time::Duration};

mod held;
mod stall;

use super::{Accepted, Ended, Exchange, Piece, RecvBody, Role, SendBody, Verb};
use crate::{
    BodyId, BodyLen, ConnectionHandle, Event, ExchangeId, Instant, Misuse, Opened, Reply, Request,
    Status, Ticket, Violation, Write,
    credit::{RecvCredit, SendCredit},
    message::Message,
    ranges::RangeSet,
    recovery::{Chunk, Repeat},
    wire::frame::{Credit, Reset},
};
use stall::Progress;

/// Exchanges that a peer may have open at once. Each holds about a KiB; a thousand small files still fill a long
/// path, since the limit rises as they end.
const MAX_EXCHANGES: u64 = 256;
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
        let credit =
            Credit { body: self.window, exchanges: MAX_EXCHANGES, messages: MESSAGE_WINDOW };
        (credit, Self::of_a_body(self.window))
    }
}

/// What leaves a connection for the application.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) events: VecDeque<Event>,
    pub(crate) bodies: Bodies,
}

impl Outbox {
    /// Drops what was said of the body of an exchange that nobody wants any more.
    fn take_back_notes(&mut self, id: ExchangeId) {
        self.events
            .retain(|event| !matches!(event, Event::Note { exchange, .. } if *exchange == id));
    }

    /// Drops the events of an exchange.
    fn take_back(&mut self, id: ExchangeId) {
        let bodies = &self.bodies;
        self.events.retain(|event| match event {
            Event::Request { exchange, .. }
            | Event::Reply { exchange, .. }
            | Event::Note { exchange, .. }
            | Event::Held { exchange, .. }
            | Event::Failed { exchange, .. }
            | Event::Finished(exchange) => *exchange != id,
            Event::Released { body, .. } => bodies.owner(*body) != Some(id),
            Event::Connected(_) | Event::Closed(..) => true,
        });
    }
}

/// Which exchange each body belongs to.
#[derive(Debug, Default)]
pub(crate) struct Bodies {
    slots: Vec<BodySlot>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct BodySlot {
    generation: u32,
    owner: Option<ExchangeId>,
}

impl Bodies {
    fn add(&mut self, owner: ExchangeId) -> BodyId {
        if let Some(slot) = self.free.pop()
            && let Some(place) = self.slots.get_mut(slot as usize)
        {
            place.owner = Some(owner);
            return BodyId { slot, generation: place.generation };
        }
        self.slots.push(BodySlot { generation: 0, owner: Some(owner) });
        BodyId { slot: (self.slots.len() - 1) as u32, generation: 0 }
    }

    fn remove(&mut self, id: BodyId) {
        if let Some(place) = self.slots.get_mut(id.slot as usize)
            && place.generation == id.generation
            && place.owner.take().is_some()
        {
            // A slot whose generations are used up is never used again.
            if let Some(next) = place.generation.checked_add(1).filter(|next| *next < u32::MAX) {
                place.generation = next;
                self.free.push(id.slot);
            }
        }
    }

    /// The exchange of a body that runs.
    pub(crate) fn owner(&self, id: BodyId) -> Option<ExchangeId> {
        self.slots
            .get(id.slot as usize)
            .filter(|place| place.generation == id.generation)
            .and_then(|place| place.owner)
    }
}

/// A chunk to send.
#[derive(Debug)]
pub(crate) struct NextChunk {
    pub(crate) exchange: u64,
    pub(crate) body: BodyId,
    pub(crate) range: Range<u64>,
    /// The message that has to go before it in the same packet.
    pub(crate) opening: Option<Piece>,
    /// How often its group was asked for again: what becomes of chunks of former times says nothing.
    pub(crate) generation: u8,
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
            recv_exchanges: RecvCredit::new(MAX_EXCHANGES, MAX_EXCHANGES),
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

    // What the application says.

    /// Opens an exchange.
    pub(crate) fn request(
        &mut self,
        request: Request,
        outbox: &mut Outbox,
    ) -> Result<Opened, Misuse> {
        if self.role != Role::Client {
            return Err(Misuse::OutOfPlace);
        }
        if self.send_exchanges.available() == 0 {
            return Err(Misuse::NoCredit);
        }
        self.send_exchanges.spend(1);
        let number = self.seen.last().map_or(0, |range| range.end);
        self.seen.insert(number..number.saturating_add(1));
        let id = self.id(number);
        let verb = Verb::of(&request);
        let mut exchange = Exchange::new(Role::Client);
        exchange.ask(&request);
        if let Request::Put(put) = &request {
            let (body, held_from) = (outbox.bodies.add(id), exchange.telling.limit());
            let body = SendBody::new(body, put.meta.len, self.peer_body_window, held_from);
            exchange.send_body = Some(body);
        }
        exchange.send.push(&Message::Request(request));
        if verb == Verb::Put {
            exchange.send.mark_opening();
        }
        if matches!(verb, Verb::Command | Verb::Invite) {
            exchange.send.finish();
        }
        let body = exchange.send_body.as_ref().map(|body| body.id);
        self.live.insert(number, Box::new(exchange));
        self.wake(number);
        Ok(Opened { exchange: id, body })
    }

    /// Answers a request.
    pub(crate) fn reply(
        &mut self,
        number: u64,
        reply: Reply,
        outbox: &mut Outbox,
    ) -> Result<Option<BodyId>, Misuse> {
        let id = self.id(number);
        let limit = self.peer_body_window;
        let exchange = self.live.get_mut(&number).ok_or(Misuse::Over)?;
        exchange.check_reply(&reply)?;
        let held = exchange.answer(&reply);
        let len = match &reply {
            Reply::Meta(meta) => Some(meta.len),
            Reply::Listing => Some(BodyLen::Open),
            Reply::Stored(_) | Reply::Done | Reply::Ticket(_) | Reply::Unchanged => None,
        };
        exchange.send.push(&Message::Reply(reply));
        match len {
            Some(len) => {
                let (body, held_from) = (outbox.bodies.add(id), exchange.telling.limit());
                exchange.send_body = Some(SendBody::new(body, len, limit, held_from));
                exchange.send.mark_opening();
            }
            None => exchange.send.finish(),
        }
        let body = exchange.send_body.as_ref().map(|body| body.id);
        if exchange.said.unchanged {
            outbox.take_back_notes(id);
        }
        self.take_held(number, &held, outbox);
        self.wake(number);
        Ok(body)
    }

    /// As a client, says that a received body is taken care of.
    pub(crate) fn finish(&mut self, number: u64, outbox: &mut Outbox) -> Result<(), Misuse> {
        let exchange = self.live.get_mut(&number).ok_or(Misuse::Over)?;
        let fits = exchange.role == Role::Client
            && exchange.verb.and_then(Verb::body_from) == Some(Role::Server)
            && exchange.is_received()
            && !exchange.send.is_finished();
        if !fits {
            return Err(Misuse::OutOfPlace);
        }
        exchange.send.finish();
        self.wake(number);
        self.finish_if_done(number, outbox);
        Ok(())
    }

    /// Gives an exchange up, without an event; those that were not polled yet are taken back.
    pub(crate) fn fail(
        &mut self,
        number: u64,
        status: Status,
        detail: u64,
        outbox: &mut Outbox,
    ) -> Result<(), Misuse> {
        let exchange = self.live.remove(&number).ok_or(Misuse::Over)?;
        outbox.take_back(self.id(number));
        self.bury(number, &exchange, status, detail, outbox);
        Ok(())
    }

    /// Turns a running exchange into one that was given up.
    fn bury(
        &mut self,
        number: u64,
        exchange: &Exchange,
        status: Status,
        detail: u64,
        outbox: &mut Outbox,
    ) {
        let send_body = exchange.send_body.as_ref();
        let recv_body = exchange.recv_body.as_ref();
        for id in send_body.map(|body| body.id).into_iter().chain(recv_body.map(|body| body.id)) {
            outbox.bodies.remove(id);
        }
        let reset = Reset {
            exchange: number,
            status,
            detail,
            body: send_body.map_or(0, SendBody::charged),
            messages: exchange.send.charged(),
        };
        // Nobody will read what has come of the messages.
        self.recv_messages.settle(exchange.recv.unread());
        let ended = Ended {
            reset,
            reset_acked: false,
            settled: exchange.is_received(),
            body: recv_body.map_or(0, RecvBody::charged),
            messages: exchange.recv.reach(),
        };
        self.ended.insert(number, ended);
        self.resets_due.push_back(number);
    }

    // What the peer says.

    /// Takes in limits.
    pub(crate) fn on_credit(&mut self, credit: &Credit) {
        self.send_bodies.raise(credit.body);
        self.send_exchanges.raise(credit.exchanges);
        self.send_messages.raise(credit.messages);
    }

    /// Takes in a body's limit.
    pub(crate) fn on_body_credit(&mut self, number: u64, limit: u64) {
        if let Some(exchange) = self.live.get_mut(&number)
            && let Some(body) = &mut exchange.send_body
        {
            body.raise_limit(limit);
            self.wake(number);
        }
    }

    /// Takes in a piece of a message stream.
    pub(crate) fn on_message_frame(
        &mut self,
        number: u64,
        offset: u64,
        fin: bool,
        bytes: &[u8],
        outbox: &mut Outbox,
    ) -> Result<(), Violation> {
        if !self.admit(number)? {
            return Ok(());
        }
        let Some(exchange) = self.live.get_mut(&number) else { return Ok(()) };
        let fresh = exchange.recv.receive(offset, fin, bytes)?;
        self.recv_messages.charge(fresh).map_err(|_| Violation::Credit)?;
        while let Some(exchange) = self.live.get_mut(&number)
            && let Some((message, used)) = exchange.recv.next_message()?
        {
            self.recv_messages.settle(used);
            self.on_message(number, message, outbox)?;
        }
        self.credit_due |= self.recv_messages.wants_update();
        if let Some(exchange) = self.live.get(&number)
            && exchange.recv.is_done()
            && !exchange.may_end()
        {
            return Err(Violation::UnexpectedMessage);
        }
        self.finish_if_done(number, outbox);
        Ok(())
    }

    /// Whether frames of this exchange are to be obeyed; a server makes it if it is new.
    fn admit(&mut self, number: u64) -> Result<bool, Violation> {
        if self.live.contains_key(&number) {
            return Ok(true);
        }
        if self.seen.contains(number) {
            return Ok(false);
        }
        if self.role == Role::Client {
            return Err(Violation::Role);
        }
        if number >= self.recv_exchanges.limit() {
            return Err(Violation::Credit);
        }
        self.note_seen(number);
        self.live.insert(number, Box::new(Exchange::new(Role::Server)));
        Ok(true)
    }

    fn note_seen(&mut self, number: u64) {
        self.seen.insert(number..number.saturating_add(1));
        // Cannot fail, as the number is below the limit. The gaps are bounded by it, too.
        let _ = self.recv_exchanges.charge(1);
    }

    fn on_message(
        &mut self,
        number: u64,
        message: Message,
        outbox: &mut Outbox,
    ) -> Result<(), Violation> {
        let id = self.id(number);
        let window = Limits::of_a_body(self.recv_bodies.window());
        let Some(exchange) = self.live.get_mut(&number) else { return Ok(()) };
        exchange.check_message(&message)?;
        if let Message::Held(held) = message {
            self.on_held(number, held, outbox);
            return Ok(());
        }
        let refuse = self.shutting_down && matches!(message, Message::Request(_));
        let len = match &message {
            Message::Request(Request::Put(put)) => Some(put.meta.len),
            Message::Reply(Reply::Meta(meta)) => Some(meta.len),
            Message::Reply(Reply::Listing) => Some(BodyLen::Open),
            _ => None,
        };
        if let Some(len) = len {
            let mut credit = RecvCredit::new(self.own_body_window, u64::MAX);
            credit.set_window(window);
            if credit.wants_update() && len != BodyLen::Known(0) {
                self.body_credits_due.push_back(number);
            }
            exchange.recv_body = Some(RecvBody::new(outbox.bodies.add(id), len, credit));
        }
        if refuse {
            let _ = self.fail(number, Status::ShuttingDown, 0, outbox);
            return Ok(());
        }
        let held = match &message {
            Message::Reply(reply) => exchange.answer(reply),
            _ => Vec::new(),
        };
        if exchange.said.unchanged {
            exchange.send.finish();
        }
        let body = exchange.recv_body.as_ref().map(|body| body.id);
        // Nobody wants to hear of a body that is not to be sent.
        let body_is_wanted = !exchange.said.unchanged;
        outbox.events.push_back(match message {
            Message::Request(request) => Event::Request { exchange: id, request, body },
            Message::Reply(reply) => Event::Reply { exchange: id, reply, body },
            Message::Note(note) => match body.filter(|_| body_is_wanted) {
                Some(body) => Event::Note { exchange: id, body, note },
                None => return Ok(()),
            },
            Message::Held(_) => return Ok(()),
        });
        self.take_held(number, &held, outbox);
        self.wake(number);
        Ok(())
    }

    /// Takes in a chunk of a body. `None`: the packet that carries it has to count as lost.
    pub(crate) fn on_data_frame<'d>(
        &mut self,
        number: u64,
        offset: u64,
        bytes: &'d [u8],
    ) -> Result<Option<Option<Write<'d>>>, Violation> {
        let Some(exchange) = self.live.get_mut(&number) else {
            // What belongs to an exchange that is over is not wanted; what opens a new one comes again.
            return Ok(self.seen.contains(number).then_some(None));
        };
        let Some(body) = &mut exchange.recv_body else { return Ok(None) };
        let id = body.id;
        let chunk = offset..offset.saturating_add(bytes.len() as u64);
        let accepted = body.accept(chunk, &mut self.recv_bodies)?;
        match accepted {
            Accepted::Refused => Ok(None),
            Accepted::Known => {
                // Bytes of what is kept are settled as they come.
                self.credit_due |= self.recv_bodies.wants_update();
                self.tell_body_credit(number);
                Ok(Some(None))
            }
            Accepted::Write { range, fresh, charged } => {
                self.progress.on_moved(fresh);
                let from = usize::try_from(range.start.saturating_sub(offset)).unwrap_or(0);
                let to = usize::try_from(range.end.saturating_sub(offset)).unwrap_or(0);
                let data = bytes.get(from..to).unwrap_or_default();
                let ticket = Ticket { body: id, connection: self.me, len: fresh, charged };
                let fresh = fresh as usize;
                Ok(Some(Some(Write { body: id, offset: range.start, data, fresh, ticket })))
            }
        }
    }

    /// Completes an exchange whose last chunk may have come.
    pub(crate) fn after_data(&mut self, number: u64, outbox: &mut Outbox) {
        if self.live.get(&number).is_some_and(|exchange| exchange.recv.is_done()) {
            self.finish_if_done(number, outbox);
        }
    }

    /// Takes in that the peer gives an exchange up.
    pub(crate) fn on_reset(&mut self, reset: &Reset, outbox: &mut Outbox) -> Result<(), Violation> {
        let number = reset.exchange;
        if let Some(exchange) = self.live.remove(&number) {
            self.bury(number, &exchange, Status::Cancelled, 0, outbox);
            if exchange.verb.is_some() {
                let (exchange, status) = (self.id(number), reset.status);
                outbox.events.push_back(Event::Failed { exchange, status, detail: reset.detail });
            }
        } else if !self.seen.contains(number) {
            // Its first message is still on its way, or lost for good.
            if !self.admit(number)? {
                return Ok(());
            }
            if let Some(exchange) = self.live.remove(&number) {
                self.bury(number, &exchange, Status::Cancelled, 0, outbox);
            }
        }
        self.settle_ended(reset)?;
        self.forget_if_over(number);
        Ok(())
    }

    /// Charges and settles at once what the peer sent of an exchange that is over and will never come.
    fn settle_ended(&mut self, reset: &Reset) -> Result<(), Violation> {
        let Some(ended) = self.ended.get_mut(&reset.exchange) else { return Ok(()) };
        if ended.settled {
            return Ok(());
        }
        ended.settled = true;
        let body = reset.body.checked_sub(ended.body).ok_or(Violation::EndMoved)?;
        let messages = reset.messages.checked_sub(ended.messages).ok_or(Violation::EndMoved)?;
        self.recv_bodies.charge(body).map_err(|_| Violation::Credit)?;
        self.recv_messages.charge(messages).map_err(|_| Violation::Credit)?;
        self.recv_bodies.settle(body);
        self.recv_messages.settle(messages);
        self.credit_due |= self.recv_bodies.wants_update() || self.recv_messages.wants_update();
        Ok(())
    }

    fn forget_if_over(&mut self, number: u64) {
        if self.ended.get(&number).is_some_and(Ended::is_over) {
            self.ended.remove(&number);
            self.release_number();
        }
    }

    fn finish_if_done(&mut self, number: u64, outbox: &mut Outbox) {
        let exchange = self.live.get(&number);
        if !exchange.is_some_and(|exchange| exchange.is_sent() && exchange.is_received()) {
            return;
        }
        if let Some(exchange) = self.live.remove(&number) {
            let ids = [
                exchange.send_body.as_ref().map(|body| body.id),
                exchange.recv_body.as_ref().map(|body| body.id),
            ];
            ids.into_iter().flatten().for_each(|id| outbox.bodies.remove(id));
            outbox.events.push_back(Event::Finished(self.id(number)));
            self.progress.on_finished();
            self.release_number();
        }
    }

    /// Lets the peer open another exchange.
    fn release_number(&mut self) {
        if self.role == Role::Server {
            self.recv_exchanges.settle(1);
            self.credit_due |= self.recv_exchanges.wants_update();
        }
    }

    // What the driver says.

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

    // What the packets say and become.

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

    /// Whether there is anything to send besides acknowledgements.
    pub(crate) fn has_work(&self) -> bool {
        self.credit_due
            || !self.resets_due.is_empty()
            || !self.body_credits_due.is_empty()
            || !self.talkers.is_empty()
            || !self.senders.is_empty()
    }

    /// The limits to tell, if they are due.
    pub(crate) fn credit_to_tell(&mut self) -> Option<Credit> {
        core::mem::take(&mut self.credit_due).then(|| Credit {
            body: self.recv_bodies.update(),
            exchanges: self.recv_exchanges.update(),
            messages: self.recv_messages.update(),
        })
    }

    /// The limits have to be told again.
    pub(crate) fn repeat_credit(&mut self) {
        self.credit_due = true;
    }

    /// The next limit of a body to tell: its exchange and the limit.
    pub(crate) fn body_credit_to_tell(&mut self) -> Option<(u64, u64)> {
        loop {
            let number = self.body_credits_due.pop_front()?;
            if let Some(exchange) = self.live.get_mut(&number)
                && let Some(body) = exchange.recv_body.as_mut().filter(|body| !body.is_done())
            {
                return Some((number, body.credit.update()));
            }
        }
    }

    /// The next RESET to tell.
    pub(crate) fn reset_to_tell(&mut self) -> Option<Reset> {
        loop {
            let number = self.resets_due.pop_front()?;
            if let Some(ended) = self.ended.get(&number).filter(|ended| !ended.reset_acked) {
                return Some(ended.reset);
            }
        }
    }

    /// The next piece of a message stream to send, of at most `room` bytes with its exchange's number.
    pub(crate) fn next_piece(&mut self, room: u64) -> Option<(u64, Piece)> {
        let credit = self.send_messages.available();
        for _ in 0..self.talkers.len() {
            let number = self.talkers.front().copied()?;
            let Some(exchange) = self.live.get_mut(&number) else {
                self.talkers.pop_front();
                continue;
            };
            if let Some(piece) = exchange.send.next_piece(room, credit) {
                return Some((number, piece));
            }
            self.talkers.pop_front();
            if exchange.send.next_piece(1, 1).is_some() {
                // Held up by credit, which the others may not need.
                self.talkers.push_back(number);
            } else {
                exchange.talking = false;
            }
        }
        None
    }

    /// The bytes of a piece.
    pub(crate) fn piece_bytes(&self, number: u64, piece: &Piece) -> &[u8] {
        self.live.get(&number).map_or(&[], |exchange| exchange.send.bytes(&piece.range))
    }

    /// Takes in that a piece is in a packet.
    pub(crate) fn on_piece_sent(&mut self, number: u64, piece: &Piece) {
        if let Some(exchange) = self.live.get_mut(&number) {
            let first_time = exchange.send.on_sent(piece);
            self.send_messages.spend(first_time);
        }
    }

    /// The next chunk to send. `room` tells how long it may be, given its exchange, its offset and the length of the
    /// message that has to go before it.
    pub(crate) fn next_chunk(&mut self, room: impl Fn(u64, u64, u64) -> u64) -> Option<NextChunk> {
        let credit = self.send_bodies.available();
        if self.turn == 0 {
            self.turn = CHUNKS_PER_TURN;
            self.senders.rotate_left(usize::from(!self.senders.is_empty()));
        }
        for _ in 0..self.senders.len() {
            let number = self.senders.front().copied()?;
            let Some(exchange) = self.live.get_mut(&number) else {
                self.senders.pop_front();
                continue;
            };
            let opening = exchange.send.opening();
            let may_send = exchange.send.has_opened() && !exchange.send.opens_in_pieces();
            if let Some(body) = exchange.send_body.as_ref().filter(|_| may_send) {
                let opening_len = opening.as_ref().map_or(0, |piece| piece.range.end);
                let room = room(number, body.next_offset(), opening_len);
                if let Some(range) = body.next_chunk(room, credit) {
                    let generation = exchange.telling.generation(range.start);
                    let body = body.id;
                    return Some(NextChunk { exchange: number, body, range, opening, generation });
                }
            }
            self.senders.pop_front();
            self.turn = CHUNKS_PER_TURN;
            if exchange.send_body.as_ref().is_some_and(SendBody::wants) {
                self.senders.push_back(number);
            } else {
                exchange.sending = false;
            }
        }
        None
    }

    /// Takes in that a chunk is in a packet; tells whether it went before.
    pub(crate) fn on_chunk_sent(&mut self, number: u64, chunk: &Range<u64>) -> bool {
        self.turn = self.turn.saturating_sub(1);
        let Some(exchange) = self.live.get_mut(&number) else { return false };
        let Some(body) = &mut exchange.send_body else { return false };
        let first_time = body.on_sent(chunk);
        self.send_bodies.spend(first_time);
        first_time == 0
    }

    /// Takes in that the source had no bytes for the first sender.
    pub(crate) fn park(&mut self, number: u64) {
        if let Some(exchange) = self.live.get_mut(&number)
            && let Some(body) = &mut exchange.send_body
        {
            body.parked = true;
        }
    }

    /// Takes in that the source will never have them.
    pub(crate) fn source_failed(&mut self, number: u64, status: Status, outbox: &mut Outbox) {
        if self.fail(number, status, 0, outbox).is_ok() {
            let exchange = self.id(number);
            outbox.events.push_back(Event::Failed { exchange, status, detail: 0 });
        }
    }

    /// Takes in that a chunk arrived.
    pub(crate) fn on_chunk_acked(&mut self, chunk: &Chunk, outbox: &mut Outbox) {
        let Some(exchange) = self.live.get_mut(&chunk.exchange) else { return };
        if !exchange.is_current(chunk) {
            return;
        }
        let Some(body) = &mut exchange.send_body else { return };
        let before = body.acked();
        let released = body.on_acked(&chunk.range());
        self.progress.on_moved(body.acked().saturating_sub(before));
        if let Some(below) = released {
            outbox.events.push_back(Event::Released { body: body.id, below });
        }
        self.finish_if_done(chunk.exchange, outbox);
    }

    /// Takes in that a chunk is to be sent again.
    pub(crate) fn on_chunk_lost(&mut self, chunk: &Chunk) {
        if let Some(exchange) = self.live.get_mut(&chunk.exchange)
            && exchange.is_current(chunk)
            && let Some(body) = &mut exchange.send_body
        {
            body.on_lost(&chunk.range());
            self.wake(chunk.exchange);
        }
    }

    /// Takes in that a frame arrived.
    pub(crate) fn on_repeat_acked(&mut self, repeat: Repeat, outbox: &mut Outbox) {
        match repeat {
            Repeat::Message { exchange: number, .. } => {
                let Some(exchange) = self.live.get_mut(&number) else { return };
                if let Some(piece) = repeat.piece() {
                    exchange.send.on_acked(&piece);
                }
                self.wake(number);
                self.finish_if_done(number, outbox);
            }
            Repeat::Reset { exchange } => {
                if let Some(ended) = self.ended.get_mut(&exchange) {
                    ended.reset_acked = true;
                }
                self.forget_if_over(exchange);
            }
            Repeat::BodyCredit { .. } | Repeat::Challenge | Repeat::FormerChallenge => {}
        }
    }

    /// Takes in that a frame is to be sent again.
    pub(crate) fn on_repeat_lost(&mut self, repeat: Repeat) {
        match repeat {
            Repeat::Message { exchange: number, .. } => {
                let Some(exchange) = self.live.get_mut(&number) else { return };
                if let Some(piece) = repeat.piece() {
                    exchange.send.on_lost(&piece);
                }
                self.wake(number);
            }
            Repeat::Reset { exchange } => self.resets_due.push_back(exchange),
            Repeat::BodyCredit { exchange } => {
                if !self.body_credits_due.contains(&exchange) {
                    self.body_credits_due.push_back(exchange);
                }
            }
            Repeat::Challenge | Repeat::FormerChallenge => {}
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

impl Chunk {
    fn range(&self) -> Range<u64> {
        self.offset..self.offset.saturating_add(u64::from(self.len))
    }
}

impl Repeat {
    fn piece(&self) -> Option<Piece> {
        match *self {
            Self::Message { offset, len, fin, .. } => {
                Some(Piece { range: offset..offset.saturating_add(u64::from(len)), fin })
            }
            _ => None,
        }
    }
}
