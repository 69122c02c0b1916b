//! What a client's thread does with commands and with what the server says.

mod hearing;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, TryRecvError},
    },
};

use gannet_protocol::{
    BodyLen, CloseCode, CloseReason, ConnectionHandle, ExchangeId, Expected, Identity, Instant,
    Meta, Misuse, Mode, Reply, Stats, Status,
};

use crate::{
    event_loop,
    files::{Keeper, Owner, Partial},
    qlog::TraceFiles,
    security::ClientSecurity,
    sys::files::time_of_now,
};

use super::{
    Failure, Figures, Lost,
    command::Command,
    connect::Peer,
    fate::Fate,
    job::Number,
    jobs::Jobs,
    local::Local,
    metering::Metering,
    phase::Phase,
    phases::{Diary, Doing},
    refusals::Refusals,
    remembering::Remembering,
    task::{Opened, Origin, Place, Stage, Task, Verb},
    tracing::Tracing,
};

type Hub = event_loop::Hub<Answer>;

/// Permission bits of what comes from a stream, before the server's umask.
const STREAM_MODE: u32 = 0o666;
/// Jobs that the server may not have heard the end of when the connection is closed: the packet that closes it says so of these.
/// To wait for more than that packet takes is worth a round trip.
const LAST_WORDS: usize = 64;
/// Commands of a turn.
const COMMANDS: usize = 256;
/// Jobs that are looked at in every turn, for what the time goes by; more are as often as it is told how far they are.
const FEW_JOBS: usize = 16;

/// What a client's thread does with commands and with what the server says.
#[derive(Debug)]
pub(super) struct Worker {
    remote: SocketAddr,
    keeper: Keeper,
    connection: Option<ConnectionHandle>,
    commands: Receiver<Command>,
    phase: Phase,
    jobs: Jobs,
    refusals: Refusals,
    heard: Heard,
    fate: Arc<Fate>,
    /// Whom to tell when the server is heard first.
    confirming: Vec<Sender<()>>,
    metering: Metering,
    remembering: Option<Remembering>,
    diary: Diary,
    tracing: Tracing,
}

/// When the server was heard.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    packets: u64,
    last: Instant,
}

/// What the disk says to a job.
#[derive(Debug)]
pub(super) enum Answer {
    Opened(Number, Result<Opened, Status>),
    Partial(ExchangeId, Result<Partial, Status>),
}

impl Worker {
    /// Does what `commands` say, at most so many jobs at a time.
    pub(super) fn new(
        remote: SocketAddr,
        keeper: Keeper,
        commands: Receiver<Command>,
        fate: Arc<Fate>,
        most: usize,
    ) -> Self {
        Self {
            remote,
            keeper,
            connection: None,
            commands,
            phase: Phase::Connecting { until: Instant::ZERO },
            jobs: Jobs::new(most),
            refusals: Refusals::default(),
            heard: Heard::default(),
            fate,
            confirming: Vec::new(),
            metering: Metering::default(),
            remembering: None,
            diary: Diary::default(),
            tracing: Tracing::Off,
        }
    }

    /// Has what the path gives remembered, and what it gave before made use of.
    pub(super) fn remembering(mut self, remembering: Option<Remembering>) -> Self {
        self.remembering = remembering;
        self
    }

    /// Has what happens to packets be written down.
    pub(super) fn trace_to(&mut self, files: TraceFiles) {
        self.tracing = Tracing::Wanted(files);
    }

    /// Starts to connect.
    pub(super) fn dial(&mut self, hub: &mut Hub, now: Instant, until: Instant, expected: Expected) {
        let memory = self.remembering.as_ref().and_then(Remembering::recall);
        let endpoint = &mut hub.endpoint;
        self.connection = Some(match memory {
            Some(memory) => endpoint.connect_again(now, self.remote, expected, memory),
            None => endpoint.connect_to(now, self.remote, expected),
        });
        self.phase = Phase::Connecting { until };
        self.heard.last = now;
        self.diary.note(now, Doing::Handshake);
    }

