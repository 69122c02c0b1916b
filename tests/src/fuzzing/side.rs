//! One endpoint and the little application that it serves.

use std::{collections::BTreeMap, net::SocketAddr};

use gannet_protocol::{
    BLOCK_LEN, BodyId, BodyLen, CloseReason, Config, ConnectionHandle, Datagram, Destination,
    Endpoint, Event, ExchangeId, FileDone, FileTime, How, Identity, Instant, Meta, Mode, Name,
    Note, Put, Reply, Request, Session, Status, Ticket, Unread,
};

use super::{
    held,
    operation::{Answer, Ask, BodyNote, Len},
};

/// Batches that an endpoint gives at most before it falls idle: each has 64 packets, and a window has 32 MiB.
const MAX_BATCHES: u32 = 4_096;
/// Events that an endpoint gives at most before it falls idle.
const MAX_EVENTS: u32 = 100_000;
/// Times at most that timers are due again as soon as they were served.
const MAX_TIMEOUTS: u32 = 16;
/// Writes that are kept before the oldest are done.
const MAX_TICKETS: usize = 2_048;
/// Notes that are said at once.
const MAX_NOTES: u64 = 4_096;

/// One endpoint and the little application that it serves.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) endpoint: Endpoint,
    pub(super) address: SocketAddr,
    pub(super) connection: Option<ConnectionHandle>,
    /// Exchanges that run, with their requests, and of a request that waits for its answer the mark.
    pub(super) exchanges: BTreeMap<ExchangeId, Exchange>,
    pub(super) sending: BTreeMap<BodyId, Sending>,
    /// Bodies that are received, and how long they are.
    pub(super) receiving: BTreeMap<BodyId, BodyLen>,
    tickets: Vec<Ticket>,
    pub(super) stalled: bool,
    pub(super) broken: bool,
    /// Why connections ended.
    pub(super) closed: Vec<CloseReason>,
    /// Where batches are built.
    batch: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Exchange {
    request: Request,
    answered: bool,
}

/// A body that is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sending {
    pub(super) len: u64,
    pub(super) ended: bool,
}

/// A datagram on its way.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

impl Side {
    pub(super) fn new(config: Config, seed: u8, address: SocketAddr) -> Self {
        Self {
            endpoint: Endpoint::new(config, [seed; 32]),
            address,
            connection: None,
            exchanges: BTreeMap::new(),
            sending: BTreeMap::new(),
            receiving: BTreeMap::new(),
            tickets: Vec::new(),
            stalled: false,
            broken: false,
            closed: Vec::new(),
            batch: vec![0; 65_400],
        }
    }

    /// Takes in a datagram.
    pub(super) fn receive(&mut self, now: Instant, from: SocketAddr, payload: &mut [u8]) {
        let len = payload.len();
        let datagram = Datagram { remote: from, local: None, ecn: None, payload };
        let Some(write) = self.endpoint.handle_datagram(now, datagram) else { return };
        assert!(!write.data.is_empty() && write.data.len() <= len, "bytes that nobody sent");
        assert!(write.fresh <= write.data.len(), "more fresh bytes than bytes");
        let last = write.offset + write.data.len() as u64 - 1;
        assert_eq!(write.offset / BLOCK_LEN, last / BLOCK_LEN, "a write that crosses a block");
        self.tickets.push(write.ticket);
        if self.tickets.len() > MAX_TICKETS {
            self.settle(now, 1);
        }
    }

    /// Polls until nothing more comes, serves the timers that are due, and again, until all that is left lies in the future.
    pub(super) fn drain(&mut self, now: Instant, out: &mut Vec<Packet>) {
        for _ in 0..MAX_TIMEOUTS {
            self.transmit(now, out);
            self.take_events();
            match self.endpoint.poll_timeout() {
                Some(at) if at <= now => self.endpoint.handle_timeout(now),
                _ => return,
            }
        }
        panic!("a timer is due for ever");
    }

    fn transmit(&mut self, now: Instant, out: &mut Vec<Packet>) {
        let Self { endpoint, sending, stalled, broken, batch, .. } = self;
        let mut source = |body: BodyId, offset: u64, into: &mut [u8]| {
            let end = offset + into.len() as u64;
            assert!(!into.is_empty(), "an empty read");
            assert_eq!(offset / BLOCK_LEN, (end - 1) / BLOCK_LEN, "a read that crosses a block");
            match sending.get(&body) {
                _ if *broken => Err(Unread::Failed(Status::Io)),
                Some(sending) if end <= sending.len && !*stalled => {
                    into.fill(0x5a);
                    Ok(())
                }
                _ => Err(Unread::Pending),
            }
        };
        for _ in 0..MAX_BATCHES {
            let Some(sent) = endpoint.poll_transmit(now, &mut source, batch) else { return };
            assert!(sent.len > 0 && sent.len <= batch.len() && sent.segment_len > 0, "{sent:?}");
            out.extend(batch[..sent.len].chunks(sent.segment_len).map(|bytes| Packet {
                from: self.address,
                to: sent.remote,
                bytes: bytes.to_vec(),
            }));
        }
        panic!("there is always more to send");
    }

