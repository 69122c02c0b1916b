//! What the relay's thread does.

use super::{
    Command, RelayReport,
    clients::{ClientId, Clients, socket},
    wait::until_readable,
};
use crate::netem::{Link, LinkConfig};
use gannet_protocol::Instant;
use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::mpsc::Receiver,
    time,
};

/// Datagrams taken from one socket before the others and the timers get their turn.
const RECEIVE_BATCH: usize = 64;

/// Batches taken before a change is made: more than the sockets' buffers hold.
const BATCHES_BEFORE_CHANGE: usize = 256;

/// No UDP datagram is larger.
const MOST_DATAGRAM_BYTES: usize = 65_535;

pub(super) struct Traffic {
    start: time::Instant,
    /// What clients send to.
    front: UdpSocket,
    clients: Clients,
    forward: Link<ClientId>,
    back: Link<ClientId>,
    buffer: Vec<u8>,
    refused: u64,
    socket_errors: u64,
}

impl Traffic {
    pub(super) fn new(
        listen: SocketAddr,
        server: SocketAddr,
        forward: LinkConfig,
        back: LinkConfig,
    ) -> io::Result<Self> {
        Ok(Self {
            start: time::Instant::now(),
            front: socket(listen)?,
            clients: Clients::new(server),
            forward: Link::new(forward),
            back: Link::new(back),
            buffer: vec![0; MOST_DATAGRAM_BYTES],
            refused: 0,
            socket_errors: 0,
        })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.front.local_addr()
    }

    /// Works until it is told to stop or nobody is left to tell it.
    pub(super) fn run(mut self, asked: &Receiver<Command>, bell: &UdpSocket) -> RelayReport {
        loop {
            self.deliver();
            if self.wait(bell).is_err() {
                // Poll itself fails only for want of memory; then this comes around again.
                self.socket_errors += 1;
            }
            while bell.recv(&mut self.buffer).is_ok() {}
            self.accept();
            while let Ok(command) = asked.try_recv() {
                // What was sent before the change meets the link as it was then.
                let mut batches = 0..BATCHES_BEFORE_CHANGE;
                while self.accept() && batches.next().is_some() {}
                self.deliver();
                match command {
                    Command::SetBlackout(on, done) => {
                        self.forward.set_blackout(on);
                        self.back.set_blackout(on);
                        let _ = done.send(());
                    }
                    Command::Rebind(done) => {
                        let _ = done.send(self.clients.rebind());
                    }
                    Command::Stop => return self.report(),
                }
            }
        }
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    fn wait(&self, bell: &UdpSocket) -> io::Result<()> {
        let due = self.forward.next_due().into_iter().chain(self.back.next_due()).min();
        let timeout = due.map(|due| due.saturating_since(self.now()));
        let sockets = [bell, &self.front].into_iter().chain(self.clients.upstreams());
        until_readable(sockets, timeout)
    }

    /// Sends everything whose time has come.
    fn deliver(&mut self) {
        while let Some((client, datagram)) = self.forward.take_due(self.now()) {
            let sent = self.clients.upstream(client).is_some_and(|up| up.send(&datagram).is_ok());
            self.socket_errors += u64::from(!sent);
            self.forward.recycle(datagram);
        }
        while let Some((client, datagram)) = self.back.take_due(self.now()) {
            let to = self.clients.address(client);
            let sent = to.is_some_and(|to| self.front.send_to(&datagram, to).is_ok());
            self.socket_errors += u64::from(!sent);
            self.back.recycle(datagram);
        }
    }

    /// Takes a batch from every socket: whether any has more.
    fn accept(&mut self) -> bool {
        let mut more = self.accept_from_clients();
        for client in self.clients.ids() {
            more |= self.accept_from_server(client);
        }
        more
    }

    fn accept_from_clients(&mut self) -> bool {
        for _ in 0..RECEIVE_BATCH {
            match self.front.recv_from(&mut self.buffer) {
                Ok((len, from)) => {
                    let now = self.now();
                    let datagram = self.buffer.get(..len).unwrap_or_default();
                    match self.clients.at(from) {
                        Some(client) => self.forward.offer(now, client, datagram),
                        None => self.refused += 1,
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                // A closed port at the other end, told by ICMP.
                Err(_) => self.socket_errors += 1,
            }
        }
        true
    }

    fn accept_from_server(&mut self, client: ClientId) -> bool {
        for _ in 0..RECEIVE_BATCH {
            let Some(upstream) = self.clients.upstream(client) else { return false };
            match upstream.recv(&mut self.buffer) {
                Ok(len) => {
                    let now = self.now();
                    self.back.offer(now, client, self.buffer.get(..len).unwrap_or_default());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(_) => self.socket_errors += 1,
            }
        }
        true
    }

    const fn report(&self) -> RelayReport {
        RelayReport {
            forward: *self.forward.counters(),
            back: *self.back.counters(),
            refused: self.refused,
            socket_errors: self.socket_errors,
        }
    }
}