    /// Who is at the two ends, once they are connected.
    pub(super) fn peer(&self, hub: &mut Hub, security: &ClientSecurity) -> Option<Peer> {
        let ClientSecurity::Sealed { key: own, .. } = security else { return None };
        let session = hub.session(self.connection?)?;
        let (key, transcript) = (session.peer_key()?, session.transcript()?);
        Some(Peer { key, own: own.public(), transcript })
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// The refusals so far.
    pub(super) fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Stores what the path gave, after all is said. Blocks on the disk.
    pub(super) fn remember(&self) {
        if let Some(remembering) = &self.remembering {
            remembering.store();
        }
    }

    /// Whether the thread has nothing left to do.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over(_))
    }

    fn trace(&mut self, hub: &mut Hub) {
        if let Some(connection) = self.connection {
            self.tracing.go_on(hub.session(connection));
        }
    }

    /// Takes what the program wants.
    fn take_commands(&mut self, hub: &mut Hub, now: Instant) {
        for _ in 0..COMMANDS {
            match self.commands.try_recv() {
                Ok(Command::Start(number, task)) => self.queue_up(number, *task),
                Ok(Command::Cancel(number)) => self.cancel(hub, number),
                Ok(Command::Stats(tell)) => {
                    if let Some(stats) = self.stats(hub) {
                        let _ = tell.send(stats);
                    }
                }
                Ok(Command::Figures(tell)) => {
                    if let Some(figures) = self.figures(hub, now) {
                        let _ = tell.send(figures);
                    }
                }
                Ok(Command::Confirm(tell)) => self.confirming.push(tell),
                Ok(Command::Close) => self.linger(hub, now),
                Ok(Command::Abort) | Err(TryRecvError::Disconnected) => {
                    self.give_up_all(hub);
                    self.close(hub, now);
                    return;
                }
                Err(TryRecvError::Empty) => return,
            }
        }
    }

    fn queue_up(&mut self, number: Number, task: Task) {
        if self.phase == Phase::Open {
            self.jobs.add(number, task);
        } else {
            task.fail(Failure::Cancelled);
        }
    }

    /// Begins what may run and what the disk's threads have room for.
    fn begin_queued(&mut self, hub: &mut Hub, now: Instant) {
        while hub.has_room()
            && let Some(number) = self.jobs.next(now)
        {
            self.begin(hub, now, number);
        }
    }

    fn begin(&mut self, hub: &mut Hub, now: Instant, number: Number) {
        let (owner, durability) = (self.owner(hub), hub.transfers.durability());
        let Some(task) = self.jobs.get_mut(number) else { return };
        let job: Box<dyn FnOnce() -> Result<Opened, Status> + Send> =
            match (&mut task.verb, &task.stage) {
                (Verb::Put { from: Origin::File(spot), .. }, Stage::Queued) => {
                    let spot = spot.clone();
                    Box::new(move || spot.open().map(Opened::Source))
                }
                (Verb::Get { to: Place::File(spot), how, .. }, Stage::Queued) => {
                    let (spot, how) = (spot.clone(), *how);
                    Box::new(move || {
                        Local::look(&spot, owner, how, durability).map(Box::new).map(Opened::Local)
                    })
                }
                (Verb::Put { from: Origin::Pipe { stream, .. }, .. }, Stage::Queued) => {
                    if let Some(stream) = stream.take() {
                        task.stage = Stage::Opened(Opened::Stream(stream, meta_of_stream()));
                    }
                    return self.ask(hub, now, number);
                }
                _ => return self.ask(hub, now, number),
            };
        task.stage = Stage::Opening;
        task.since = now;
        if let Err(status) = hub.submit(move || Answer::Opened(number, job())) {
            self.fail_here(hub, number, status);
        }
    }

    /// Whose partial files are those of what this server sends.
    fn owner(&self, hub: &mut Hub) -> Owner {
        let session = self.connection.and_then(|connection| hub.session(connection));
        self.keeper.of(session.and_then(|session| session.peer_key()))
    }

