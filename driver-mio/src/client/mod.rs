//! A client's connection, driven by a thread of its own.

mod job;

use std::{io, net::SocketAddr, path::PathBuf, time::Duration};

use gannet_protocol::{CloseReason, CongestionKind, Destination, Entry, Hash, Name, Stats, Status};

pub use job::{Job, Progress};

/// How to connect.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientOptions {
    /// Time after which a connect attempt fails. Default 10 s.
    pub connect_timeout: Duration,
    /// The congestion control.
    pub congestion: CongestionKind,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(10), congestion: CongestionKind::default() }
    }
}

/// A connection to a server. Dropping it closes it politely and ends its thread.
///
/// Every command starts at once and runs beside the others; its [`Job`] tells how it goes.
#[derive(Debug)]
pub struct Client {}

impl Client {
    /// Connects to the first address of `host` that answers.
    ///
    /// # Errors
    /// [`ConnectError`]
    pub fn connect(
        _host: &str,
        _port: u16,
        _options: &ClientOptions,
    ) -> Result<Self, ConnectError> {
        todo!()
    }

    /// The server's address.
    pub fn remote(&self) -> SocketAddr {
        todo!()
    }

    /// Fetches the file `from` and puts it in place as `to` once it is whole and verified.
    pub fn get(&self, _from: Name, _to: PathBuf) -> Job<Transferred> {
        todo!()
    }

    /// Stores the local file `from` at the server.
    pub fn put(&self, _from: PathBuf, _to: Destination) -> Job<Transferred> {
        todo!()
    }

    /// Tells what is in the directory `dir`, or in the root; unsorted.
    pub fn list(&self, _dir: Option<Name>) -> Job<Vec<Entry>> {
        todo!()
    }

    /// Gives a file another name, which must be free.
    pub fn rename(&self, _from: Name, _to: Name) -> Job<()> {
        todo!()
    }

    /// Stops the server. Without `force` it fails with [`Status::Busy`], and the number of others' transfers as its
    /// detail, while such run.
    pub fn exit(&self, _force: bool) -> Job<()> {
        todo!()
    }

    /// Why the connection is over, if it is.
    pub fn lost(&self) -> Option<Lost> {
        todo!()
    }

    /// Figures of the connection, while it lives.
    pub fn stats(&self) -> Option<Stats> {
        todo!()
    }

    /// Ends all at once, as ctrl+c wants it: partial files are removed and the server is told. Returns when that is done.
    pub fn abort(self) {
        todo!()
    }
}

/// A file that arrived.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transferred {
    /// Where it is stored: the server's name after a put, none after a get.
    pub name: Option<Name>,
    /// Its length in bytes.
    pub len: u64,
    /// The BLAKE3 hash of its content.
    pub hash: Hash,
    /// Time from the request to its being stored.
    pub elapsed: Duration,
}

/// Why a command failed, sorted by where the fault lies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Failure {
    /// On this machine: a file could not be read or written.
    Local {
        /// Which.
        path: PathBuf,
        /// Why.
        status: Status,
    },
    /// The server says no.
    Remote {
        /// Why.
        status: Status,
        /// What belongs to the status: the number of transfers for [`Status::Busy`].
        detail: u64,
    },
    /// The content that arrived is not what was sent.
    Unverified,
    /// The connection was lost.
    Lost(Lost),
    /// [`Job::cancel`] was called.
    Cancelled,
}

/// A connection that was lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lost {
    /// The server's address.
    pub remote: SocketAddr,
    /// How it ended.
    pub reason: CloseReason,
    /// Whether the server's host said that nothing listens there any more.
    pub refused: bool,
    /// Time since the server was last heard.
    pub silent: Duration,
}

/// Why no connection came about.
#[derive(Debug)]
pub enum ConnectError {
    /// The host has no address.
    Resolve {
        /// Its name.
        host: String,
        /// What the resolver says.
        error: io::Error,
    },
    /// No socket could be made.
    Socket(io::Error),
    /// No address answered.
    NoAnswer {
        /// Each address that was tried, and whether its host said that nothing listens there.
        tried: Vec<(SocketAddr, bool)>,
        /// Time since the first attempt.
        after: Duration,
    },
    /// The server speaks other versions only.
    Version(SocketAddr),
}
