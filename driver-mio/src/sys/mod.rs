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

/// Most transfers of one role that run at a time, however many files may be open: a server leaves half of them to others than the
/// one that has most, where the rest of the 2,048 that a connection may open wait.
const MOST_AT_ONCE: u64 = 2048;
/// The fewest, however few.
const FEWEST_AT_ONCE: u64 = 16;
/// The share of the files that may be open for each of them: it holds up to three, and a program may hold a server and a client.
const FILES_EACH: u64 = 8;

/// How many transfers of one role may run at a time in this process, for the number of files that it may open.
pub(crate) fn transfers_at_once() -> usize {
    let most = (open_files() / FILES_EACH).clamp(FEWEST_AT_ONCE, MOST_AT_ONCE);
    usize::try_from(most).unwrap_or(usize::MAX)
}

/// How many files this process may have open.
#[cfg(unix)]
fn open_files() -> u64 {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// How many files this process may have open: as usual.
#[cfg(not(unix))]
fn open_files() -> u64 {
    1024
}

/// Lets this process open as many files as the system lets it, rather than the 1024 that it starts with for the sake of old programs.
/// Where that fails, fewer transfers run at a time.
#[cfg(unix)]
pub fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let enough = MOST_AT_ONCE * FILES_EACH;
    let wanted = maximum.map_or(enough, |maximum| maximum.min(enough));
    if current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
    {
        log::debug!("no more files may be open than before: {error}");
    }
}

/// Elsewhere there is no such limit.
#[cfg(not(unix))]
pub fn raise_open_files() {}

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
