//! What a server does with requests.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use gannet_protocol::{
    BodyId, BodyLen, CloseCode, Event, ExchangeId, Held, Instant, Name, Reply, Request, Stat,
    Status, Stored,
};

use crate::{
    event_loop::{self, Outcome, Role},
    files::{Keeper, Listing, Partial, Root, SourceFile},
    transfer::{Received, Stream},
    trust::Invitation,
};

use super::{
    exchange::{Ending, Served, Stage},
    gate::Gate,
    peers::Peers,
    stop::{Phase, Stops},
    store::{self, Prepared},
};

pub(super) type Hub = event_loop::Hub<Answer>;

/// What a server does with requests.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) root: Arc<Root>,
    pub(super) keeper: Keeper,
    /// When old partial files are looked for next.
    next_sweep: Instant,
    pub(super) gate: Gate,
    pub(super) peers: Peers,
    /// Every request that is not over.
    pub(super) exchanges: BTreeMap<ExchangeId, Served>,
    stops: Arc<Stops>,
    phase: Phase,
}

/// What the disk says to a request.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) exchange: ExchangeId,
    pub(super) found: Found,
}

/// What it found.
#[derive(Debug)]
pub(super) enum Found {
    Source(Result<SourceFile, Status>),
    Prepared(Result<Prepared, Status>),
    /// The client has what it asked for.
    Unchanged,
    Listing(Result<Listing, Status>),
    Stat(Result<Stat, Status>),
    Done(Result<(), Status>),
    /// If the client is not let in, the invitation may come back unused.
    Joined(Result<(), (Status, Option<Invitation>)>),
}

impl Serving {
    /// Serves `root`, at most so many requests at a time.
    pub(super) fn new(root: Root, keeper: Keeper, gate: Gate, most: usize) -> Self {
        Self {
            root: Arc::new(root),
            keeper,
            next_sweep: Instant::ZERO,
            gate,
            peers: Peers::new(most),
            exchanges: BTreeMap::new(),
            stops: Arc::default(),
            phase: Phase::default(),
        }
    }

    /// Where to count calls for the end.
    pub(super) fn stops(&self) -> Arc<Stops> {
        Arc::clone(&self.stops)
    }

    /// Whether the server has ended.
    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    fn take(&mut self, hub: &mut Hub, now: Instant, exchange: ExchangeId, request: Request) {
        let connection = exchange.connection();
        if !self.meet(hub, now, connection) {
            return;
        }
        let Some(who) = self.peers.remote(connection) else { return };
        let key = self.peers.key(connection);
        if let Request::Join { proof } = request {
            // Nobody's rights are asked for here; the proof will have to do.
            let served = Served::new(who, request, None, now);
            self.exchanges.insert(exchange, served);
            self.peers.run(exchange);
            return self.join(hub, now, exchange, proof);
        }
        let Some(grant) = self.gate.grant(key.as_ref()) else {
            return self.refuse(hub, connection);
        };
        if let (Request::Put(put), Some(body)) = (&request, hub.body(exchange)) {
            // Its bytes may come before the disk has said where to.
            match put.meta.len {
                BodyLen::Known(len) if put.how.discard => hub.transfers.receive_nothing(body, len),
                _ => hub.transfers.receive_file(body, &put.meta),
            }
            if put.how.check {
                hub.transfers.want_hash(body);
            }
        }
        // An exit would wait for the very transfers that it may want to end, and a report for what it is to tell of.
        let is_urgent = matches!(request, Request::Exit { .. } | Request::Report);
        self.exchanges.insert(exchange, Served::new(who, request, Some(grant), now));
        if is_urgent {
            self.peers.run(exchange);
            self.begin(hub, now, exchange);
        } else {
            self.peers.wait(exchange);
            if self.phase != Phase::Serving {
                self.fail(hub, now, exchange, Status::ShuttingDown, 0);
            }
        }
    }

    /// Begins what may run and what the disk's threads have room for.
    fn begin_waiting(&mut self, hub: &mut Hub, now: Instant) {
        while hub.has_room()
            && let Some(exchange) = self.peers.next()
        {
            self.begin(hub, now, exchange);
        }
    }

