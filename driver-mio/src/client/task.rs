//! A job as the thread that drives the connection sees it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use gannet_protocol::{
    self as protocol, BodyLen, Destination, Entry, ExchangeId, FileTime, Get, Hash, How, Identity,
    Instant, Invite, Meta, Mode, Name, Put, Reply, Request, Stat, Status, Stored, TicketText,
};

use crate::{
    files::SourceFile,
    transfer::{Progress, Received, Sink, Stream},
};

use super::{
    Failure, Transferred,
    job::{Meter, Report},
    local::Local,
    pipe::Closer,
    tree::Spot,
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
        how: How,
        report: Report<Transferred>,
    },
    Put {
        from: Origin,
        to: Destination,
        how: How,
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
        mode: Option<Mode>,
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
    Report {
        report: Report<protocol::Report>,
    },
    /// To measure the path, with so many bytes that mean nothing.
    Measure {
        way: Way,
        len: u64,
        report: Report<()>,
    },
    /// Without a proof where there is no key to prove it for.
    Join {
        proof: Option<[u8; 32]>,
        report: Report<()>,
    },
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// To the server.
    Up,
    /// From the server.
    Down,
}

/// Where what is fetched goes.
#[derive(Debug)]
pub(super) enum Place {
    File(Spot),
    /// Without a sink once it is being written to; to let go of it frees who waits there.
    Pipe {
        sink: Option<Sink>,
        _closer: Closer,
    },
}

/// Where what is stored comes from.
#[derive(Debug)]
pub(super) enum Origin {
    File(Spot),
    /// Without a stream once it is being read, or is about to be; to let go of it frees who waits there.
    Pipe {
        stream: Option<Stream>,
        _closer: Closer,
    },
}

impl Place {
    /// What stands for it in messages.
    fn path(&self) -> PathBuf {
        match self {
            Self::File(spot) => spot.path(),
            Self::Pipe { .. } => "-".into(),
        }
    }
}

impl Origin {
    fn path(&self) -> PathBuf {
        match self {
            Self::File(spot) => spot.path(),
            Self::Pipe { .. } => "-".into(),
        }
    }
}

/// How far it is.
#[derive(Debug)]
pub(super) enum Stage {
    /// It waits for its turn.
    Queued,
    /// A disk's thread opens the file to send, or looks at what is here of the one to fetch.
    Opening,
    /// That is done; the server has to allow the request.
    Opened(Opened),
    /// The server was asked.
    Asked {
        exchange: ExchangeId,
        /// That of a file that was sent, once all of it was read.
        hash: Option<Hash>,
        /// Bytes of a file that is sent that lie in holes.
        holes: u64,
        local: Option<Box<Local>>,
    },
}

/// What a transfer works with on this side.
#[derive(Debug)]
pub(super) enum Opened {
    /// What is sent.
    Source(SourceFile),
    /// What is sent as it comes.
    Stream(Stream, Meta),
    /// Where to store it, and what is there.
    Local(Box<Local>),
}

impl Task {
    pub(super) fn new(verb: Verb, meter: Arc<Meter>) -> Self {
        Self { verb, stage: Stage::Queued, meter, since: Instant::ZERO }
    }