    fn take_events(&mut self) {
        for _ in 0..MAX_EVENTS {
            let Some(event) = self.endpoint.poll_event() else { return };
            match event {
                Event::Connected(connection) => self.connection = Some(connection),
                Event::Closed(connection, reason) => {
                    self.exchanges.retain(|id, _| id.connection() != connection);
                    self.closed.push(reason);
                }
                Event::Request { exchange, request, body } => {
                    if let (Some(body), Request::Put(put)) = (body, &request) {
                        self.receiving.insert(body, put.meta.len);
                    }
                    let old =
                        self.exchanges.insert(exchange, Exchange { request, answered: false });
                    assert!(old.is_none(), "a request came twice");
                }
                Event::Reply { exchange, reply, body } => {
                    assert!(self.exchanges.contains_key(&exchange), "an exchange that is over");
                    if let (Some(body), Reply::Meta(meta)) = (body, &reply) {
                        self.receiving.insert(body, meta.len);
                    }
                }
                Event::Note { exchange, body, note } => {
                    assert!(self.exchanges.contains_key(&exchange), "an exchange that is over");
                    self.compare(body, note);
                }
                Event::Held { exchange, body, held } => {
                    assert!(self.exchanges.contains_key(&exchange), "an exchange that is over");
                    self.hear(body, held);
                }
                Event::Released { body, below } => {
                    assert!(self.sending.get(&body).is_some_and(|sending| below <= sending.len));
                }
                Event::Finished(exchange) | Event::Failed { exchange, .. } => {
                    assert!(self.exchanges.remove(&exchange).is_some(), "an exchange ended twice");
                }
            }
        }
        panic!("there are always more events");
    }

