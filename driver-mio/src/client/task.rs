//! A job as the thread that drives the connection sees it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use gannet_protocol::{
    Destination, Entry, ExchangeId, Get, Hash, How, Instant, Invite, Meta, Name, Put, Reply,
    Request, Stat, Status, Stored, TicketText,
};

use crate::{
    files::SourceFile,
    transfer::{Sink, Stream},
};

use super::{
    Failure, Transferred,
    job::{Meter, Report},
    pipe::Closer,
};

/// A job as the thread that drives the connection sees it.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) verb: Verb,
    pub(super) stage: Stage,
    pub(super) meter: Arc<Meter>,
    /// When it was asked for at the server, or at first here.
    pub(super) since: Instant,
}

/// What is wanted, and whom to tell.
#[derive(Debug)]
pub(super) enum Verb {
    Get {
        from: Name,
        to: Place,
        report: Report<Transferred>,
    },
    Put {
        from: Origin,
        to: Destination,
        report: Report<Transferred>,
    },
    List {
        dir: Option<Name>,
        report: Report<Vec<Entry>>,
    },
    Rename {
        from: Name,
        to: Name,
        report: Report<()>,
    },
    Stat {
        name: Name,
        report: Report<Stat>,
    },
    Remove {
        name: Name,
        report: Report<()>,
    },
    MakeDirectory {
        name: Name,
        report: Report<()>,
    },
    Exit {
        force: bool,
        report: Report<()>,
    },
    Invite {
        invite: Invite,
        report: Report<TicketText>,
    },
    /// Without a proof where there is no key to prove it for.
    Join {
        proof: Option<[u8; 32]>,
        report: Report<()>,
    },
}

/// Where what is fetched goes.
#[derive(Debug)]
pub(super) enum Place {
    File(PathBuf),
    /// Without a sink once it is being written to; to let go of it frees who waits there.
    Pipe {
        sink: Option<Sink>,
        _closer: Closer,
    },
}

/// Where what is stored comes from.
#[derive(Debug)]
pub(super) enum Origin {
    File(PathBuf),
    /// Without a stream once it is being read, or is about to be; to let go of it frees who waits there.
    Pipe {
        stream: Option<Stream>,
        _closer: Closer,
    },
}

/// A source that is open.
#[derive(Debug)]
pub(super) enum Source {
    File(SourceFile),
    Stream(Stream, Meta),
}

impl Place {
    /// What stands for it in messages.
    fn path(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Pipe { .. } => "-".into(),
        }
    }
}

impl Origin {
    fn path(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Pipe { .. } => "-".into(),
        }
    }
}

impl Source {
    pub(super) fn meta(&self) -> Meta {
        match self {
            Self::File(file) => file.meta(),
            Self::Stream(_, meta) => *meta,
        }
    }
}

/// How far it is.
#[derive(Debug)]
pub(super) enum Stage {
    /// It waits for its turn.
    Queued,
    /// A disk's thread opens the file to send.
    Opening,
    /// The file to send is open; the server has to allow the request.
    Opened(Source),
    /// The server was asked. The hash is that of a file that was sent, once it was read.
    Asked { exchange: ExchangeId, hash: Option<Hash> },
}

impl Task {
    pub(super) fn new(verb: Verb, meter: Arc<Meter>) -> Self {
        Self { verb, stage: Stage::Queued, meter, since: Instant::ZERO }
    }

    /// What to ask the server; a put's file is open then.
    pub(super) fn request(&self, meta: Option<Meta>) -> Option<Request> {
        Some(match &self.verb {
            Verb::Get { from, .. } => Request::Get(Get::all(from.clone())),
            Verb::Put { to, .. } => {
                Request::Put(Put { to: to.clone(), meta: meta?, how: How::default() })
            }
            Verb::List { dir, .. } => Request::List(dir.clone()),
            Verb::Rename { from, to, .. } => Request::Rename { from: from.clone(), to: to.clone() },
            Verb::Stat { name, .. } => Request::Stat(name.clone()),
            Verb::Remove { name, .. } => Request::Remove(name.clone()),
            Verb::MakeDirectory { name, .. } => Request::Mkdir(name.clone()),
            Verb::Exit { force, .. } => Request::Exit { force: *force },
            Verb::Invite { invite, .. } => Request::Invite(invite.clone()),
            Verb::Join { proof, .. } => Request::Join { proof: (*proof)? },
        })
    }

