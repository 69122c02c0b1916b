//! A host that asks.

use std::net::SocketAddr;

use gannet_protocol::{
    CloseCode, CloseReason, ConnectionHandle, Destination, Entry, ExchangeId, Expected, FileTime,
    Get, Identity, Instant, Misuse, Name, Opened, PathMemory, Put, Request, Stat, Status, Stored,
    crypto::PublicKey,
};

use super::{Exchange, Host};
use crate::{
    content::Content,
    directory::File,
    incoming::{Partial, Received},
    outgoing::{Outgoing, SourceFault},
};

/// Something that a client wants.
#[derive(Clone, Debug)]
pub enum Job {
    /// This file.
    Get(Name),
    /// To store this content there.
    Put(Destination, Content, SourceFault),
    /// What is in this directory.
    List(Option<Name>),
    /// To give a file another name.
    Rename(Name, Name),
    /// To know what this is.
    Stat(Name),
    /// To remove a file or an empty directory.
    Remove(Name),
    /// To make a directory.
    MakeDirectory(Name),
    /// The server to stop.
    Exit,
}

impl Job {
    /// To store `content` as `name`.
    #[must_use]
    pub fn put(name: &Name, content: Content) -> Self {
        Self::faulty_put(name, content, SourceFault::None)
    }

    /// To store, from a source with a fault.
    #[must_use]
    pub fn faulty_put(name: &Name, content: Content, fault: SourceFault) -> Self {
        let to = Destination { path: Some(name.clone()), leaf: name.leaf(), into_directory: false };
        Self::Put(to, content, fault)
    }
}

/// Which job of a client, in the order in which it was given them.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct JobId(usize);

/// What a job came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The file is here.
    Got(Received),
    /// These are in the directory, or the listing was malformed.
    Listed(Option<Vec<Entry>>),
    /// It is stored.
    Stored(Stored),
    /// It is this.
    Stat(Stat),
    /// It is done.
    Done,
    /// What was asked for or offered is there already.
    Unchanged,
    /// It was refused or given up, by either side.
    Failed {
        /// Why.
        status: Status,
        /// What belongs to it.
        detail: u64,
    },
    /// The connection was lost.
    Lost(CloseReason),
}

impl Outcome {
    pub(super) fn listed(received: &Received) -> Self {
        let bytes = received.bytes.as_ref().expect("listings of tests are kept whole");
        Self::Listed(Entry::decode_all(bytes).collect::<Result<_, _>>().ok())
    }
}

impl Host {
    /// Connects to a server. Its jobs go there from now on.
    pub fn connect(&mut self, now: Instant, server: SocketAddr) -> ConnectionHandle {
        let connection = self.endpoint.connect(now, server);
        self.connection = Some(connection);
        connection
    }

    /// The same, to a server that has to prove its key.
    pub fn connect_to(
        &mut self,
        now: Instant,
        server: SocketAddr,
        key: PublicKey,
    ) -> ConnectionHandle {
        let connection = self.endpoint.connect_to(now, server, Expected::just(key));
        self.connection = Some(connection);
        connection
    }

    /// The same, over a path that is known from before.
    pub fn connect_again(
        &mut self,
        now: Instant,
        server: SocketAddr,
        memory: PathMemory,
    ) -> ConnectionHandle {
        let connection = self.endpoint.connect_again(now, server, Expected::default(), memory);
        self.connection = Some(connection);
        connection
    }

    /// What the path of its connection gave so far.
    pub fn path_memory(&mut self) -> Option<PathMemory> {
        self.endpoint.session(self.connection?)?.path_memory()
    }

    /// Its connection, as a client.
    ///
    /// # Panics
    /// If it never connected.
    #[must_use]
    pub fn connection(&self) -> ConnectionHandle {
        self.connection.expect("it connected")
    }

    /// Closes its connection.
    pub fn disconnect(&mut self) {
        if let Some(mut session) = self.connection.and_then(|c| self.endpoint.session(c)) {
            session.close(CloseCode::Done);
        }
    }

    /// Begins a job, or keeps it until the server allows another exchange.
    pub fn start(&mut self, job: Job) -> JobId {
        let id = JobId(self.outcomes.len());
        self.outcomes.push(None);
        self.waiting.push_back((id, job));
        self.start_waiting();
        id
    }