    /// Sends the request of a job, or queues it again if the server does not allow that now.
    fn ask(&mut self, hub: &mut Hub, now: Instant, number: Number) {
        let (Some(connection), Some(task)) = (self.connection, self.jobs.get_mut(number)) else {
            return;
        };
        let opened = match std::mem::replace(&mut task.stage, Stage::Queued) {
            Stage::Opened(opened) => Some(opened),
            _ => None,
        };
        let Some(request) = task.request(opened.as_ref()) else {
            let failure = Failure::Remote { status: Status::Unsupported, detail: 0 };
            return self.fail(hub, number, failure, Status::Unsupported);
        };
        match hub.request(connection, request) {
            Ok(asked) => {
                let exchange = asked.exchange;
                task.since = now;
                let (mut local, mut holes) = (None, 0);
                match (opened, asked.body) {
                    (Some(Opened::Source(source)), Some(body)) => {
                        holes = source.hollow();
                        hub.transfers.send_file(body, source, true);
                    }
                    (Some(Opened::Stream(stream, _)), Some(body)) => {
                        hub.transfers.send_stream(body, stream);
                    }
                    (Some(Opened::Local(here)), _) => local = Some(here),
                    (None, Some(body)) => {
                        if let Verb::Measure { len, .. } = task.verb {
                            hub.transfers.send_zeros(body, len);
                        }
                    }
                    _ => {}
                }
                task.stage = Stage::Asked { exchange, hash: None, holes, local };
                self.jobs.note_asked(number, exchange);
            }
            Err(Misuse::NoCredit) => {
                task.stage = opened.map_or(Stage::Queued, Stage::Opened);
                self.jobs.put_back(now, number);
            }
            // The connection is ending, and its end ends this job.
            Err(Misuse::Closing | Misuse::Over | Misuse::OutOfPlace) => {}
        }
    }

    fn opened(&mut self, hub: &mut Hub, now: Instant, number: Number, opened: Opened) {
        let Some(task) = self.jobs.get_mut(number) else { return hub.discard(opened) };
        if let Opened::Source(source) = &opened {
            task.meter.set_total(source.len());
        }
        task.stage = Stage::Opened(opened);
        self.ask(hub, now, number);
    }

    /// Takes the server's answer.
    fn answered(&mut self, hub: &mut Hub, now: Instant, exchange: ExchangeId, reply: Reply) {
        let Some(number) = self.jobs.number(exchange) else { return };
        let Some(task) = self.jobs.get_mut(number) else { return };
        match (&mut task.verb, reply, hub.body(exchange)) {
            (Verb::Get { to, how, .. }, Reply::Meta(meta), Some(body)) => {
                if let BodyLen::Known(len) = meta.len {
                    task.meter.set_total(len);
                }
                if let Place::Pipe { sink, .. } = to {
                    if let Some(sink) = sink.take() {
                        hub.transfers.receive_stream(body, &meta, sink);
                    }
                    return;
                }
                hub.transfers.receive_file(body, &meta);
                if how.check {
                    hub.transfers.want_hash(body);
                }
                let Some(local) = task.take_local() else { return };
                let job = move || Answer::Partial(exchange, local.begin(&meta));
                if let Err(status) = hub.submit(job) {
                    self.fail_here(hub, number, status);
                }
            }
            (Verb::Measure { .. }, Reply::Meta(meta), Some(body)) => {
                if let BodyLen::Known(len) = meta.len {
                    hub.transfers.receive_nothing(body, len);
                    hub.transfers.allow(body);
                }
            }
            (Verb::List { .. }, Reply::Listing, Some(body)) => hub.transfers.receive_memory(body),
            (_, reply, _) => {
                let result = task.answered(now, reply);
                self.conclude(hub, exchange, number, result, Status::Unsupported);
            }
        }
    }

    /// Ends a job that has told of its success, or tells of its failure.
    fn conclude(
        &mut self,
        hub: &mut Hub,
        exchange: ExchangeId,
        number: Number,
        result: Result<(), Failure>,
        status: Status,
    ) {
        match result {
            Ok(()) => {
                self.jobs.conclude(number, exchange);
            }
            Err(failure) => self.fail(hub, number, failure, status),
        }
    }

