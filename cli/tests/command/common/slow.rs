//! A link so slow that a transfer is surely under way.

use std::time::Duration;

use gannet_driver_mio::netem::{LinkConfig, Relay, RelayHandle, RelayReport};

use super::Server;

/// Bits per second: a file of some megabytes takes a minute.
const RATE: u64 = 1_000_000;

/// A way to a server that carries a megabit per second in each direction, or what is said.
pub(crate) struct Slow {
    relay: Relay,
}

impl Slow {
    pub(crate) fn to(server: &Server) -> Self {
        Self::at(server, RATE, Duration::ZERO)
    }

    /// One that carries that many bits per second, and takes that long each way.
    pub(crate) fn at(server: &Server, rate: u64, delay: Duration) -> Self {
        let link = |seed| LinkConfig { seed, rate: Some(rate), delay, ..LinkConfig::default() };
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

    /// Ends it, and tells what went through.
    pub(crate) fn stop(self) -> RelayReport {
        self.relay.stop()
    }
}
