//! A server of a simulated world.

use std::{io, path::Path};

use gannet_protocol::{Config, Datagram, Instant};

use super::{gate::Gate, serving::Serving};
use crate::{
    files::{Keeper, Root},
    simulation::{AT_ONCE, Host, Send, Side},
};

/// A server of a simulated world, on plain connections.
#[derive(Debug)]
pub struct Server(Side<Serving>);

impl Server {
    /// Shares the directory `root`. The same seed gives the same server.
    ///
    /// # Errors
    /// The directory cannot be opened.
    pub fn start(root: &Path, mut config: Config, seed: [u8; 32]) -> io::Result<Self> {
        config.accept = true;
        let serving = Serving::new(Root::open(root)?, Keeper::new(None), Gate::Open, AT_ONCE);
        Ok(Self(Side::new(config, seed, serving)))
    }

    /// Lets it have little memory for bodies, as when many more share it. Only before it does anything.
    pub fn tighten(&mut self) {
        self.0.tighten();
    }

    /// Bytes of memory that bodies on their way take.
    #[must_use]
    pub fn memory(&mut self) -> u64 {
        self.0.memory()
    }
}

impl Host for Server {
    fn receive(&mut self, now: Instant, datagram: Datagram<'_>) {
        self.0.receive(now, datagram);
    }

    fn turn(&mut self, now: Instant, send: Send<'_>) {
        self.0.turn(now, send);
    }

    fn next_timeout(&mut self) -> Option<Instant> {
        self.0.next_timeout()
    }
}
