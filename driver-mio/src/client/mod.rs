//! A client's connection, driven by a thread of its own.

mod command;
mod connect;
mod failure;
mod fate;
mod job;
mod jobs;
mod local;
mod metering;
mod phase;
mod phases;
mod pipe;
mod refusals;
mod remembering;
#[cfg(feature = "simulation")]
pub(crate) mod simulated;
mod task;
mod tracing;
mod tree;
mod verdict;
mod worker;

use std::{
    io::{Read, Write},
    net::SocketAddr,
    num::NonZeroU64,
    path::PathBuf,
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::channel,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use gannet_protocol::{
    self as protocol, CloseReason, CongestionKind, Destination, Entry, Hash, How, Invite, Mode,
    Name, PublicKey, Stat, Stats, TicketText,
};

use crate::{
    event_loop::EventLoop,
    qlog::TraceFiles,
    security::{ClientSecurity, Provider},
    transfer::{Sink, Stream},
    trust::TicketSecret,
};

use command::{Command, Line};
use connect::{Connected, Peer};
use job::{Bell, Number, Report};
use task::{Origin, Place, Task, Verb};
use tree::Spot;
use worker::Worker;

pub use failure::{ConnectError, Failure, Lost};
pub use job::{Job, Progress, Syncing};
pub use phases::Phases;
pub use task::Way;
pub use tree::{LocalEntry, LocalKind, Tree};
pub use verdict::{Limit, Verdict};

/// How to connect.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientOptions {
    /// Time after which a connect attempt fails. Default 10 s.
    pub connect_timeout: Duration,
    /// The congestion control.
    pub congestion: CongestionKind,
    /// Whether both sides yield to everything else on the path. Default false.
    pub background: bool,
    /// Most bits a second that either side sends, [`gannet_protocol::MIN_RATE`] at least. Default none.
    pub max_rate: Option<NonZeroU64>,
    /// How the connection is protected, and whom the client trusts.
    pub security: ClientSecurity,
    /// The cryptography of sealed connections.
    pub crypto: Provider,
    /// Where a trace of each connection's packets goes, if anywhere.
    pub trace: Option<TraceFiles>,
    /// Whether a file that is stored survives a power failure. Default true; without, it may be stored sooner.
    pub sync: bool,
    /// The file in which is kept what the paths to servers gave, so that the next connection begins near that
    /// ([`KnownPaths`](crate::trust::KnownPaths)). Default none: every connection begins from nothing.
    pub known_paths: Option<PathBuf>,
}

impl ClientOptions {
    /// With everything else as it usually is.
    #[must_use]
    pub fn new(security: ClientSecurity) -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            congestion: CongestionKind::default(),
            background: false,
            max_rate: None,
            security,
            crypto: Provider::default(),
            trace: None,
            sync: true,
            known_paths: None,
        }
    }
}

/// A connection to a server. Dropping it closes it politely and ends its thread.
///
/// Every command starts at once and runs beside the others; its [`Job`] tells how it goes.
#[derive(Debug)]
pub struct Client {
    line: Line,
    thread: Option<JoinHandle<()>>,
    peer: Option<Peer>,
    /// The number of the next job.
    next: AtomicU64,
    /// Rung when any job is over.
    bell: Bell,
}

/// A file that arrived.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transferred {
    /// Where it is stored: the server's name after a put; none after a get, or if it was unchanged.
    pub name: Option<Name>,
    /// Its length in bytes.
    pub len: u64,
    /// The BLAKE3 hash of its content; none if it was unchanged, and so not read, or has holes, which neither side
    /// read. If content is compared ([`How::check`]) it is told in both cases, but for holes of more than 256 GiB, and those of
    /// a file that was put and is unchanged.
    pub hash: Option<Hash>,
    /// Bytes of it that were there before, and did not travel.
    pub kept: u64,
    /// Bytes of it that lie in holes of the file that was sent: they were not there before, and did not travel either.
    pub holes: u64,
    /// Whether it was there before: of this length and time, as far as was asked.
    pub unchanged: bool,
    /// Time from the request to its being stored.
    pub elapsed: Duration,
}

/// How a connection does at this end.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Figures {
    /// What the server tells of its own end, too.
    pub report: protocol::Report,
    /// What this side's time went by.
    pub phases: Phases,
}

impl Transferred {
    /// Bytes of it that travelled, each counted once.
    #[must_use]
    pub const fn travelled(&self) -> u64 {
        self.len.saturating_sub(self.kept).saturating_sub(self.holes)
    }
}

impl Client {
    /// Connects to the first address of `host` that answers. They are tried one after the other: the next one as soon as
    /// the host says that nothing listens at this one, or after 3 s.
    ///
    /// # Errors
    /// [`ConnectError`]
    pub fn connect(host: &str, port: u16, options: &ClientOptions) -> Result<Self, ConnectError> {
        Self::over(connect::connect(host, port, options)?)
    }

