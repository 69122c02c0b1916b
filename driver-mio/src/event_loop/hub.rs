//! What a role works with: the endpoint, the bodies on their way, and the disk's threads.

use std::{collections::BTreeMap, fmt, io, time::Duration};

use gannet_protocol::{
    BodyId, ConnectionHandle, Endpoint, Event, ExchangeId, Held, Instant, Misuse, Opened, Reply,
    Report, Request, Session, Status,
};

use crate::{
    disk::{Disk, Pace},
    event_loop::Outcome,
    transfer::{self, Output, Progress, Transfers},
};

/// What a role works with. `D` is what its jobs on the disk's threads give.
pub(crate) struct Hub<D> {
    pub(crate) endpoint: Endpoint,
    pub(crate) transfers: Transfers,
    disk: Disk<Work<D>>,
    /// The body of each exchange that has one; bounded by the endpoint's limit of exchanges.
    bodies: BTreeMap<ExchangeId, BodyId>,
    /// How long the loop had nothing to do.
    waited: Duration,
}

/// What a disk's thread did.
pub(crate) enum Work<D> {
    /// For the transfers.
    Body(transfer::Done),
    /// For the role.
    Role(D),
    /// It let go of something.
    Discarded,
}

/// What is over with an event.
#[derive(Clone, Copy)]
pub(super) enum Over {
    Nothing,
    Exchange(ExchangeId),
    Connection(ConnectionHandle),
}

