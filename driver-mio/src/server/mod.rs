//! A server that shares a directory.

use std::{io, net::SocketAddr, path::PathBuf};

use gannet_protocol::CongestionKind;

/// What to share, and where.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerOptions {
    /// The directory to share.
    pub root: PathBuf,
    /// The address to listen at; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The congestion control.
    pub congestion: CongestionKind,
}

impl ServerOptions {
    /// Shares `root` at `listen`.
    #[must_use]
    pub fn new(root: PathBuf, listen: SocketAddr) -> Self {
        Self { root, listen, congestion: CongestionKind::default() }
    }
}

/// A server that is bound and ready to [`run`](Self::run).
#[derive(Debug)]
pub struct Server {}

impl Server {
    /// Opens the root and binds the socket.
    ///
    /// # Errors
    /// [`ServerError`]
    pub fn bind(_options: ServerOptions) -> Result<Self, ServerError> {
        todo!()
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        todo!()
    }

    /// A handle that ends it, from any thread.
    pub fn stopper(&self) -> Stopper {
        todo!()
    }

    /// Serves until it is told to stop, by a client or by its [`Stopper`]; logs a line for every request.
    ///
    /// # Errors
    /// The socket or the poll failed for good.
    pub fn run(self) -> io::Result<()> {
        todo!()
    }
}

/// Ends a [`Server`].
#[derive(Clone, Debug)]
pub struct Stopper {}

impl Stopper {
    /// Asks for a polite end: no new request is taken, clients are told, running transfers get 2 s. The second call
    /// ends at once.
    pub fn stop(&self) {
        todo!()
    }
}

/// Why a server cannot start.
#[derive(Debug)]
pub enum ServerError {
    /// The directory to share cannot be opened.
    Root {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The address cannot be bound.
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
}
