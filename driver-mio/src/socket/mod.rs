//! A UDP socket that moves batches of datagrams: segmentation offload, receive coalescing, congestion marks.

#[cfg(test)]
mod fault;
mod inbox;
mod outbox;
#[cfg(test)]
mod tests;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use gannet_protocol::Ecn;
use mio::{Interest, Registry, Token, net::UdpSocket};
use quinn_udp::{EcnCodepoint, UdpSocketState};
use socket2::{Domain, Protocol, SockRef, Socket as RawSocket, Type};

use crate::{
    measure::Buffers,
    sys::{self, Trouble},
};

#[cfg(test)]
pub(crate) use fault::Fault;
pub(crate) use inbox::Inbox;
pub(crate) use outbox::Outbox;

/// Bytes of each socket buffer that are asked for: some milliseconds at 10 Gbit/s, and what Linux usually grants at
/// most.
const BUFFER: usize = 4 << 20;
/// Most segments of one send: what every kernel with the offload takes.
const MAX_SEGMENTS: usize = 64;
/// Most bytes of one send. A UDP payload over IPv4 holds 65,507; within some bytes of that, Linux cuts the batch
/// anew.
pub(crate) const MAX_BATCH: usize = 65_400;

/// A UDP socket of an event loop. It never blocks.
#[derive(Debug)]
pub(crate) struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
    /// Whether it is bound to every address, so that each answer has to name the one that was asked.
    wildcard: bool,
    /// Most segments of one send: 1 once the system has refused to cut.
    segments: usize,
    /// Datagrams that came back: nothing listens where they went. Since the last look.
    refused: u32,
    #[cfg(test)]
    fault: Option<Fault>,
}

/// What became of an attempt to send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sent {
    /// All went, or was dropped as a network would.
    All,
    /// The socket is full: go on when it is writable.
    Full,
    /// The device is full: go on after a moment.
    Congested,
}

/// What became of an attempt to receive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Received {
    /// Datagrams are in the inbox.
    Datagrams,
    /// There are none, or none that can be had now: the socket will tell of the next one.
    Nothing,
    /// An error took the place of a datagram; there may be more behind it.
    Error,
}

