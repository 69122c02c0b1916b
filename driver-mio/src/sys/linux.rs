//! Linux: a timer with nanoseconds, and what its UDP sockets need.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    time::Duration,
};

use mio::{Interest, Registry, Token, net::UdpSocket, unix::SourceFd};
use rustix::{
    net::sockopt,
    time::{
        ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec,
        clock_gettime, timerfd_create, timerfd_settime,
    },
};

/// Whether a client's socket is connected to its server, and so hears that nothing listens there.
/// Linux takes an address with each datagram even then.
pub(crate) const CONNECTED_SOCKETS: bool = true;

/// Waits from here on are left to the poll, whose milliseconds are fine enough for them.
const COARSE: Duration = Duration::from_millis(20);

/// The time since the machine was started, which goes on while it sleeps, as that of the standard library does not.
pub(crate) fn time_with_sleep() -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(tv_sec).unwrap_or(0), u32::try_from(tv_nsec).unwrap_or(0))
}

/// A timer finer than the poll, whose waits are whole milliseconds: at 10 Gbit/s one is 1.25 MB.
#[derive(Debug)]
pub(crate) struct Timer(OwnedFd);

impl Timer {
    /// Makes a timer that wakes the poll of `registry`.
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        registry.register(&mut SourceFd(&fd.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self(fd))
    }

    /// Prepares to be woken after `wait`, and gives the time to poll for. An expiry that nobody reads is
    /// forgotten by the next call, and a wait that ends early does no harm.
    pub(crate) fn arm(&mut self, wait: Option<Duration>) -> io::Result<Option<Duration>> {
        match wait {
            Some(wait) if !wait.is_zero() && wait < COARSE => {
                let it_value = Timespec { tv_sec: 0, tv_nsec: wait.subsec_nanos().into() };
                let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
                let spec = Itimerspec { it_interval, it_value };
                timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &spec)?;
                Ok(Some(COARSE))
            }
            wait => Ok(wait),
        }
    }
}

/// Undoes what hides congestion marks: quinn-udp 0.6 asks for a time stamp with every receive, for which its
/// buffer of control messages is too small as soon as datagrams were coalesced; the mark falls off its end.
pub(crate) fn heal_ecn(socket: &UdpSocket) -> io::Result<()> {
    let off: libc::c_int = 0;
    let len = size_of_val(&off) as libc::socklen_t;
    // SAFETY: the descriptor is open as long as `socket` is borrowed, and the option's value points at `len` bytes
    // that the call only reads.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            (&raw const off).cast(),
            len,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Asks for buffers beyond the system's limit, which only a privileged process gets.
pub(crate) fn enlarge_buffers(socket: &UdpSocket, bytes: usize) {
    let _ = sockopt::set_socket_recv_buffer_size_force(socket, bytes);
    let _ = sockopt::set_socket_send_buffer_size_force(socket, bytes);
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use mio::{Events, Poll};

    use super::*;

    /// Without anyone reading the timer in between.
    #[test]
    fn every_short_wait_ends_by_itself() {
        let mut poll = Poll::new().unwrap();
        let mut timer = Timer::new(poll.registry(), Token(7)).unwrap();
        let mut events = Events::with_capacity(1);
        for micros in [300, 20, 900] {
            let start = Instant::now();
            let wait = Duration::from_micros(micros);
            assert_eq!(timer.arm(Some(wait)).unwrap(), Some(COARSE));
            poll.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
            assert_eq!(events.iter().map(mio::event::Event::token).collect::<Vec<_>>(), [Token(7)]);
            assert!(start.elapsed() >= wait);
        }
    }

    #[test]
    fn long_waits_and_none_are_left_to_the_poll() {
        let poll = Poll::new().unwrap();
        let mut timer = Timer::new(poll.registry(), Token(7)).unwrap();
        for wait in [None, Some(Duration::ZERO), Some(Duration::from_secs(3))] {
            assert_eq!(timer.arm(wait).unwrap(), wait);
        }
    }
}