    /// What to ask the server; a transfer's files are open then.
    pub(super) fn request(&self, opened: Option<&Opened>) -> Option<Request> {
        Some(match &self.verb {
            Verb::Get { from, to: Place::Pipe { .. }, .. } => Request::Get(Get::all(from.clone())),
            Verb::Get { from, .. } => {
                let Some(Opened::Local(local)) = opened else { return None };
                let (unless, have) = (local.unless(), local.have());
                Request::Get(Get { name: from.clone(), unless, have })
            }
            Verb::Put { to, how, .. } => {
                let meta = match opened? {
                    Opened::Source(source) => source.meta(),
                    Opened::Stream(_, meta) => *meta,
                    Opened::Local(_) => return None,
                };
                Request::Put(Put { to: to.clone(), meta, how: *how })
            }
            Verb::List { dir, .. } => Request::List(dir.clone()),
            Verb::Rename { from, to, .. } => Request::Rename { from: from.clone(), to: to.clone() },
            Verb::Stat { name, .. } => Request::Stat(name.clone()),
            Verb::Remove { name, .. } => Request::Remove(name.clone()),
            Verb::MakeDirectory { name, mode, .. } => {
                Request::Mkdir { name: name.clone(), mode: *mode }
            }
            Verb::Exit { force, .. } => Request::Exit { force: *force },
            Verb::Invite { invite, .. } => Request::Invite(invite.clone()),
            Verb::Report { .. } => Request::Report,
            Verb::Measure { way: Way::Down, len, .. } => Request::Zeros { len: *len },
            Verb::Measure { way: Way::Up, len, .. } => Request::Put(put_of_nothing(*len)?),
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

    /// Takes out where a file is to be stored.
    pub(super) fn take_local(&mut self) -> Option<Box<Local>> {
        match &mut self.stage {
            Stage::Asked { local, .. } => local.take(),
            _ => None,
        }
    }

    /// Tells that a file was fetched.
    pub(super) fn fetched(&self, now: Instant, received: Received) {
        self.transferred(now, None, received);
    }

    /// Takes the answer that ends it without a body.
    ///
    /// # Errors
    /// The server says something else than was asked.
    pub(super) fn answered(&self, now: Instant, reply: Reply) -> Result<(), Failure> {
        match (&self.verb, reply) {
            (Verb::Put { .. }, Reply::Stored(Stored { name, len, hash, kept })) => {
                // Without all of it being read there is nothing to compare: each group was.
                let same = match (&self.stage, hash) {
                    (Stage::Asked { hash: Some(sent), .. }, Some(hash)) => *sent == hash,
                    (Stage::Asked { hash: None, holes, .. }, Some(_)) => kept > 0 || *holes > 0,
                    // There are holes that neither hashed.
                    (Stage::Asked { hash: None, .. }, None) => true,
                    _ => false,
                };
                if !same {
                    return Err(Failure::Unverified);
                }
                let holes = match self.stage {
                    // As far as the server did not have their zeros.
                    Stage::Asked { holes, .. } => holes.min(len.saturating_sub(kept)),
                    _ => 0,
                };
                let received = Received { len, hash, kept, holes, unchanged: false };
                self.transferred(now, Some(name), received);
                Ok(())
            }
            (Verb::Put { how, .. }, Reply::Unchanged) if !how.fresh => {
                let hash = match self.stage {
                    // It is that of what is there only if the server has compared it.
                    Stage::Asked { hash, .. } if how.check => hash,
                    _ => None,
                };
                self.unchanged(now, self.meter.total().unwrap_or(0), hash);
                Ok(())
            }
            (Verb::Get { .. }, Reply::Unchanged) => {
                let Stage::Asked { local: Some(local), .. } = &self.stage else {
                    return Err(Failure::Unverified);
                };
                let len = local.unless().ok_or(Failure::Unverified)?.len;
                local.discard();
                self.unchanged(now, len, None);
                Ok(())
            }
            (
                Verb::Rename { report, .. }
                | Verb::Remove { report, .. }
                | Verb::MakeDirectory { report, .. }
                | Verb::Exit { report, .. }
                | Verb::Join { report, .. },
                Reply::Done,
            )
            | (Verb::Measure { way: Way::Up, report, .. }, Reply::Stored(_)) => {
                report.tell(Ok(()));
                Ok(())
            }
            (Verb::Stat { report, .. }, Reply::Stat(stat)) => {
                report.tell(Ok(stat));
                Ok(())
            }
            (Verb::Report { report }, Reply::Report(told)) => {
                report.tell(Ok(*told));
                Ok(())
            }
            (Verb::Invite { report, .. }, Reply::Ticket(ticket)) => {
                report.tell(Ok(ticket));
                Ok(())
            }
            _ => Err(Failure::Remote { status: Status::Unsupported, detail: 0 }),
        }
    }

    /// Tells that a file was there already.
    fn unchanged(&self, now: Instant, len: u64, hash: Option<Hash>) {
        let received = Received { len, hash, kept: len, holes: 0, unchanged: true };
        self.transferred(now, None, received);
    }

    fn transferred(&self, now: Instant, name: Option<Name>, received: Received) {
        let Received { len, hash, kept, holes, unchanged } = received;
        self.meter.set_total(len);
        let travelled = len.saturating_sub(kept).saturating_sub(holes);
        self.meter.set(Progress { done: len, travelled, unsynced: None }, false);
        let elapsed: Duration = now.saturating_since(self.since);
        if let Verb::Get { report, .. } | Verb::Put { report, .. } = &self.verb {
            report.tell(Ok(Transferred { name, len, hash, kept, holes, unchanged, elapsed }));
        }
        if let Verb::Measure { report, .. } = &self.verb {
            report.tell(Ok(()));
        }
    }

    /// Takes a listing that arrived.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn listed(&self, bytes: &[u8]) -> Result<(), Failure> {
        let Verb::List { report, .. } = &self.verb else { return Err(Failure::Unverified) };
        let entries: Result<Vec<_>, _> = Entry::decode_all(bytes).collect();
        report.tell(Ok(entries.map_err(|_| Failure::Unverified)?));
        Ok(())
    }

    /// Tells that it failed.
    pub(super) fn fail(&self, failure: Failure) {
        match &self.verb {
            Verb::Get { report, .. } | Verb::Put { report, .. } => report.tell(Err(failure)),
            Verb::List { report, .. } => report.tell(Err(failure)),
            Verb::Stat { report, .. } => report.tell(Err(failure)),
            Verb::Rename { report, .. }
            | Verb::Remove { report, .. }
            | Verb::MakeDirectory { report, .. }
            | Verb::Exit { report, .. }
            | Verb::Measure { report, .. }
            | Verb::Join { report, .. } => report.tell(Err(failure)),
            Verb::Invite { report, .. } => report.tell(Err(failure)),
            Verb::Report { report } => report.tell(Err(failure)),
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

/// What measures the path to the server: nothing of it is stored, so that its name means nothing.
fn put_of_nothing(len: u64) -> Option<Put> {
    let leaf = Name::parse(b"measured").ok()?;
    let (mode, modified) = (Mode::from_bits(0), FileTime::default());
    let meta = Meta { len: BodyLen::Known(len), mode, modified, identity: Identity::default() };
    let to = Destination { path: None, leaf, into_directory: false };
    Some(Put { to, meta, how: How { discard: true, ..How::default() } })
}
