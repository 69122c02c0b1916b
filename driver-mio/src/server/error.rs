//! Why a server cannot start.

use std::{error, fmt, io, net::SocketAddr, path::PathBuf};

use crate::trust::AuthorizedError;

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
    /// The address cannot be bound, or the system has nothing left to serve it with: no timer, no randomness.
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The list of clients is not as it should be.
    Clients(AuthorizedError),
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root { path, .. } => write!(f, "cannot open the directory {}", path.display()),
            Self::Bind { address, .. } => write!(f, "cannot listen at {address}"),
            Self::Clients(error) => error.fmt(f),
        }
    }
}

impl error::Error for ServerError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Root { error, .. } | Self::Bind { error, .. } => Some(error),
            Self::Clients(error) => error.source(),
        }
    }
}