    /// Says yes, and that is all. `bytes` are those of the body, for the log.
    pub(super) fn answer(
        &mut self,
        hub: &mut Hub,
        now: Instant,
        exchange: ExchangeId,
        reply: Reply,
        bytes: u64,
    ) {
        match hub.reply(exchange, reply) {
            Ok(_) => {
                if let Some(served) = self.exchanges.get_mut(&exchange) {
                    served.stage = Stage::Answered(bytes);
                }
            }
            Err(_) => self.end(hub, now, exchange, Ending::Lost),
        }
    }

    /// Says no.
    pub(super) fn fail(
        &mut self,
        hub: &mut Hub,
        now: Instant,
        exchange: ExchangeId,
        status: Status,
        detail: u64,
    ) {
        self.end(hub, now, exchange, Ending::Failed(status));
        hub.fail(exchange, status, detail);
    }

    /// Forgets an exchange, with a line in the log.
    fn end(&mut self, hub: &mut Hub, now: Instant, exchange: ExchangeId, ending: Ending) {
        if let Some(served) = self.exchanges.remove(&exchange) {
            let ending = match (ending, &served.stage) {
                // What was asked is done, whether or not the client stayed to hear it.
                (Ending::Lost, Stage::Answered(_)) => Ending::Done,
                (ending, _) => ending,
            };
            served.log(now, hub.progress(exchange).map(|progress| progress.done), ending);
            self.peers.end(exchange);
        }
    }

    fn open(&mut self, hub: &mut Hub, exchange: ExchangeId, source: SourceFile) {
        let meta = source.meta();
        let have = match self.exchanges.get(&exchange).map(Served::request) {
            Some(Request::Get(get)) => get.have.clone(),
            _ => None,
        };
        if let Ok(Some(body)) = hub.reply(exchange, Reply::Meta(meta)) {
            let is_told = have.as_ref().is_none_or(|have| have.identity == meta.identity);
            hub.transfers.send_file(body, source, !is_told);
            if let Some(have) = have.filter(|_| is_told) {
                hub.transfers.held(body, Held::Groups(have));
            }
        }
    }

    fn receive(
        &mut self,
        hub: &mut Hub,
        now: Instant,
        exchange: ExchangeId,
        name: Name,
        partial: Partial,
    ) {
        let served = self.exchanges.get_mut(&exchange);
        let (Some(served), Some(body)) = (served, hub.body(exchange)) else {
            hub.discard(partial);
            return;
        };
        served.settle_name(name);
        hub.transfers.open(now, body, Ok(partial));
    }

    /// A file was received whole.
    fn stored(&mut self, hub: &mut Hub, now: Instant, exchange: ExchangeId, received: Received) {
        let Some(served) = self.exchanges.get_mut(&exchange) else { return };
        if let Stage::Receiving(name) = &served.stage {
            let Received { len, hash, kept, unchanged, .. } = received;
            if unchanged {
                return self.answer(hub, now, exchange, Reply::Unchanged, 0);
            }
            let stored = Stored { name: name.clone(), len, hash, kept };
            self.answer(hub, now, exchange, Reply::Stored(stored), len);
        }
    }

    /// Looks for old partial files, if it is time.
    fn sweep(&mut self, hub: &mut Hub, now: Instant) {
        if now < self.next_sweep {
            return;
        }
        self.next_sweep = now + store::SWEEP_EVERY;
        let root = Arc::clone(&self.root);
        hub.tidy(move || store::sweep(&root));
    }

    /// Begins the end: no new request is taken, and connections are closed as they become idle.
    pub(super) fn stop(&mut self, hub: &mut Hub, now: Instant) {
        if self.phase.ask(now) {
            hub.endpoint.shut_down();
            for exchange in self.peers.waiting() {
                self.fail(hub, now, exchange, Status::ShuttingDown, 0);
            }
            let transfers = self.exchanges.values().filter(|served| served.is_transfer()).count();
            log::info!("ending; transfers that run: {transfers}");
        }
    }