    /// The same with addresses that are known.
    ///
    /// # Errors
    /// [`ConnectError`]
    pub fn connect_to_any(
        addresses: &[SocketAddr],
        options: &ClientOptions,
    ) -> Result<Self, ConnectError> {
        Self::over(connect::first_of(addresses, options, Instant::now())?)
    }

    fn over(connected: Connected) -> Result<Self, ConnectError> {
        let Connected { event_loop, line, peer } = connected;
        let thread = thread::Builder::new()
            .name("gannet-client".into())
            .spawn(move || drive(*event_loop))
            .map_err(ConnectError::Socket)?;
        let (next, bell) = (AtomicU64::new(0), Bell::default());
        Ok(Self { line, thread: Some(thread), peer, next, bell })
    }

    /// The server's address.
    #[must_use]
    pub fn remote(&self) -> SocketAddr {
        self.line.remote()
    }

    /// The key that the server has proved to hold; none on a plain connection.
    #[must_use]
    pub fn server_key(&self) -> Option<PublicKey> {
        self.peer.as_ref().map(|peer| peer.key)
    }

    /// Waits for the server's first word after the handshake: from then on it is sure that the server lets this client in.
    /// There is no need for that before a command, which would fail with the same reason.
    ///
    /// # Errors
    /// It does not, or the connection was lost in another way.
    pub fn confirm(&self) -> Result<(), Lost> {
        let (tell, answer) = channel();
        self.line.send(Command::Confirm(tell));
        answer.recv().map_err(|_| self.line.lost())
    }

    /// Fetches the file `from` and puts it in place as `to` once it is whole and verified. What is there already is not fetched:
    /// all of it if length and time are the same, what an earlier try left, and groups that did not change.
    #[must_use]
    pub fn get(&self, from: Name, to: PathBuf) -> Job<Transferred> {
        self.get_as(from, to, How::default())
    }

    /// The same, and says what of that which is there counts.
    #[must_use]
    pub fn get_as(&self, from: Name, to: PathBuf, how: How) -> Job<Transferred> {
        self.start(|report| Verb::Get { from, to: Place::File(Spot::At(to)), how, report })
    }

    /// The same into a held directory or below it, at `to`, whose directory is there.
    #[must_use]
    pub fn get_into(&self, from: Name, tree: &Tree, to: Name, how: How) -> Job<Transferred> {
        let to = Place::File(Spot::In(tree.clone(), to));
        self.start(|report| Verb::Get { from, to, how, report })
    }

    /// Stores the local file `from` at the server, unless it is there already, or as far as it is not.
    #[must_use]
    pub fn put(&self, from: PathBuf, to: Destination) -> Job<Transferred> {
        self.put_as(from, to, How::default())
    }

    /// The same, and says what of that which is there counts.
    #[must_use]
    pub fn put_as(&self, from: PathBuf, to: Destination, how: How) -> Job<Transferred> {
        // Several components would break the protocol.
        let to = Destination { leaf: to.leaf.leaf(), ..to };
        self.start(|report| Verb::Put { from: Origin::File(Spot::At(from)), to, how, report })
    }

    /// The same for the file `from` in a held directory or below it.
    #[must_use]
    pub fn put_from(&self, tree: &Tree, from: Name, to: Destination, how: How) -> Job<Transferred> {
        let to = Destination { leaf: to.leaf.leaf(), ..to };
        let from = Origin::File(Spot::In(tree.clone(), from));
        self.start(|report| Verb::Put { from, to, how, report })
    }

    /// Fetches the file `from` and writes it to `to` in order, each part once it is verified; with
    /// [`Failure::Unwanted`] it ends when `to` says that its pipe is broken. What was written before a failure was right.
    ///
    /// A file over 1 TiB fails with [`Status::TooLarge`](gannet_protocol::Status::TooLarge): its parts are too large to be
    /// held in memory. `to` belongs to a thread of its own, which ends when a write that is under way does. If nothing is
    /// taken for two minutes the server may give it up.
    #[must_use]
    pub fn get_stream(&self, from: Name, to: impl Write + Send + 'static) -> Job<Transferred> {
        let (sink, closer) = pipe::writing(to);
        let to = Place::Pipe { sink: Some(Sink::new(sink)), _closer: closer };
        self.start(|report| Verb::Get { from, to, how: How::default(), report })
    }

    /// Stores what can be read from `from`, to its end, at the server. Neither side needs to know how long it is, but a
    /// server that bounds what this client may store refuses it.
    ///
    /// `from` belongs to a thread of its own, which ends when a read that is under way does.
    #[must_use]
    pub fn put_stream(
        &self,
        from: impl Read + Send + 'static,
        to: Destination,
    ) -> Job<Transferred> {
        self.put_stream_as(from, to, How::default())
    }

    /// The same, and says what of that which is there counts.
    #[must_use]
    pub fn put_stream_as(
        &self,
        from: impl Read + Send + 'static,
        to: Destination,
        how: How,
    ) -> Job<Transferred> {
        let to = Destination { leaf: to.leaf.leaf(), ..to };
        let (stream, closer) = pipe::reading(from);
        let from = Origin::Pipe { stream: Some(Stream::of_others(stream)), _closer: closer };
        self.start(|report| Verb::Put { from, to, how, report })
    }

