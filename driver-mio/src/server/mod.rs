//! A server that shares a directory.

mod admit;
mod error;
mod exchange;
mod gate;
mod joining;
mod peers;
mod serving;
#[cfg(feature = "simulation")]
pub(crate) mod simulated;
mod stop;
mod store;
mod succession;
#[cfg(test)]
mod tests;
mod verbs;

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use gannet_protocol::{Config, CongestionKind};

use crate::{
    event_loop::EventLoop,
    files::{Durability, Keeper, Root},
    security::{self, Provider, ServerSecurity},
    socket::Socket,
    sys::transfers_at_once,
};

use gate::Gate;
use serving::Serving;

pub use error::ServerError;
pub use stop::Stopper;

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
    /// How connections are protected, and who is let in.
    pub security: ServerSecurity,
    /// The cryptography of sealed connections.
    pub crypto: Provider,
    /// Whether a file that is stored survives a power failure. Default true; without, it may be stored sooner.
    pub sync: bool,
}

impl ServerOptions {
    /// Shares `root` at `listen`.
    #[must_use]
    pub fn new(root: PathBuf, listen: SocketAddr, security: ServerSecurity) -> Self {
        let (congestion, crypto) = (CongestionKind::default(), Provider::default());
        Self { root, listen, congestion, security, crypto, sync: true }
    }
}

/// A server that is bound and ready to [`run`](Self::run).
///
/// It logs a line for each request, with the target `gannet::request`: who, what, how many bytes, seconds, result.
#[derive(Debug)]
pub struct Server {
    event_loop: EventLoop<Serving>,
    local: SocketAddr,
    stopper: Stopper,
}

impl Server {
    /// Opens the root, reads the list of clients and binds the socket. No thread is started before it [`run`](Self::run)s, so
    /// that the process can be confined in between.
    ///
    /// # Errors
    /// [`ServerError`]
    pub fn bind(options: ServerOptions) -> Result<Self, ServerError> {
        let ServerOptions { root: path, listen, congestion, security, crypto, sync } = options;
        let root_error = |error| ServerError::Root { path: path.clone(), error };
        let root = Root::open(&path).map_err(root_error)?;
        if let ServerSecurity::Sealed(trust) = &security
            && let Some(kept) = trust.paths.exposed_by(&path).map_err(root_error)?
        {
            return Err(ServerError::Keys { path, kept });
        }
        let bind_error = |error| ServerError::Bind { address: listen, error };
        let socket = Socket::bind(listen).map_err(bind_error)?;
        let local = socket.local_addr().map_err(bind_error)?;
        let mut config = Config::default();
        config.accept = true;
        config.epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        config.congestion = congestion;
        let own = match &security {
            ServerSecurity::Plain => None,
            ServerSecurity::Sealed(trust) => Some(&*trust.key),
        };
        let keeper = Keeper::new(own);
        let gate = match security {
            ServerSecurity::Plain => Gate::Open,
            ServerSecurity::Sealed(trust) => {
                security::seal(&mut config, &trust.key, &crypto);
                Gate::new(trust, local).map_err(ServerError::Clients)?
            }
        };
        let serving = Serving::new(root, keeper, gate, transfers_at_once());
        let mut event_loop = EventLoop::new(socket, config, serving).map_err(bind_error)?;
        event_loop.parts().0.transfers.set_durability(Durability::of(sync));
        let stopper = Stopper::new(event_loop.waker(), event_loop.role().stops());
        Ok(Self { event_loop, local, stopper })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// A handle that ends it, from any thread.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Serves until it is told to stop, by a client or by its [`Stopper`]; logs a line for every request.
    ///
    /// # Errors
    /// The system gives no thread, or can wait for nothing any more.
    pub fn run(mut self) -> io::Result<()> {
        self.event_loop.start()?;
        while !self.event_loop.role().is_over() {
            self.event_loop.turn()?;
        }
        Ok(())
    }
}