    fn session(&mut self) -> Option<Session<'_>> {
        self.endpoint.session(self.connection?)
    }

    fn pick(&self, which: u8) -> Option<ExchangeId> {
        let at = usize::from(which).checked_rem(self.exchanges.len())?;
        self.exchanges.keys().nth(at).copied()
    }

    /// As the client: asks.
    pub(super) fn ask(&mut self, ask: Ask) {
        let name = |bytes: &[u8]| Name::parse(bytes).expect("a name");
        let request = match ask {
            Ask::Get { version, has } => Request::Get(held::get(name(b"from/here"), version, has)),
            Ask::List => Request::List(None),
            Ask::Put { len, fresh } => {
                let to = Destination { path: None, leaf: name(b"leaf"), into_directory: false };
                let how = How { fresh, ..How::default() };
                Request::Put(Put { to, meta: meta(len), how })
            }
            Ask::Rename => Request::Rename { from: name(b"old"), to: name(b"new") },
            Ask::Exit => Request::Exit { force: false },
        };
        let Some(mut session) = self.session() else { return };
        let Ok(opened) = session.request(request.clone()) else { return };
        if let (Some(body), Ask::Put { len, .. }) = (opened.body, ask) {
            self.sending.insert(body, Sending { len: len.bytes(), ended: false });
        }
        self.exchanges.insert(opened.exchange, Exchange { request, answered: false });
    }

    /// As the server: answers.
    pub(super) fn answer(&mut self, which: u8, how: Answer) {
        let Some(id) = self.pick(which) else { return };
        let Some(exchange) = self.exchanges.get(&id) else { return };
        let (len, reply) = match (how, &exchange.request) {
            (Answer::Refuse { status }, _) => return self.fail_exchange(id, status),
            (Answer::Fitting(len), Request::Get(_)) => (len, Reply::Meta(meta(len))),
            (Answer::Fitting(len), Request::List(_)) => (len, Reply::Listing),
            (Answer::Fitting(len), Request::Put(put)) => (len, stored(&put.to.leaf)),
            (Answer::Fitting(len), _) => (len, Reply::Done),
            (Answer::Unchanged, Request::Get(get)) if get.unless.is_some() => {
                (Len::ZERO, Reply::Unchanged)
            }
            (Answer::Unchanged, Request::Put(put)) if !put.how.fresh && !is_open(put) => {
                (Len::ZERO, Reply::Unchanged)
            }
            (Answer::Unchanged, _) => return self.reply_in_vain(id, &Reply::Unchanged),
            (Answer::Unfitting, Request::Get(_)) => return self.reply_in_vain(id, &Reply::Done),
            (Answer::Unfitting, _) => return self.reply_in_vain(id, &Reply::Meta(meta(Len::ZERO))),
        };
        let Some(mut session) = self.endpoint.session(id.connection()) else { return };
        let Ok(body) = session.reply(id, reply) else { return };
        if let Some(body) = body {
            self.sending.insert(body, Sending { len: len.bytes(), ended: false });
        }
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.answered = true;
        }
    }

    fn reply_in_vain(&mut self, id: ExchangeId, reply: &Reply) {
        let Some(mut session) = self.endpoint.session(id.connection()) else { return };
        session.reply(id, reply.clone()).expect_err("an answer to another question");
    }

    /// Answers every request that has none.
    pub(super) fn answer_all(&mut self) {
        for at in 0..self.exchanges.len() {
            if self.exchanges.values().nth(at).is_some_and(|exchange| !exchange.answered) {
                self.answer(at as u8, Answer::Fitting(Len::ZERO));
            }
        }
    }

    /// As the sender of a body: says something of it.
    pub(super) fn note(&mut self, now: Instant, which: u8, note: BodyNote) {
        let Some(at) = usize::from(which).checked_rem(self.sending.len()) else { return };
        let Some((&body, &Sending { len, ended })) = self.sending.iter().nth(at) else { return };
        let end = |len| {
            let identity = Identity::default();
            Note::End(gannet_protocol::End { len, identity, stable: true })
        };
        match note {
            BodyNote::Groups(count) => {
                let groups = len.div_ceil(BLOCK_LEN);
                for index in (0..u64::from(count) % MAX_NOTES).filter(|_| groups > 0) {
                    self.say(body, Note::Group { index: index % groups, hash: [0; 32] });
                }
            }
            BodyNote::Hole { block, more } => {
                let offset = u64::from(block) * BLOCK_LEN;
                let end = len.min((u64::from(block) + u64::from(more) + 1) * BLOCK_LEN);
                let len = end.saturating_sub(offset);
                self.say(body, Note::Hole { offset, len });
            }
            BodyNote::End if !ended => {
                if let Some(sending) = self.sending.get_mut(&body) {
                    sending.ended = true;
                }
                self.say(body, end(len));
                self.endpoint.handle_file(now, FileDone::Readable(body));
            }
            BodyNote::End => {}
            // A body of known length takes no other end, an open one none that lies below what was sent.
            BodyNote::WrongEnd(len) => {
                let len = len.into();
                if !ended && self.say(body, end(len)) {
                    self.sending.insert(body, Sending { len, ended: true });
                    self.endpoint.handle_file(now, FileDone::Readable(body));
                }
            }
        }
    }

    /// Says something of a body; tells whether it may.
    fn say(&mut self, body: BodyId, note: Note) -> bool {
        self.with(body, |session| session.note(body, note))
    }

    /// Ends every body that has not ended.
    pub(super) fn end_all(&mut self, now: Instant) {
        for at in 0..self.sending.len().min(256) {
            self.note(now, at as u8, BodyNote::End);
        }
    }

    /// As the client: says that a body is taken care of.
    pub(super) fn finish(&mut self, which: u8) {
        let Some(id) = self.pick(which) else { return };
        if let Some(mut session) = self.endpoint.session(id.connection()) {
            let _ = session.finish(id);
        }
    }

    pub(super) fn finish_all(&mut self) {
        (0..self.exchanges.len().min(256)).for_each(|at| self.finish(at as u8));
    }

    pub(super) fn fail(&mut self, which: u8, status: u8) {
        if let Some(id) = self.pick(which) {
            self.fail_exchange(id, status);
        }
    }

    fn fail_exchange(&mut self, id: ExchangeId, status: u8) {
        let status = Status::ALL[usize::from(status) % Status::ALL.len()];
        let Some(mut session) = self.endpoint.session(id.connection()) else { return };
        if session.fail(id, status, 0).is_ok() {
            self.exchanges.remove(&id);
        }
    }

    /// The oldest writes are done.
    pub(super) fn settle(&mut self, now: Instant, count: usize) {
        for ticket in self.tickets.drain(..count.min(self.tickets.len())) {
            self.endpoint.handle_file(now, FileDone::Settled(ticket));
        }
    }

    pub(super) fn settle_all(&mut self, now: Instant) {
        self.settle(now, usize::MAX);
    }

    /// Sources have bytes again, or not.
    pub(super) fn stall(&mut self, now: Instant, stalled: bool) {
        self.stalled = stalled;
        if !stalled {
            for body in self.sending.keys() {
                self.endpoint.handle_file(now, FileDone::Readable(*body));
            }
        }
    }
}

fn meta(len: Len) -> Meta {
    Meta {
        len: if len.open { BodyLen::Open } else { BodyLen::Known(len.bytes()) },
        mode: Mode::from_bits(0o644),
        modified: FileTime::default(),
        identity: Identity::default(),
    }
}

fn is_open(put: &Put) -> bool {
    put.meta.len == BodyLen::Open
}

fn stored(name: &Name) -> Reply {
    let name = name.clone();
    Reply::Stored(gannet_protocol::Stored { name, len: 0, hash: Some([0; 32]), kept: 0 })
}
