//! A link so slow that a transfer is surely under way.

use gannet_driver_mio::netem::{LinkConfig, Relay, RelayHandle};

use super::Server;

/// Bits per second: a file of some megabytes takes a minute.
const RATE: u64 = 1_000_000;

/// A way to a server that carries a megabit per second in each direction, or what is said.
pub(crate) struct Slow {
    relay: Relay,
}

impl Slow {
    pub(crate) fn to(server: &Server) -> Self {
        Self::at(RATE, server)
    }

    /// One of another rate.
    pub(crate) fn at(rate: u64, server: &Server) -> Self {
        let link = |seed| LinkConfig { seed, rate: Some(rate), ..LinkConfig::default() };
        Self { relay: Relay::start(server.address(), link(1), link(2)).unwrap() }
    }

    pub(crate) fn target(&self) -> String {
        self.relay.address().to_string()
    }

    pub(crate) fn port(&self) -> String {
        self.relay.address().port().to_string()
    }

    /// To cut and mend it.
    pub(crate) fn handle(&self) -> RelayHandle {
        self.relay.handle()
    }
}
