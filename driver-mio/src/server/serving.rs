//! What a server does with requests.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use gannet_protocol::{
    BodyId, BodyLen, CloseCode, ConnectionHandle, Destination, Event, ExchangeId, Hash, Instant,
    Name, Put, Reply, Request, Status, Stored,
};

use crate::{
    event_loop::{self, Outcome, Role},
    files::{Listing, Partial, Root, SourceFile},
};

use super::{
    exchange::{Ending, Served, Stage},
    peers::Peers,
    stop::{Phase, Stops},
};

type Hub = event_loop::Hub<Answer>;

/// What a server does with requests.
#[derive(Debug)]
pub(super) struct Serving {
    root: Arc<Root>,
    peers: Peers,
    /// Every request that is not over.
    exchanges: BTreeMap<ExchangeId, Served>,
    stops: Arc<Stops>,
    phase: Phase,
}

/// What the disk says to a request.
#[derive(Debug)]
pub(super) struct Answer {
    exchange: ExchangeId,
    found: Found,
}

#[derive(Debug)]
enum Found {
    Source(Result<SourceFile, Status>),
    Partial(Result<(Name, Partial), Status>),
    Listing(Result<Listing, Status>),
    Renamed(Result<(), Status>),
}

impl Serving {
    pub(super) fn new(root: Root) -> Self {
        Self {
            root: Arc::new(root),
            peers: Peers::default(),
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

    fn meet(&mut self, hub: &mut Hub, connection: ConnectionHandle) {
        if let Some(remote) = hub.session(connection).map(|session| session.remote()) {
            self.peers.add(connection, remote);
        }
    }

    fn take(&mut self, hub: &mut Hub, now: Instant, exchange: ExchangeId, request: Request) {
        self.meet(hub, exchange.connection());
        let Some(who) = self.peers.remote(exchange.connection()) else { return };
        if let (Request::Put(put), Some(body)) = (&request, hub.body(exchange)) {
            // Its bytes may come before the disk has said where to.
            hub.transfers.receive_file(body, &put.meta);
        }
        let is_exit = matches!(request, Request::Exit { .. });
        self.exchanges.insert(exchange, Served::new(who, request, now));
        if is_exit {
            // It would wait for the very transfers that it may want to end.
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

    fn begin(&mut self, hub: &mut Hub, now: Instant, exchange: ExchangeId) {
        let Some(request) = self.exchanges.get_mut(&exchange).and_then(Served::begin) else {
            return;
        };
        let root = Arc::clone(&self.root);
        let answer = move |found| Answer { exchange, found };
        let submitted = match request {
            Request::Get(name) => {
                hub.submit(move || answer(Found::Source(root.open_source(&name))))
            }
            Request::Put(Put { to, meta }) => {
                hub.submit(move || answer(Found::Partial(prepare(&root, &to, meta.len))))
            }
            Request::List(dir) => {
                hub.submit(move || answer(Found::Listing(root.list(dir.as_ref()))))
            }
            Request::Rename { from, to } => {
                hub.submit(move || answer(Found::Renamed(root.rename(&from, &to))))
            }
            Request::Exit { force } => {
                self.exit(hub, now, exchange, force);
                Ok(())
            }
        };
        if let Err(status) = submitted {
            self.fail(hub, now, exchange, status, 0);
        }
    }

    fn exit(&mut self, hub: &mut Hub, now: Instant, exchange: ExchangeId, force: bool) {
        let others = |(other, served): &(&ExchangeId, &Served)| {
            other.connection() != exchange.connection() && served.is_transfer()
        };
        let busy = self.exchanges.iter().filter(others).count();
        if busy > 0 && !force {
            self.fail(hub, now, exchange, Status::Busy, busy as u64);
            return;
        }
        self.answer(hub, now, exchange, Reply::Done, 0);
        self.stop(hub, now);
    }

    /// Says yes, and that is all. `bytes` are those of the body, for the log.
    fn answer(
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
    fn fail(
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
            served.log(now, hub.progress(exchange), ending);
            self.peers.end(exchange);
        }
    }

    fn open(&mut self, hub: &mut Hub, exchange: ExchangeId, source: SourceFile) {
        let reply = Reply::Meta(source.meta());
        if let Ok(Some(body)) = hub.reply(exchange, reply) {
            hub.transfers.send_file(body, source);
        }
    }

    fn receive(&mut self, hub: &mut Hub, exchange: ExchangeId, name: Name, partial: Partial) {
        let served = self.exchanges.get_mut(&exchange);
        let (Some(served), Some(body)) = (served, hub.body(exchange)) else {
            hub.discard(partial);
            return;
        };
        served.settle_name(name);
        hub.transfers.open(body, Ok(partial));
    }

    /// A file was received whole.
    fn stored(&mut self, hub: &mut Hub, now: Instant, exchange: ExchangeId, len: u64, hash: Hash) {
        let Some(served) = self.exchanges.get_mut(&exchange) else { return };
        if let Stage::Receiving(name) = &served.stage {
            let reply = Reply::Stored(Stored { name: name.clone(), len, hash });
            self.answer(hub, now, exchange, reply, len);
        }
    }

    /// Begins the end: no new request is taken, and connections are closed as they become idle.
    fn stop(&mut self, hub: &mut Hub, now: Instant) {
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

fn prepare(root: &Root, to: &Destination, len: BodyLen) -> Result<(Name, Partial), Status> {
    let name = root.resolve(to)?;
    let partial = root.create_partial(&name, len)?;
    Ok((name, partial))
}

impl Role for Serving {
    type Done = Answer;

    fn handle_event(&mut self, hub: &mut Hub, now: Instant, event: Event) {
        match event {
            Event::Connected(connection) => self.meet(hub, connection),
            Event::Closed(connection, reason) => {
                log::debug!("{:?} is over: {reason:?}", self.peers.remote(connection));
                let of_it = |exchange: &ExchangeId| exchange.connection() == connection;
                let over: Vec<_> = self.exchanges.keys().copied().filter(of_it).collect();
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
            Event::Reply { .. } | Event::Note { .. } | Event::Released { .. } => {}
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
            Outcome::Stored { len, hash } => self.stored(hub, now, exchange, len, hash),
            Outcome::Failed(status) => self.fail(hub, now, exchange, status, 0),
            // What was read has yet to arrive; a server receives nothing into memory.
            Outcome::Read(_) | Outcome::Collected(_) => {}
        }
    }

    fn handle_done(&mut self, hub: &mut Hub, now: Instant, answer: Answer) {
        let Answer { exchange, found } = answer;
        let failed = match found {
            Found::Source(source) => source.map(|source| self.open(hub, exchange, source)),
            Found::Partial(partial) => {
                partial.map(|(name, partial)| self.receive(hub, exchange, name, partial))
            }
            Found::Listing(listing) => listing.map(|listing| {
                if let Ok(Some(body)) = hub.reply(exchange, Reply::Listing) {
                    hub.transfers.send_stream(body, Box::new(listing));
                }
            }),
            Found::Renamed(done) => done.map(|()| self.answer(hub, now, exchange, Reply::Done, 0)),
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
        if self.phase == Phase::Serving {
            self.begin_waiting(hub, now);
            return;
        }
        self.close(hub, false);
        if self.phase.advance(now, self.peers.is_empty()) {
            self.close(hub, true);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.phase.deadline()
    }
}
