//! A bad link between real sockets: a relay on a thread of its own.

mod clients;
mod traffic;
mod wait;

use super::{Counters, LinkConfig};
use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        mpsc::{self, Sender},
    },
    thread::{self, JoinHandle},
};
use traffic::Traffic;

/// Passes datagrams between clients on this machine and one server through two links, one each
/// way, in real time. Clients see it as the server; the server sees a socket for each client.
///
/// It listens on loopback, at a port of the system's choice. It ends when it is stopped or
/// dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    handle: RelayHandle,
    thread: Option<JoinHandle<RelayReport>>,
}

/// Changes a relay that runs, from any thread. Every change has happened when its function
/// returns; none happens once the relay has stopped.
#[derive(Clone, Debug)]
pub struct RelayHandle {
    commands: Sender<Command>,
    /// A datagram through this wakes the relay.
    bell: Arc<UdpSocket>,
}

/// What a relay has done.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RelayReport {
    /// From clients to the server.
    pub forward: Counters,
    /// From the server to clients.
    pub back: Counters,
    /// Datagrams of clients beyond the 64 that a relay serves.
    pub refused: u64,
    /// Datagrams that came out of a link but that no socket would send, or receive.
    pub socket_errors: u64,
}

/// What a handle asks for, and where it waits for that to be done.
enum Command {
    SetBlackout(bool, Sender<()>),
    Rebind(Sender<io::Result<()>>),
    Stop,
}

impl Relay {
    /// Listens for clients of `server`, with `forward` on the way there and `back` on the way
    /// back. Give the two different seeds, or both lose the same packets. Moments in them count
    /// from now.
    ///
    /// # Errors
    ///
    /// When a loopback socket cannot be made or the thread cannot be started.
    pub fn start(server: SocketAddr, forward: LinkConfig, back: LinkConfig) -> io::Result<Self> {
        let loopback = match server {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        };
        let (bell, bell_heard) = bell()?;
        let (commands, asked) = mpsc::channel();
        let traffic = Traffic::new(loopback, server, forward, back)?;
        let address = traffic.address()?;
        let thread = thread::Builder::new()
            .name("relay".into())
            .spawn(move || traffic.run(&asked, &bell_heard))?;
        let handle = RelayHandle { commands, bell: Arc::new(bell) };
        Ok(Self { address, handle, thread: Some(thread) })
    }

    /// Where clients reach the server through this relay.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes it from elsewhere.
    #[must_use]
    pub fn handle(&self) -> RelayHandle {
        self.handle.clone()
    }

    /// Ends it and tells what it has done. What is on the way is not delivered.
    ///
    /// # Panics
    ///
    /// If the relay's thread has panicked.
    #[must_use]
    pub fn stop(mut self) -> RelayReport {
        match self.end() {
            Some(Ok(report)) => report,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => RelayReport::default(),
        }
    }

    fn end(&mut self) -> Option<thread::Result<RelayReport>> {
        let thread = self.thread.take()?;
        self.handle.ask(Command::Stop);
        Some(thread.join())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.end();
    }
}

impl RelayHandle {
    /// Begins or ends a blackout both ways: datagrams that come during it are dropped.
    pub fn set_blackout(&self, on: bool) {
        let (done, wait) = mpsc::channel();
        self.ask(Command::SetBlackout(on, done));
        // The sender is dropped without an answer if the relay has stopped: nothing to do then.
        let _ = wait.recv();
    }

    /// Does what a NAT does that forgets: from now on, every client's datagrams reach the server
    /// from a new port, and what the server sends to the old one is lost.
    ///
    /// # Errors
    ///
    /// When a new socket cannot be made; that client keeps its old one.
    pub fn rebind(&self) -> io::Result<()> {
        let (done, wait) = mpsc::channel();
        self.ask(Command::Rebind(done));
        wait.recv().unwrap_or(Ok(()))
    }

    fn ask(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            // A full buffer has rung already.
            let _ = self.bell.send(&[]);
        }
    }
}

/// Two sockets, what is sent through the first arrives at the second: it wakes a thread that
/// waits for sockets, on any system.
fn bell() -> io::Result<(UdpSocket, UdpSocket)> {
    let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
    let (ring, heard) = (bind()?, bind()?);
    ring.connect(heard.local_addr()?)?;
    heard.connect(ring.local_addr()?)?;
    ring.set_nonblocking(true)?;
    heard.set_nonblocking(true)?;
    Ok((ring, heard))
}