    /// What a job came to, once it did.
    #[must_use]
    pub fn outcome(&self, job: JobId) -> Option<&Outcome> {
        self.outcomes[job.0].as_ref()
    }

    /// The exchange of a job, once it began.
    #[must_use]
    pub fn exchange(&self, job: JobId) -> Option<ExchangeId> {
        self.begun.get(&job).copied()
    }

    /// Whether all its jobs came to something.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.outcomes.iter().all(Option::is_some)
    }

    /// Gives a job up.
    pub fn cancel(&mut self, job: JobId) {
        let mut running = self.exchanges.iter();
        if let Some((exchange, _)) = running.find(|(_, entry)| entry.job == Some(job)) {
            self.fail(*exchange, Status::Cancelled);
        }
        let waiting = self.waiting.len();
        self.waiting.retain(|(id, _)| *id != job);
        if self.waiting.len() < waiting {
            self.set_outcome(job, Outcome::Failed { status: Status::Cancelled, detail: 0 });
        }
    }

    /// Begins jobs that wait, as far as the server allows; how many.
    pub(super) fn start_waiting(&mut self) -> usize {
        let mut count = 0;
        while let Some((id, job)) = self.waiting.pop_front() {
            if !self.begin(id, &job) {
                self.waiting.push_front((id, job));
                break;
            }
            count += 1;
        }
        count
    }

    /// Begins a job. False: not now.
    fn begin(&mut self, id: JobId, job: &Job) -> bool {
        let (request, source) = self.request(id, job);
        let Some(mut session) = self.connection.and_then(|c| self.endpoint.session(c)) else {
            return false;
        };
        let Opened { exchange, body } = match session.request(request) {
            Ok(opened) => opened,
            Err(Misuse::NoCredit | Misuse::Closing) => return false,
            Err(misuse) => panic!("a fitting request is refused: {misuse}"),
        };
        assert_eq!(body.is_some(), source.is_some(), "a put has a body");
        if let (Some(body), Some((file, fault))) = (body, source) {
            self.sending.insert(body, Outgoing::new(exchange, file, fault));
        }
        let store_as = match job {
            Job::Get(name) => Some(name.clone()),
            _ => None,
        };
        let entry = Exchange { job: Some(id), store_as, sending: body, ..Exchange::default() };
        let known = self.exchanges.insert(exchange, entry);
        assert!(known.is_none(), "an exchange's number is used twice");
        self.begun.insert(id, exchange);
        // Holes are said before anything is read.
        self.say_notes();
        true
    }

    pub(super) fn lose_waiting(&mut self, reason: CloseReason) {
        for (id, _) in std::mem::take(&mut self.waiting) {
            self.set_outcome(id, Outcome::Lost(reason));
        }
    }

    pub(super) fn set_outcome(&mut self, job: JobId, outcome: Outcome) {
        let before = self.outcomes[job.0].replace(outcome);
        assert_eq!(before, None, "a job ends once");
    }

    /// What to ask for a job, and what to send with it.
    fn request(&self, id: JobId, job: &Job) -> (Request, Option<(File, SourceFault)>) {
        let request = match job {
            Job::Get(name) => Request::Get(Get {
                name: name.clone(),
                unless: self.versions.get(name).copied(),
                have: self.partials.get(name).map(Partial::have),
            }),
            Job::List(directory) => Request::List(directory.clone()),
            Job::Rename(from, to) => Request::Rename { from: from.clone(), to: to.clone() },
            Job::Stat(name) => Request::Stat(name.clone()),
            Job::Remove(name) => Request::Remove(name.clone()),
            Job::MakeDirectory(name) => Request::Mkdir { name: name.clone(), mode: None },
            Job::Exit => Request::Exit { force: false },
            Job::Put(to, content, fault) => {
                let state = self.put_state.unwrap_or(self.states + id.0 as u64);
                let identity = put_identity(state);
                let modified = FileTime::new(i64::try_from(state).expect("few states"), 2);
                let file = File { content: content.clone(), identity, modified };
                let put = Put { to: to.clone(), meta: Outgoing::meta(&file), how: self.how };
                return (Request::Put(put), Some((file, *fault)));
            }
        };
        (request, None)
    }
}

/// What a client calls a state of its files.
#[must_use]
pub fn put_identity(state: u64) -> Identity {
    Identity(u128::from(state).to_be_bytes())
}