    /// Tells what is in the directory `dir`, or in the root; unsorted.
    #[must_use]
    pub fn list(&self, dir: Option<Name>) -> Job<Vec<Entry>> {
        self.start(|report| Verb::List { dir, report })
    }

    /// Gives a file another name, which must be free.
    #[must_use]
    pub fn rename(&self, from: Name, to: Name) -> Job<()> {
        self.start(|report| Verb::Rename { from, to, report })
    }

    /// Tells what a name of the server is.
    #[must_use]
    pub fn stat(&self, name: Name) -> Job<Stat> {
        self.start(|report| Verb::Stat { name, report })
    }

    /// Removes a file, an empty directory, or a symbolic link itself.
    #[must_use]
    pub fn remove(&self, name: Name) -> Job<()> {
        self.start(|report| Verb::Remove { name, report })
    }

    /// Makes a directory, in one that is there.
    #[must_use]
    pub fn make_directory(&self, name: Name) -> Job<()> {
        self.start(|report| Verb::MakeDirectory { name, mode: None, report })
    }

    /// The same with permission bits, less those that the server's umask takes away, and with those by which its owner can use it.
    #[must_use]
    pub fn make_directory_as(&self, name: Name, mode: Mode) -> Job<()> {
        self.start(|report| Verb::MakeDirectory { name, mode: Some(mode), report })
    }

    /// Stops the server. Without `force` it fails with [`Status::Busy`](gannet_protocol::Status::Busy), and the number of
    /// others' transfers as its detail, while such run.
    #[must_use]
    pub fn exit(&self, force: bool) -> Job<()> {
        self.start(|report| Verb::Exit { force, report })
    }

    /// Has the server make a ticket.
    #[must_use]
    pub fn invite(&self, invite: Invite) -> Job<TicketText> {
        self.start(|report| Verb::Invite { invite, report })
    }

    /// Proves to have a ticket: the server lets this client's key in from then on. On a plain connection there is no key, and
    /// it fails with [`Status::Unsupported`](gannet_protocol::Status::Unsupported).
    #[must_use]
    pub fn join(&self, secret: &TicketSecret) -> Job<()> {
        let proof =
            self.peer.as_ref().map(|peer| *secret.prove(&peer.transcript, &peer.own).as_bytes());
        self.start(|report| Verb::Join { proof, report })
    }

    /// Waits until any of the client's jobs is over, or one was since the last such wait, or the time is up. It is for one thread,
    /// which then looks at its jobs.
    pub fn wait_for_any(&self, timeout: Duration) {
        self.bell.wait(timeout);
    }

    /// Why the connection is over, if it is.
    #[must_use]
    pub fn lost(&self) -> Option<Lost> {
        self.line.fate()
    }

    /// Time since the server was last heard. While something is moved it is heard all the time; while nothing is, every few seconds.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.line.silence()
    }

    /// Figures of the connection, while it lives.
    #[must_use]
    pub fn stats(&self) -> Option<Stats> {
        let (tell, answer) = channel();
        self.line.send(Command::Stats(tell));
        answer.recv().ok()
    }

    /// Moves `len` bytes that mean nothing, and are neither read from a disk nor stored, at most
    /// [`MAX_MEASURED`](gannet_protocol::MAX_MEASURED). [`Job::progress`] tells how fast they go; who knows enough cancels it.
    #[must_use]
    pub fn measure(&self, way: Way, len: u64) -> Job<()> {
        self.start(|report| Verb::Measure { way, len, report })
    }

    /// How the connection does at the server's end.
    #[must_use]
    pub fn report(&self) -> Job<protocol::Report> {
        self.start(|report| Verb::Report { report })
    }

    /// How it does at this end, while it lives.
    #[must_use]
    pub fn figures(&self) -> Option<Figures> {
        let (tell, answer) = channel();
        self.line.send(Command::Figures(tell));
        answer.recv().ok()
    }

    /// Ends all at once, as ctrl+c wants it: of partial files is left what can be gone on with, and the server is told. Returns when that is done.
    pub fn abort(mut self) {
        self.end(Command::Abort);
    }

    fn start<T>(&self, verb: impl FnOnce(Report<T>) -> Verb) -> Job<T> {
        let number = Number(self.next.fetch_add(1, Ordering::Relaxed));
        let (job, report, meter) = Job::new(number, self.line.clone(), self.bell.clone());
        self.line.send(Command::Start(number, Box::new(Task::new(verb(report), meter))));
        job
    }

    fn end(&mut self, command: Command) {
        self.line.send(command);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the thread of a connection to {} panicked", self.remote());
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.end(Command::Close);
    }
}

fn drive(mut event_loop: EventLoop<Worker>) {
    while !event_loop.role().is_over() {
        if let Err(error) = event_loop.turn() {
            log::error!("the system can wait for nothing any more: {error}");
            let now = event_loop.now();
            event_loop.role().lose(now, CloseReason::Local, false);
        }
    }
    event_loop.role().remember();
}
