//! What can go wrong, sorted by where the fault lies.

use std::{error, fmt, io, net::SocketAddr, path::PathBuf, time::Duration};

use gannet_protocol::{CloseReason, PublicKey, Status};

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
    /// Whoever reads what is fetched wants no more of it.
    Unwanted,
    /// The connection was lost.
    Lost(Lost),
    /// [`Job::cancel`](super::Job::cancel) was called.
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
    /// No socket could be made, or the system has nothing left to serve it with: no thread, no timer.
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
    /// The server has this key, and nothing is known of it: connect again once the user says that it is the right one.
    UnknownKey {
        /// The server's address.
        remote: SocketAddr,
        /// Its key.
        key: PublicKey,
    },
    /// The server has this key, and is known by another one.
    WrongKey {
        /// The server's address.
        remote: SocketAddr,
        /// Its key.
        key: PublicKey,
    },
    /// The system gives no randomness to make keys of.
    Cryptography,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local { path, status } => write!(f, "{}: {status}", path.display()),
            Self::Remote { status, .. } => write!(f, "the server says: {status}"),
            Self::Unverified => f.write_str("the content that arrived is not what was sent"),
            Self::Unwanted => f.write_str("its reader wants no more"),
            Self::Lost(lost) => lost.fmt(f),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl error::Error for Failure {}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the connection to {} was lost", self.remote)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve { host, .. } => write!(f, "{host:?} has no address"),
            Self::Socket(_) => f.write_str("no socket could be made"),
            Self::NoAnswer { tried, after } => {
                write!(f, "no answer within {:.1} s from", after.as_secs_f64())?;
                tried.iter().try_for_each(|(address, _)| write!(f, " {address}"))
            }
            Self::Version(address) => write!(f, "{address} speaks other versions only"),
            Self::UnknownKey { remote, key } => {
                write!(f, "{remote} is not known; its key is {key}")
            }
            Self::WrongKey { remote, key } => {
                write!(f, "{remote} has the key {key}, which is not the one that it is known by")
            }
            Self::Cryptography => f.write_str("the system gives no randomness to make keys of"),
        }
    }
}

impl error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Resolve { error, .. } | Self::Socket(error) => Some(error),
            Self::NoAnswer { .. }
            | Self::Version(_)
            | Self::UnknownKey { .. }
            | Self::WrongKey { .. }
            | Self::Cryptography => None,
        }
    }
}