impl<D: Send + 'static> Hub<D> {
    pub(super) fn new(endpoint: Endpoint, disk: Disk<Work<D>>) -> Self {
        Self {
            endpoint,
            transfers: Transfers::new(),
            disk,
            bodies: BTreeMap::new(),
            waited: Duration::ZERO,
        }
    }

    /// Starts the disk's threads.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(&mut self) -> io::Result<()> {
        self.disk.start()
    }

    /// The commands of a connection, while it lives.
    pub(crate) fn session(&mut self, connection: ConnectionHandle) -> Option<Session<'_>> {
        self.endpoint.session(connection)
    }

    /// Takes note that the loop had nothing to do for so long.
    pub(super) fn note_wait(&mut self, time: Duration) {
        self.waited = self.waited.saturating_add(time);
    }

    /// How a connection does, while it lives.
    pub(crate) fn report(&mut self, now: Instant, connection: ConnectionHandle) -> Option<Report> {
        let waited = self.waited;
        let session = self.session(connection)?;
        Some(Report::new(&session.stats(), session.spent(now), waited))
    }

    /// As a client: asks.
    ///
    /// # Errors
    /// As [`Session::request`].
    pub(crate) fn request(
        &mut self,
        connection: ConnectionHandle,
        request: Request,
    ) -> Result<Opened, Misuse> {
        let opened = self.session(connection).ok_or(Misuse::Closing)?.request(request)?;
        self.track(opened.exchange, opened.body);
        Ok(opened)
    }

    /// As a server: answers.
    ///
    /// # Errors
    /// As [`Session::reply`].
    pub(crate) fn reply(
        &mut self,
        exchange: ExchangeId,
        reply: Reply,
    ) -> Result<Option<BodyId>, Misuse> {
        let mut session = self.session(exchange.connection()).ok_or(Misuse::Over)?;
        let body = session.reply(exchange, reply)?;
        self.track(exchange, body);
        Ok(body)
    }

    /// As a client: has stored what it asked for. Does nothing if the exchange is over.
    pub(crate) fn finish(&mut self, exchange: ExchangeId) {
        if let Some(mut session) = self.session(exchange.connection()) {
            let _ = session.finish(exchange);
        }
    }

    /// Gives an exchange up. Does nothing if it is over.
    pub(crate) fn fail(&mut self, exchange: ExchangeId, status: Status, detail: u64) {
        if let Some(mut session) = self.session(exchange.connection()) {
            let _ = session.fail(exchange, status, detail);
        }
        self.forget(exchange);
    }

    /// The body of an exchange, once it has one.
    pub(crate) fn body(&self, exchange: ExchangeId) -> Option<BodyId> {
        self.bodies.get(&exchange).copied()
    }

    /// How far the exchange's body is.
    pub(crate) fn progress(&self, exchange: ExchangeId) -> Option<Progress> {
        self.transfers.progress(self.body(exchange)?)
    }

    /// Whether [`Self::submit`] will take a job.
    pub(crate) fn has_room(&self) -> bool {
        self.disk.has_room()
    }

    /// Lets a disk's thread do `job`; [`super::Role::handle_done`] follows.
    ///
    /// # Errors
    /// [`Status::Overloaded`] when too many jobs wait.
    pub(crate) fn submit(
        &mut self,
        job: impl FnOnce() -> D + Send + 'static,
    ) -> Result<(), Status> {
        self.disk.submit(Pace::Quick, move || Work::Role(job()))
    }

    /// Lets a disk's thread do what may take long, and of which nobody waits for the end.
    pub(crate) fn tidy(&mut self, job: impl FnOnce() + Send + 'static) {
        let job = move || {
            job();
            Work::Discarded
        };
        if self.disk.submit(Pace::Slow, job).is_err() {
            log::debug!("there is too much to do to tidy up");
        }
    }

    /// Lets go of what may block in doing so: a file that is removed.
    pub(crate) fn discard(&mut self, thing: impl Send + 'static) {
        let job = move || {
            drop(thing);
            Work::Discarded
        };
        // Where too many jobs wait, it is let go of here.
        let _ = self.disk.submit(Pace::Quick, job);
    }

    /// Lets it be `now` for a disk that is moved from outside.
    #[cfg(feature = "simulation")]
    pub(crate) fn advance_disk(&mut self, now: Instant) {
        if let Disk::Stepped(stepped) = &mut self.disk {
            stepped.advance(now);
        }
    }

    /// When such a disk has something to do next.
    #[cfg(feature = "simulation")]
    pub(crate) fn disk_due(&self) -> Option<Instant> {
        match &self.disk {
            Disk::Stepped(stepped) => stepped.next_due(),
            Disk::Threads(_) => None,
        }
    }

    /// The next result of a disk's thread for the role.
    pub(super) fn next_done(&mut self, now: Instant) -> Option<D> {
        loop {
            match self.disk.try_recv()? {
                Work::Body(done) => self.transfers.handle_done(now, done),
                Work::Role(done) => return Some(done),
                Work::Discarded => {}
            }
        }
    }

    /// The next thing that became of a body, for the role.
    pub(super) fn next_outcome(&mut self, now: Instant) -> Option<(ExchangeId, BodyId, Outcome)> {
        loop {
            let (body, outcome) = match self.transfers.poll_output()? {
                Output::File(done) => {
                    self.endpoint.handle_file(now, done);
                    continue;
                }
                Output::Note { body, note } => {
                    let _ = self.say(body, |session| session.note(body, note));
                    continue;
                }
                Output::Skip { body, range } => {
                    let _ = self.say(body, |session| session.skip(body, range));
                    continue;
                }
                Output::Keep { body, range } => {
                    let _ = self.say(body, |session| session.keep(body, range));
                    continue;
                }
                Output::Held { body, held } => {
                    let is_again = matches!(held, Held::Again(_));
                    match self.say(body, |session| session.held(body, held)) {
                        Err(_) if is_again => (body, Outcome::Failed(Status::Corrupt)),
                        // Nobody waits to be told.
                        _ => continue,
                    }
                }
                Output::Read { body, hash } => (body, Outcome::Read(hash)),
                Output::Stored { body, received } => (body, Outcome::Stored(received)),
                Output::Collected { body, bytes } => (body, Outcome::Collected(bytes)),
                Output::Failed { body, status } => (body, Outcome::Failed(status)),
            };
            if let Some(exchange) = self.endpoint.exchange_of(body) {
                return Some((exchange, body, outcome));
            }
        }
    }

    /// Tells the endpoint something of a body.
    fn say(
        &mut self,
        body: BodyId,
        say: impl FnOnce(&mut Session<'_>) -> Result<(), Misuse>,
    ) -> Result<(), Misuse> {
        let exchange = self.endpoint.exchange_of(body).ok_or(Misuse::Over)?;
        say(&mut self.session(exchange.connection()).ok_or(Misuse::Over)?)
    }

    /// Gives the transfers' jobs to the disk's threads; false if there are none.
    pub(super) fn run_jobs(&mut self) -> bool {
        let mut progress = false;
        while self.disk.has_room() {
            let Some(job) = self.transfers.poll_job() else { break };
            progress = true;
            let submitted = self.disk.submit(job.pace(), move || Work::Body(job.run()));
            debug_assert!(submitted.is_ok(), "there was room");
        }
        progress
    }

    /// Takes note of what `event` begins, and tells what it ends.
    pub(super) fn prepare(&mut self, event: &Event) -> Over {
        match *event {
            Event::Request { exchange, body, .. } | Event::Reply { exchange, body, .. } => {
                self.track(exchange, body);
                Over::Nothing
            }
            Event::Finished(exchange) | Event::Failed { exchange, .. } => Over::Exchange(exchange),
            Event::Closed(connection, _) => Over::Connection(connection),
            _ => Over::Nothing,
        }
    }

    /// Forgets what is over.
    pub(super) fn clean_up(&mut self, over: Over) {
        match over {
            Over::Nothing => {}
            Over::Exchange(exchange) => self.forget(exchange),
            Over::Connection(connection) => {
                let all = ExchangeId::all_of(connection);
                let over: Vec<_> = self.bodies.range(all).map(|(exchange, _)| *exchange).collect();
                over.into_iter().for_each(|exchange| self.forget(exchange));
            }
        }
    }

    fn track(&mut self, exchange: ExchangeId, body: Option<BodyId>) {
        if let Some(body) = body {
            self.bodies.insert(exchange, body);
        }
    }

    fn forget(&mut self, exchange: ExchangeId) {
        if let Some(body) = self.bodies.remove(&exchange) {
            self.transfers.forget(body);
        }
    }
}

impl<D> fmt::Debug for Hub<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
