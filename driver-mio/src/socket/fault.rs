//! Errors that tests let a socket's sends meet.

use std::{fmt, io};

use rustix::io::Errno;

type Strike = dyn FnMut(usize, Option<usize>) -> Option<Errno> + Send;

/// Takes the place of the system before each send.
pub(crate) struct Fault(Box<Strike>);

impl Fault {
    /// Asks `strike` with the bytes of each send and, if it is of several datagrams, their length.
    pub(crate) fn new(
        strike: impl FnMut(usize, Option<usize>) -> Option<Errno> + Send + 'static,
    ) -> Self {
        Self(Box::new(strike))
    }

    pub(super) fn strikes(&mut self, transmit: &quinn_udp::Transmit<'_>) -> Option<io::Error> {
        (self.0)(transmit.contents.len(), transmit.segment_size).map(io::Error::from)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fault")
    }
}
