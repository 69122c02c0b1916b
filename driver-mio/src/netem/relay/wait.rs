//! Waiting for sockets and for a moment, whichever comes first.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{io, net::UdpSocket, time::Duration};

/// Waits until a socket can be read or `timeout` is over, to the nanosecond where the system has
/// `ppoll` (Linux, BSD), else rounded up to milliseconds.
pub(super) fn until_readable<'a>(
    sockets: impl Iterator<Item = &'a UdpSocket>,
    timeout: Option<Duration>,
) -> io::Result<()> {
    let mut polled: Vec<_> = sockets.map(|socket| PollFd::new(socket, PollFlags::IN)).collect();
    // Longer than any system takes is as good as forever.
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    match poll(&mut polled, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
