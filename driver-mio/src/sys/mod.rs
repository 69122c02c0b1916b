//! What differs from one operating system to the next.

/// Makes a call of the file system, so that a simulation can watch it: it may fail it, and is told what was done.
#[cfg(not(feature = "simulation"))]
macro_rules! watched {
    ($operation:ident { $($field:tt)* }, $call:expr) => {
        $call
    };
}

/// Makes a call of the file system, so that a simulation can watch it: it may fail it, and is told what was done.
#[cfg(feature = "simulation")]
macro_rules! watched {
    ($operation:ident { $($field:tt)* }, $call:expr) => {
        crate::simulation::watched(
            &crate::simulation::Operation::$operation { $($field)* },
            || $call,
        )
    };
}

#[cfg(unix)]
pub(crate) mod files;
#[cfg(target_os = "linux")]
pub(crate) mod landlock;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod portable;

use std::io;

#[cfg(target_os = "linux")]
pub(crate) use linux::{CONNECTED_SOCKETS, Timer, enlarge_buffers, heal_ecn, time_with_sleep};
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::{CONNECTED_SOCKETS, Timer, enlarge_buffers, heal_ecn, time_with_sleep};

/// What an error of a send or receive means for the packets in hand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Trouble {
    /// The socket's buffer is full or empty: it will tell when that changes.
    WouldBlock,
    /// The network device's queue is full, of which nobody tells the end.
    NoBuffers,
    /// The device does not segment for us.
    NoOffload,
    /// The datagram is larger than the path's first hop allows.
    TooLarge,
    /// An earlier packet met a host on which nothing listens. This one was not sent.
    Refused,
    /// This packet cannot be sent or received; another may.
    Other,
}

impl Trouble {
    /// Sorts `error` by what to do about it.
    pub(crate) fn of(error: &io::Error) -> Self {
        if quinn_udp::is_msg_size_err(error) {
            return Self::TooLarge;
        }
        match error.kind() {
            io::ErrorKind::WouldBlock => Self::WouldBlock,
            io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => Self::Refused,
            _ => Self::of_code(error),
        }
    }

    #[cfg(unix)]
    fn of_code(error: &io::Error) -> Self {
        use rustix::io::Errno;
        match Errno::from_io_error(error) {
            Some(Errno::NOBUFS | Errno::NOMEM) => Self::NoBuffers,
            Some(Errno::IO | Errno::INVAL) => Self::NoOffload,
            _ => Self::Other,
        }
    }

    #[cfg(not(unix))]
    fn of_code(_: &io::Error) -> Self {
        Self::Other
    }
}
