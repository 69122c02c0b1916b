//! Systems of which only what all have in common is used.

use std::{
    io,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use mio::{Registry, Token, net::UdpSocket};

/// Whether a client's socket is connected to its server. Not here: the BSDs refuse an address with a datagram on a
/// connected socket, and quinn-udp always gives one.
pub(crate) const CONNECTED_SOCKETS: bool = false;

/// The time of the day, as a duration: it goes on while the machine sleeps.
pub(crate) fn time_with_sleep() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A timer that is no finer than the poll.
#[derive(Debug)]
pub(crate) struct Timer;

impl Timer {
    pub(crate) fn new(_: &Registry, _: Token) -> io::Result<Self> {
        Ok(Self)
    }

    /// Gives the time to poll for.
    pub(crate) fn arm(&mut self, wait: Option<Duration>) -> io::Result<Option<Duration>> {
        Ok(wait)
    }
}

/// Nothing hides congestion marks here.
pub(crate) fn heal_ecn(_: &UdpSocket) -> io::Result<()> {
    Ok(())
}

/// The system's limit stands.
pub(crate) fn enlarge_buffers(_: &UdpSocket, _: usize) {}
