//! A request that is being served.

use std::{fmt, net::SocketAddr};

use gannet_protocol::{BodyLen, Escaped, Instant, Meta, Name, Put, Request, Status};

use super::succession::Heard;
use crate::trust::policy::Grant;

/// A request that is being served, and what its line in the log will say.
#[derive(Debug)]
pub(super) struct Served {
    who: SocketAddr,
    verb: Verb,
    what: String,
    since: Instant,
    request: Request,
    /// By which it may be done; none for who brings a ticket instead.
    grant: Option<Grant>,
    pub(super) stage: Stage,
    /// Until when it waits for another transfer to let go of what is there of its file.
    pub(super) handover_until: Option<Instant>,
    /// What was heard meanwhile of the other transfer.
    pub(super) heard: Option<Heard>,
}

/// How far a request is.
#[derive(Debug)]
pub(super) enum Stage {
    /// It waits for its turn.
    Waiting,
    /// Something of it is on a disk's thread, or its body is on its way.
    Running,
    /// The same for a file that is received, and will stand under this name.
    Receiving(Name),
    /// All was said and it was yes, with this many bytes; the other side has yet to hear it.
    Answered(u64),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verb {
    Get,
    Put,
    List,
    Rename,
    Stat,
    Remove,
    Mkdir,
    Exit,
    Invite,
    Join,
    Report,
    Zeros,
}

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    Done,
    Failed(Status),
    /// Its connection is over.
    Lost,
}

impl Served {
    pub(super) fn new(
        who: SocketAddr,
        request: Request,
        grant: Option<Grant>,
        since: Instant,
    ) -> Self {
        let (verb, what) = match &request {
            Request::Get(get) => (Verb::Get, get.name.to_string()),
            Request::Put(put) => {
                (Verb::Put, put.to.path.as_ref().unwrap_or(&put.to.leaf).to_string())
            }
            Request::List(Some(dir)) => (Verb::List, dir.to_string()),
            Request::List(None) => (Verb::List, ".".to_owned()),
            Request::Rename { from, to } => (Verb::Rename, format!("{from} -> {to}")),
            Request::Stat(name) => (Verb::Stat, name.to_string()),
            Request::Remove(name) => (Verb::Remove, name.to_string()),
            Request::Mkdir { name, .. } => (Verb::Mkdir, name.to_string()),
            Request::Exit { force: false } => (Verb::Exit, "-".to_owned()),
            Request::Exit { force: true } => (Verb::Exit, "force".to_owned()),
            Request::Invite(invite) => (Verb::Invite, Escaped(invite.grant.as_bytes()).to_string()),
            Request::Join { .. } => (Verb::Join, "-".to_owned()),
            Request::Report => (Verb::Report, "-".to_owned()),
            Request::Zeros { len } => (Verb::Zeros, len.to_string()),
        };
        let (stage, handover_until, heard) = (Stage::Waiting, None, None);
        Self { who, verb, what, since, request, grant, stage, handover_until, heard }
    }

    /// Begins, if that has not happened: what was asked, and by which grant.
    pub(super) fn begin(&mut self) -> Option<(Request, Grant)> {
        if !matches!(self.stage, Stage::Waiting) {
            return None;
        }
        self.stage = Stage::Running;
        Some((self.request.clone(), self.grant.clone()?))
    }

    /// What was asked.
    pub(super) const fn request(&self) -> &Request {
        &self.request
    }

    /// By which grant it was begun.
    pub(super) const fn grant(&self) -> Option<&Grant> {
        self.grant.as_ref()
    }

    /// Bytes that it will store below its directory, if that is bounded for its client.
    pub(super) fn claim(&self) -> Option<(Option<&Name>, u64)> {
        let grant = self.grant.as_ref()?;
        match (&self.request, grant.max(), &self.stage) {
            (
                Request::Put(Put { meta: Meta { len: BodyLen::Known(len), .. }, .. }),
                Some(_),
                Stage::Running | Stage::Receiving(_),
            ) => Some((grant.dir(), *len)),
            _ => None,
        }
    }

    /// Settles under which name a received file will stand: below a directory, it is another than was asked for.
    pub(super) fn settle_name(&mut self, name: Name) {
        self.what = name.to_string();
        self.stage = Stage::Receiving(name);
    }

    /// Whether it moves a file.
    pub(super) fn is_transfer(&self) -> bool {
        matches!(self.verb, Verb::Get | Verb::Put)
    }

    /// Writes its line. `moved` is what is known of a body's way.
    pub(super) fn log(&self, now: Instant, moved: Option<u64>, ending: Ending) {
        let Self { who, verb, what, since, stage, .. } = self;
        let seconds = now.saturating_since(*since).as_secs_f64();
        let bytes = match stage {
            Stage::Answered(bytes) => *bytes,
            _ => moved.unwrap_or(0),
        };
        // Questions about the connection come by the hundred, and do nothing.
        let level = if *verb == Verb::Report { log::Level::Debug } else { log::Level::Info };
        log::log!(
            target: "gannet::request",
            level,
            "{who} {verb} {what} {bytes} bytes {seconds:.3} s: {ending}"
        );
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "get",
            Self::Put => "put",
            Self::List => "list",
            Self::Rename => "rename",
            Self::Stat => "stat",
            Self::Remove => "remove",
            Self::Mkdir => "mkdir",
            Self::Exit => "exit",
            Self::Invite => "invite",
            Self::Join => "join",
            Self::Report => "report",
            Self::Zeros => "zeros",
        })
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Failed(status) => status.fmt(f),
            Self::Lost => f.write_str("connection lost"),
        }
    }
}