impl Socket {
    /// Binds a server's socket.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let raw = RawSocket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
            // Some systems keep the two families apart; the server then hears IPv6 alone.
            let _ = raw.set_only_v6(false);
        }
        raw.bind(&address.into())?;
        Self::from_raw(raw, address.ip().is_unspecified())
    }

    /// Makes a client's socket, which hears from `remote` alone where the system can do that.
    pub(crate) fn connect(remote: SocketAddr) -> io::Result<Self> {
        let raw = RawSocket::new(Domain::for_address(remote), Type::DGRAM, Some(Protocol::UDP))?;
        if sys::CONNECTED_SOCKETS {
            raw.connect(&remote.into())?;
        } else {
            let any: IpAddr = match remote {
                SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            raw.bind(&SocketAddr::new(any, 0).into())?;
        }
        Self::from_raw(raw, false)
    }

    fn from_raw(raw: RawSocket, wildcard: bool) -> io::Result<Self> {
        raw.set_nonblocking(true)?;
        let io = UdpSocket::from_std(raw.into());
        set_buffers(&io);
        let state = fresh_state(&io)?;
        Ok(Self {
            io,
            state,
            wildcard,
            segments: MAX_SEGMENTS,
            refused: 0,
            #[cfg(test)]
            fault: None,
        })
    }

    /// How large its buffers are.
    pub(crate) fn buffers(&self) -> io::Result<Buffers> {
        let socket = SockRef::from(&self.io);
        let (receive, send) = (socket.recv_buffer_size()?, socket.send_buffer_size()?);
        Ok(Buffers { receive, send, wanted: BUFFER })
    }

    /// The address that it is bound to.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    /// Lets `registry` watch it, edge-triggered.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.io, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// How many datagrams came back since the last call because nothing listens where they went.
    pub(crate) fn take_refused(&mut self) -> u32 {
        std::mem::take(&mut self.refused)
    }

    /// Receives what is there, up to the room of `inbox`.
    pub(crate) fn receive(&mut self, inbox: &mut Inbox) -> Received {
        let result = self.io.try_io(|| inbox.fill(&self.state, (&self.io).into(), self.wildcard));
        let Err(error) = result else {
            return Received::Datagrams;
        };
        match Trouble::of(&error) {
            Trouble::WouldBlock => Received::Nothing,
            Trouble::Refused => {
                self.refused = self.refused.saturating_add(1);
                Received::Error
            }
            Trouble::TooLarge => Received::Error,
            Trouble::NoBuffers | Trouble::NoOffload | Trouble::Other => {
                log::debug!("a receive failed: {error}");
                Received::Nothing
            }
        }
    }

    /// Sends what is left in `outbox`, and keeps there what the system does not take now.
    pub(crate) fn send(&mut self, outbox: &mut Outbox) -> Sent {
        let mut refused_before = false;
        while let Some(transmit) = outbox.next(self.segments.min(self.state.max_gso_segments())) {
            let len = transmit.contents.len();
            let segment_size = transmit.segment_size;
            let Err(error) = self.send_one(&transmit) else {
                outbox.advance(len);
                refused_before = false;
                continue;
            };
            match Trouble::of(&error) {
                Trouble::WouldBlock => return Sent::Full,
                Trouble::NoBuffers => return Sent::Congested,
                // The next attempt sends these bytes in single datagrams.
                Trouble::NoOffload if segment_size.is_some() => self.stop_offload(&error),
                // The error told of an earlier datagram; this one deserves a try of its own.
                Trouble::Refused if !refused_before => {
                    self.refused = self.refused.saturating_add(1);
                    refused_before = true;
                }
                trouble => {
                    log::trace!("a datagram of {len} bytes was not sent: {error}");
                    if trouble == Trouble::TooLarge && segment_size.is_none() {
                        self.resume_offload();
                    }
                    outbox.advance(len);
                }
            }
        }
        Sent::All
    }

    fn send_one(&mut self, transmit: &quinn_udp::Transmit<'_>) -> io::Result<()> {
        #[cfg(test)]
        if let Some(fault) = &mut self.fault
            && let Some(error) = fault.strikes(transmit)
        {
            return Err(error);
        }
        self.io.try_io(|| self.state.try_send((&self.io).into(), transmit))
    }

    /// Sends single datagrams from now on. quinn-udp stops setting congestion marks after such an error, too, which
    /// a fresh state takes back.
    fn stop_offload(&mut self, error: &io::Error) {
        log::debug!("the system does not cut datagrams for us: {error}");
        self.segments = 1;
        self.refresh();
    }

    /// A single datagram was too large: so was the batch that the system refused to cut.
    fn resume_offload(&mut self) {
        if self.segments == 1 {
            self.segments = MAX_SEGMENTS;
            self.refresh();
        }
    }

    fn refresh(&mut self) {
        match fresh_state(&self.io) {
            Ok(state) => self.state = state,
            Err(error) => log::debug!("the socket keeps its state: {error}"),
        }
    }

    /// Lets `fault` stand between the socket and the system.
    #[cfg(test)]
    pub(crate) fn inject(&mut self, fault: Fault) {
        self.fault = Some(fault);
    }
}

fn fresh_state(io: &UdpSocket) -> io::Result<UdpSocketState> {
    let state = UdpSocketState::new(io.into())?;
    sys::heal_ecn(io)?;
    Ok(state)
}

/// Asks for big buffers and says what came of it.
fn set_buffers(io: &UdpSocket) {
    let socket = SockRef::from(io);
    let _ = socket.set_recv_buffer_size(BUFFER);
    let _ = socket.set_send_buffer_size(BUFFER);
    let granted = || socket.recv_buffer_size().unwrap_or(0);
    if granted() < BUFFER {
        sys::enlarge_buffers(io, BUFFER);
    }
    if granted() < BUFFER {
        log::info!(
            "the system grants a receive buffer of {} of {BUFFER} bytes: fast transfers may lose packets; \
             sysctl net.core.rmem_max raises it on Linux",
            granted()
        );
    }
}

fn to_ecn(mark: EcnCodepoint) -> Ecn {
    match mark {
        EcnCodepoint::Ect0 => Ecn::Ect0,
        EcnCodepoint::Ect1 => Ecn::Ect1,
        EcnCodepoint::Ce => Ecn::Ce,
    }
}

fn from_ecn(mark: Ecn) -> EcnCodepoint {
    match mark {
        Ecn::Ect0 => EcnCodepoint::Ect0,
        Ecn::Ect1 => EcnCodepoint::Ect1,
        Ecn::Ce => EcnCodepoint::Ce,
    }
}