    /// Closes connections: all, or those on which nothing runs.
    fn close(&mut self, hub: &mut Hub, all: bool) {
        for connection in self.peers.close(all) {
            if let Some(mut session) = hub.session(connection) {
                session.close(CloseCode::ShuttingDown);
            }
        }
    }
}

impl Role for Serving {
    type Done = Answer;

    fn handle_event(&mut self, hub: &mut Hub, now: Instant, event: Event) {
        match event {
            Event::Connected(connection) => {
                self.meet(hub, now, connection);
            }
            Event::Closed(connection, reason) => {
                log::debug!("{:?} is over: {reason:?}", self.peers.remote(connection));
                let all = ExchangeId::all_of(connection);
                let over: Vec<_> = self.exchanges.range(all).map(|(id, _)| *id).collect();
                for exchange in over {
                    self.end(hub, now, exchange, Ending::Lost);
                }
                self.peers.remove(connection);
            }
            Event::Request { exchange, request, .. } => self.take(hub, now, exchange, request),
            Event::Finished(exchange) => self.end(hub, now, exchange, Ending::Done),
            Event::Failed { exchange, status, .. } => {
                self.end(hub, now, exchange, Ending::Failed(status));
            }
            // Replies come to clients; the loop keeps what concerns bodies.
            Event::Reply { .. }
            | Event::Note { .. }
            | Event::Held { .. }
            | Event::Released { .. } => {}
        }
    }

    fn handle_outcome(
        &mut self,
        hub: &mut Hub,
        now: Instant,
        exchange: ExchangeId,
        _body: BodyId,
        outcome: Outcome,
    ) {
        match outcome {
            Outcome::Stored(received) => self.stored(hub, now, exchange, received),
            Outcome::Failed(status) => self.fail(hub, now, exchange, status, 0),
            // What was read has yet to arrive; a server receives nothing into memory.
            Outcome::Read(_) | Outcome::Collected(_) => {}
        }
    }

    fn handle_done(&mut self, hub: &mut Hub, now: Instant, answer: Answer) {
        let Answer { exchange, found } = answer;
        let failed = match found {
            Found::Source(source) => source.map(|source| self.open(hub, exchange, source)),
            Found::Prepared(prepared) => prepared.map(|prepared| match prepared {
                Prepared::Ready(name, partial) => self.receive(hub, now, exchange, name, partial),
                Prepared::Unchanged => self.answer(hub, now, exchange, Reply::Unchanged, 0),
                Prepared::InUse(name) => self.succeed(hub, now, exchange, &name),
            }),
            Found::Unchanged => {
                self.answer(hub, now, exchange, Reply::Unchanged, 0);
                Ok(())
            }
            Found::Listing(listing) => listing.map(|listing| {
                if let Ok(Some(body)) = hub.reply(exchange, Reply::Listing) {
                    hub.transfers.send_stream(body, Stream::of_disk(listing));
                }
            }),
            Found::Stat(stat) => {
                stat.map(|stat| self.answer(hub, now, exchange, Reply::Stat(stat), 0))
            }
            Found::Done(done) => done.map(|()| self.answer(hub, now, exchange, Reply::Done, 0)),
            Found::Joined(result) => self.joined(hub, now, exchange, result),
        };
        if let Err(status) = failed {
            self.fail(hub, now, exchange, status, 0);
        }
    }

    fn handle_turn(&mut self, hub: &mut Hub, now: Instant) {
        let stops = self.stops.load(Ordering::Relaxed);
        if stops > 0 {
            self.stop(hub, now);
        }
        if stops > 1 && self.phase.insist(now) {
            self.close(hub, true);
        }
        self.refuse_late_strangers(hub, now);
        self.look_again(hub, now);
        if self.phase == Phase::Serving {
            self.sweep(hub, now);
            self.begin_waiting(hub, now);
            return;
        }
        self.close(hub, false);
        if self.phase.advance(now, self.peers.is_empty()) {
            self.close(hub, true);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let look = self.gate.next_look().filter(|_| !self.peers.is_empty());
        let sweep = Some(self.next_sweep).filter(|_| self.phase == Phase::Serving);
        let deadlines = [self.phase.deadline(), self.peers.stranger_deadline(), look, sweep];
        deadlines.into_iter().flatten().min()
    }
}
