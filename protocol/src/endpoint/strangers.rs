//! Packets before a connection stands, and those for one that does not any more.

use core::net::{IpAddr, SocketAddr};

use super::{Endpoint, gate::Verdict, half_open::Greeted, stateless::Word};
use crate::{
    Instant,
    connection::{Answering, Connection, Ids},
    wire::packet::{ConnectionId, Hello, Packet, TOKEN_LEN, VERSION},
};

/// Most connections that strangers can have open: room for ten thousand clients. An idle one costs some 6 KiB, so a flood of finished
/// handshakes costs 72 MiB.
const MAX_CONNECTIONS: usize = 12_288;

/// Who sent a datagram, and which of our addresses it reached.
pub(super) type From = (SocketAddr, Option<IpAddr>);

impl Endpoint {
    /// Takes in a packet that belongs to a handshake or to no connection.
    pub(super) fn on_handshake_packet(&mut self, now: Instant, from: From, packet: Packet<'_>) {
        let (remote, _) = from;
        match packet {
            Packet::Hello(hello) => self.on_hello(now, from, &hello),
            Packet::Answer { to, payload } => self.on_answer(now, remote, to, payload),
            Packet::Finish { to, payload } => self.on_finish(now, remote, to, payload),
            Packet::Retry { to, cookie } => self.on_retry(now, remote, to, cookie),
            Packet::Reset { unknown, token } => self.on_reset(remote, unknown, &token),
            Packet::Versions { to, spoken: false } => self.on_versions(remote, to),
            Packet::Versions { spoken: true, .. } | Packet::Data { .. } => {}
        }
    }

    fn on_hello(&mut self, now: Instant, from: From, hello: &Hello<'_>) {
        let (remote, _) = from;
        if !self.config.accept || self.shutting_down {
            return;
        }
        if hello.version != VERSION {
            self.stateless.say(from, hello.client, Word::Versions);
            return;
        }
        if !Answering::suits(&self.config, hello) {
            return;
        }
        let full = self.connections.len() >= MAX_CONNECTIONS;
        match self.gate.judge(now, remote, hello, full) {
            Verdict::Silence => {}
            Verdict::Retry(cookie) => {
                self.stateless.say(from, hello.client, Word::Retry(cookie));
            }
            Verdict::Again(slot) => {
                if let Some(connection) = self.connections.get_mut(slot) {
                    connection.on_hello_again();
                    self.touch(slot);
                }
            }
            Verdict::Answer { proven } => self.answer(now, from, hello, proven),
        }
    }

    fn answer(&mut self, now: Instant, from: From, hello: &Hello<'_>, proven: bool) {
        let (remote, _) = from;
        let (handle, own) = self.connections.reserve(&self.config.security, &mut self.random);
        let ids = Ids { handle, own, peer: hello.client };
        match Answering::new(now, &self.config, own, hello) {
            Ok(answering) => {
                let random = &mut self.random;
                let connection =
                    Connection::accept(now, &self.config, ids, from, answering, random);
                self.connections.fill(connection);
                let greeted = Greeted { remote, client: hello.client, proven };
                self.gate.admit(handle.slot, greeted);
                self.touch(handle.slot);
            }
            Err(_) => {
                self.connections.release(handle.slot);
                self.gate.withdraw(remote.ip(), proven);
            }
        }
    }

    fn on_answer(&mut self, now: Instant, remote: SocketAddr, to: ConnectionId, payload: &[u8]) {
        let Some(connection) = self.connections.by_id(to).filter(|c| c.remote() == remote) else {
            return;
        };
        connection.on_answer(now, payload, &mut self.outbox);
        let slot = connection.handle.slot;
        self.connections.note_resettable(slot);
        self.touch(slot);
    }

    fn on_retry(&mut self, now: Instant, remote: SocketAddr, to: ConnectionId, cookie: &[u8]) {
        let Some(connection) = self.connections.by_id(to).filter(|c| c.remote() == remote) else {
            return;
        };
        connection.on_retry(now, cookie, (&mut self.random, &mut self.outbox));
        let slot = connection.handle.slot;
        self.touch(slot);
    }

    fn on_finish(&mut self, now: Instant, remote: SocketAddr, to: ConnectionId, payload: &[u8]) {
        let Some(connection) = self.connections.by_id(to) else { return };
        if connection.is_finish_costly() && !self.gate.bears(now, remote.ip()) {
            return;
        }
        connection.on_finish(now, remote, payload, &mut self.outbox);
        let slot = connection.handle.slot;
        if connection.is_established() {
            self.gate.close(slot);
        }
        self.touch(slot);
    }

    fn on_versions(&mut self, remote: SocketAddr, to: ConnectionId) {
        let Some(connection) = self.connections.by_id(to).filter(|c| c.remote() == remote) else {
            return;
        };
        connection.on_versions(&mut self.outbox);
        let slot = connection.handle.slot;
        self.touch(slot);
    }

    fn on_reset(&mut self, remote: SocketAddr, unknown: ConnectionId, token: &[u8; TOKEN_LEN]) {
        let Some(connection) = self.connections.by_peer_id(remote, unknown) else { return };
        connection.on_reset(token, &mut self.outbox);
        let slot = connection.handle.slot;
        self.touch(slot);
    }
}