    /// Ends a job with a failure; `status` tells it to the server, if that was asked.
    fn fail(&mut self, hub: &mut Hub, number: Number, failure: Failure, status: Status) {
        let Some(task) = self.jobs.remove(number) else { return };
        if let Some(exchange) = task.exchange() {
            hub.fail(exchange, status, 0);
        }
        task.fail(failure);
    }

    /// The same for a failure of this side's files.
    fn fail_here(&mut self, hub: &mut Hub, number: Number, status: Status) {
        if let Some(task) = self.jobs.get(number) {
            let failure = task.local_failure(status);
            self.fail(hub, number, failure, status);
        }
    }

    fn cancel(&mut self, hub: &mut Hub, number: Number) {
        self.fail(hub, number, Failure::Cancelled, Status::Cancelled);
    }

    fn give_up_all(&mut self, hub: &mut Hub) {
        while let Some(number) = self.jobs.first() {
            self.cancel(hub, number);
        }
    }

    /// Begins a polite end: what is stored is to be heard of.
    fn linger(&mut self, hub: &mut Hub, now: Instant) {
        self.give_up_all(hub);
        if self.phase == Phase::Open {
            self.phase = Phase::linger(now);
        }
    }

    fn close(&mut self, hub: &mut Hub, now: Instant) {
        self.trace(hub);
        self.tracing.end(now);
        if let Some(mut session) = self.connection.and_then(|connection| hub.session(connection)) {
            if let Some(remembering) = &mut self.remembering {
                remembering.note(session.path_memory());
            }
            session.close(CloseCode::Done);
            self.phase = Phase::close(now);
        } else {
            self.phase = Phase::Over(CloseReason::Local);
        }
    }

    /// The connection is over, and not by our wish.
    pub(super) fn lose(&mut self, now: Instant, reason: CloseReason, refused: bool) {
        let silent = now.saturating_since(self.heard.last);
        let lost = Lost { remote: self.remote, reason, refused, silent };
        if self.phase == Phase::Open {
            // What a job tells has to be told by the client, too.
            self.fate.lose(lost);
        }
        for task in self.jobs.drain() {
            task.fail(Failure::Lost(lost));
        }
        self.confirming.clear();
        self.tracing.end(now);
        self.phase = Phase::Over(reason);
    }

    fn stats(&self, hub: &mut Hub) -> Option<Stats> {
        Some(hub.session(self.connection?)?.stats())
    }

    fn figures(&self, hub: &mut Hub, now: Instant) -> Option<Figures> {
        let report = hub.report(now, self.connection?)?;
        Some(Figures { report, phases: self.diary.phases(now) })
    }

    /// What the jobs are about at the moment.
    fn doing(&self, hub: &Hub) -> Doing {
        let doing = |task: &Task| {
            let Some(progress) = task.exchange().and_then(|exchange| hub.progress(exchange)) else {
                return Doing::Wait;
            };
            let is_put = matches!(task.verb, Verb::Put { .. });
            let is_there = is_put && task.meter.total() == Some(progress.done);
            if is_there || progress.unsynced.is_some() { Doing::Disk } else { Doing::Transfer }
        };
        self.jobs.iter().map(doing).max().unwrap_or_default()
    }

    fn update_meters(&self, hub: &Hub) {
        for task in self.jobs.iter() {
            if let Some(progress) = task.exchange().and_then(|exchange| hub.progress(exchange)) {
                let is_put = matches!(task.verb, Verb::Put { .. });
                task.meter.set(progress, is_put);
            }
        }
    }

    /// Goes on with the end when its time has come.
    fn advance(&mut self, hub: &mut Hub, now: Instant) {
        match self.phase {
            Phase::Lingering { until } if self.jobs.unheard() <= LAST_WORDS || until <= now => {
                self.close(hub, now);
            }
            Phase::Closing { until } if until <= now => {
                self.phase = Phase::Over(CloseReason::Local);
            }
            _ => {}
        }
    }
}

/// What is told of a stream that is to be stored.
fn meta_of_stream() -> Meta {
    let mode = Mode::from_bits(STREAM_MODE);
    Meta { len: BodyLen::Open, mode, modified: time_of_now(), identity: Identity::default() }
}
