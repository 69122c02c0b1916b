//! What a client remembers of the path to a server.

use std::{net::SocketAddr, path::PathBuf, time::SystemTime};

use gannet_protocol::{Expected, PathMemory};

use crate::{
    security::ClientSecurity,
    socket::Socket,
    trust::{KnownPaths, Route, remember_path},
};

use super::ClientOptions;

/// Where what the path to a server gives is kept, and under what.
#[derive(Debug)]
pub(super) struct Remembering {
    file: PathBuf,
    route: Route,
    /// What it gave until the connection was closed.
    memory: Option<PathMemory>,
}

impl Remembering {
    /// None if nothing is to be kept, or the way cannot be told.
    pub(super) fn of(options: &ClientOptions, remote: SocketAddr, socket: &Socket) -> Option<Self> {
        let file = options.known_paths.clone()?;
        let key = match options.security {
            ClientSecurity::Plain => None,
            // If the server has another key than that, nothing of it is known.
            ClientSecurity::Sealed { expected: Expected { known, own }, .. } => {
                Some(known.or(own)?)
            }
        };
        let local = socket.local_addr().ok()?.ip();
        Some(Self { file, route: Route::new(key, remote, local), memory: None })
    }

    /// What the path gave before.
    pub(super) fn recall(&self) -> Option<PathMemory> {
        let memory = KnownPaths::load(&self.file).find(&self.route, SystemTime::now());
        log::debug!("the path to {} gave before: {memory:?}", self.route.server);
        memory
    }

    /// Takes in what it gave.
    pub(super) fn note(&mut self, memory: Option<PathMemory>) {
        self.memory = memory;
    }

    /// Stores that. Blocks on the disk.
    pub(super) fn store(&self) {
        let Some(memory) = self.memory else { return };
        if let Err(error) = remember_path(&self.file, self.route, memory, SystemTime::now()) {
            log::debug!("what the path to {} gave is not kept: {error}", self.route.server);
        }
    }
}