    /// Its exchange, once the server was asked.
    pub(super) fn exchange(&self) -> Option<ExchangeId> {
        match self.stage {
            Stage::Asked { exchange, .. } => Some(exchange),
            _ => None,
        }
    }

    /// Tells that a file was fetched.
    pub(super) fn fetched(&self, now: Instant, len: u64, hash: Hash) {
        self.transferred(now, None, len, hash);
    }

    /// Takes the answer that ends it without a body.
    ///
    /// # Errors
    /// The server says something else than was asked.
    pub(super) fn answered(&self, now: Instant, reply: Reply) -> Result<(), Failure> {
        match (&self.verb, reply) {
            (Verb::Put { .. }, Reply::Stored(Stored { name, len, hash, .. })) => match self.stage {
                Stage::Asked { hash: Some(sent), .. } if Some(sent) == hash => {
                    self.transferred(now, Some(name), len, sent);
                    Ok(())
                }
                _ => Err(Failure::Unverified),
            },
            (
                Verb::Rename { report, .. }
                | Verb::Remove { report, .. }
                | Verb::MakeDirectory { report, .. }
                | Verb::Exit { report, .. }
                | Verb::Join { report, .. },
                Reply::Done,
            ) => {
                tell(report, Ok(()));
                Ok(())
            }
            (Verb::Stat { report, .. }, Reply::Stat(stat)) => {
                tell(report, Ok(stat));
                Ok(())
            }
            (Verb::Invite { report, .. }, Reply::Ticket(ticket)) => {
                tell(report, Ok(ticket));
                Ok(())
            }
            _ => Err(Failure::Remote { status: Status::Unsupported, detail: 0 }),
        }
    }

    fn transferred(&self, now: Instant, name: Option<Name>, len: u64, hash: Hash) {
        self.meter.set_total(len);
        self.meter.set_done(len);
        let elapsed: Duration = now.saturating_since(self.since);
        if let Verb::Get { report, .. } | Verb::Put { report, .. } = &self.verb {
            tell(report, Ok(Transferred { name, len, hash, elapsed }));
        }
    }

    /// Takes a listing that arrived.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn listed(&self, bytes: &[u8]) -> Result<(), Failure> {
        let Verb::List { report, .. } = &self.verb else { return Err(Failure::Unverified) };
        let entries: Result<Vec<_>, _> = Entry::decode_all(bytes).collect();
        tell(report, Ok(entries.map_err(|_| Failure::Unverified)?));
        Ok(())
    }

    /// Tells that it failed.
    pub(super) fn fail(&self, failure: Failure) {
        match &self.verb {
            Verb::Get { report, .. } | Verb::Put { report, .. } => tell(report, Err(failure)),
            Verb::List { report, .. } => tell(report, Err(failure)),
            Verb::Stat { report, .. } => tell(report, Err(failure)),
            Verb::Rename { report, .. }
            | Verb::Remove { report, .. }
            | Verb::MakeDirectory { report, .. }
            | Verb::Exit { report, .. }
            | Verb::Join { report, .. } => tell(report, Err(failure)),
            Verb::Invite { report, .. } => tell(report, Err(failure)),
        }
    }

    /// What it means that the server gave it up.
    pub(super) fn remote_failure(&self, status: Status, detail: u64) -> Failure {
        match (&self.verb, status) {
            (Verb::Put { .. }, Status::Corrupt) => Failure::Unverified,
            // What changed lies on this side.
            (Verb::Put { from, .. }, Status::Changed) => {
                Failure::Local { path: from.path(), status }
            }
            _ => Failure::Remote { status, detail },
        }
    }

    /// What it means that its body could not be read or written here.
    pub(super) fn local_failure(&self, status: Status) -> Failure {
        match (&self.verb, status) {
            (Verb::Get { .. } | Verb::List { .. }, Status::Corrupt) => Failure::Unverified,
            (Verb::Get { to: Place::Pipe { .. }, .. }, Status::Cancelled) => Failure::Unwanted,
            // What changed lies on the other side.
            (Verb::Get { to, .. }, status) if status != Status::Changed => {
                Failure::Local { path: to.path(), status }
            }
            (Verb::Put { from, .. }, status) => Failure::Local { path: from.path(), status },
            _ => Failure::Remote { status, detail: 0 },
        }
    }
}

/// Whoever asked may not listen any more.
fn tell<T>(report: &Report<T>, result: Result<T, Failure>) {
    let _ = report.send(result);
}
