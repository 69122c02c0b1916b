//! What a server does with requests.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use gannet_protocol::{
    BodyId, CloseCode, Event, ExchangeId, Held, Instant, Name, Put, Reply, Request, Stat, Status,
    Stored,
};

use crate::{
    event_loop::{self, Outcome, Role},
    files::{Keeper, Listing, Partial, Root, SourceFile},
    transfer::{Received, Stream},
    trust::{
        Invitation,
        policy::{Grant, Permitted, Store},
    },
};

use super::{
    exchange::{Ending, Served, Stage},
    gate::{self, Gate},
    peers::Peers,
    stop::{Phase, Stops},
    store::{self, Patience, Prepared, Wanted},
};

pub(super) type Hub = event_loop::Hub<Answer>;

/// What a server does with requests.
#[derive(Debug)]
pub(super) struct Serving {
    root: Arc<Root>,
    keeper: Keeper,
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
    exchange: ExchangeId,
    found: Found,
}

#[derive(Debug)]
enum Found {
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
    pub(super) fn new(root: Root, keeper: Keeper, gate: Gate) -> Self {
        Self {
            root: Arc::new(root),
            keeper,
            next_sweep: Instant::ZERO,
            gate,
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
            hub.transfers.receive_file(body, &put.meta);
            if put.how.check {
                hub.transfers.want_hash(body);
            }
        }
        let is_exit = matches!(request, Request::Exit { .. });
        self.exchanges.insert(exchange, Served::new(who, request, Some(grant), now));
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

    /// Begins a request, if its client may do that.
    fn begin(&mut self, hub: &mut Hub, now: Instant, exchange: ExchangeId) {
        let Some((request, grant)) = self.exchanges.get_mut(&exchange).and_then(Served::begin)
        else {
            return;
        };
        let asked = match &request {
            Request::Invite(invite) => match invite.grant.parse::<Grant>() {
                Ok(asked) => Some(asked),
                Err(_) => return self.fail(hub, now, exchange, Status::Unsupported, 0),
            },
            _ => None,
        };
        let begun = match gate::judge(&grant, &request, asked.as_ref()) {
            Err(denied) => {
                log::debug!("{denied}");
                Err(Status::Denied)
            }
            Ok(Permitted::Files { dir }) => self.begin_files(hub, exchange, &request, dir.cloned()),
            Ok(Permitted::Put { dir, max, store }) => {
                let terms = (dir.cloned(), max, store);
                self.begin_put(hub, exchange, &request, terms, Patience::Ask)
            }
            Ok(Permitted::Exit) => {
                let force = matches!(request, Request::Exit { force: true });
                self.exit(hub, now, exchange, force);
                Ok(())
            }
            Ok(Permitted::Invite(grant)) => self.invite(hub, now, exchange, &request, grant),
        };
        if let Err(status) = begun {
            self.fail(hub, now, exchange, status, 0);
        }
    }

    fn begin_files(
        &self,
        hub: &mut Hub,
        exchange: ExchangeId,
        request: &Request,
        below: Option<Name>,
    ) -> Result<(), Status> {
        let root = Arc::clone(&self.root);
        let root = move || root.below(below.as_ref());
        let answer = move |found| Answer { exchange, found };
        match request.clone() {
            Request::Get(get) => hub.submit(move || {
                let source = root().and_then(|root| root.open_source(&get.name));
                answer(match (source, get.unless) {
                    (Ok(source), Some(has)) if source.is_version(has) => Found::Unchanged,
                    (source, _) => Found::Source(source),
                })
            }),
            Request::List(dir) => hub.submit(move || {
                answer(Found::Listing(root().and_then(|root| root.list(dir.as_ref()))))
            }),
            Request::Stat(name) => {
                hub.submit(move || answer(Found::Stat(root().and_then(|root| root.stat(&name)))))
            }
            Request::Rename { from, to } => hub.submit(move || {
                answer(Found::Done(root().and_then(|root| root.rename(&from, &to))))
            }),
            Request::Remove(name) => {
                hub.submit(move || answer(Found::Done(root().and_then(|root| root.remove(&name)))))
            }
            Request::Mkdir(name) => hub.submit(move || {
                answer(Found::Done(root().and_then(|root| root.make_directory(&name))))
            }),
            _ => Err(Status::Unsupported),
        }
    }

    pub(super) fn begin_put(
        &self,
        hub: &mut Hub,
        exchange: ExchangeId,
        request: &Request,
        (below, max, store): (Option<Name>, Option<u64>, Store<'_>),
        patience: Patience,
    ) -> Result<(), Status> {
        let Request::Put(Put { meta, how, .. }) = request else { return Err(Status::Unsupported) };
        let others = self
            .exchanges
            .iter()
            .filter(|(id, _)| **id != exchange)
            .filter_map(|(_, served)| served.claim())
            .filter(|(dir, _)| *dir == below.as_ref())
            .fold(0u64, |sum, (_, len)| sum.saturating_add(len));
        let owner = self.keeper.of(self.peers.key(exchange.connection()));
        let wanted = Wanted {
            store: store.into_owned(),
            meta: *meta,
            how: *how,
            owner,
            max,
            others,
            patience,
        };
        let root = Arc::clone(&self.root);
        let prepare = move || store::prepare(&root.below(below.as_ref())?, &wanted);
        hub.submit(move || Answer { exchange, found: Found::Prepared(prepare()) })
    }

    fn invite(
        &mut self,
        hub: &mut Hub,
        now: Instant,
        exchange: ExchangeId,
        request: &Request,
        grant: Grant,
    ) -> Result<(), Status> {
        let Request::Invite(invite) = request else { return Err(Status::Unsupported) };
        let key = self.peers.key(exchange.connection());
        let ticket = self.gate.invite(key, grant, invite)?;
        self.answer(hub, now, exchange, Reply::Ticket(ticket), 0);
        Ok(())
    }

    fn join(&mut self, hub: &mut Hub, now: Instant, exchange: ExchangeId, proof: [u8; 32]) {
        let session = hub.session(exchange.connection());
        let client = session.as_ref().and_then(|s| Some((s.peer_key()?, s.transcript()?)));
        let joined = match session.map(|session| session.remote().ip()) {
            Some(from) => self.gate.join(from, client, proof),
            None => return,
        };
        let submitted = joined.and_then(|joining| {
            hub.submit(move || Answer { exchange, found: Found::Joined(joining.conclude()) })
        });
        if let Err(status) = submitted {
            self.fail(hub, now, exchange, status, 0);
        }
    }

    fn joined(
        &mut self,
        hub: &mut Hub,
        now: Instant,
        exchange: ExchangeId,
        result: Result<(), (Status, Option<Invitation>)>,
    ) -> Result<(), Status> {
        match result {
            Ok(()) => {
                self.peers.set_stranger(exchange.connection(), None);
                self.answer(hub, now, exchange, Reply::Done, 0);
                Ok(())
            }
            Err((status, invitation)) => {
                if let Some(invitation) = invitation {
                    self.gate.restore(invitation);
                }
                Err(status)
            }
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

impl Role for Serving {
    type Done = Answer;

    fn handle_event(&mut self, hub: &mut Hub, now: Instant, event: Event) {
        match event {
            Event::Connected(connection) => {
                self.meet(hub, now, connection);
            }
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
