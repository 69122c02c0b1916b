//! One sealed endpoint, and what it takes for true.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use gannet_protocol::{
    CloseCode, CloseReason, Config, ConnectionHandle, Datagram, Endpoint, Event, Expected, Instant,
    PublicKey, Security, Unread, crypto::Identity,
};

/// Batches that an endpoint gives at most before it falls idle.
const MAX_BATCHES: u32 = 4_096;
/// Times at most that timers are due again as soon as they were served.
const MAX_TIMEOUTS: u32 = 16;

/// One sealed endpoint.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) endpoint: Endpoint,
    pub(super) address: SocketAddr,
    pub(super) key: PublicKey,
    /// As a client: which keys are right, for each connection.
    expected: BTreeMap<ConnectionHandle, Expected>,
    /// Connections that are established.
    pub(super) open: BTreeSet<ConnectionHandle>,
    /// What was established since somebody asked.
    pub(super) news: Vec<Bond>,
    /// Why connections ended.
    pub(super) closed: Vec<CloseReason>,
    /// Where batches are built.
    batch: Vec<u8>,
}

/// Whom an endpoint takes another for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bond {
    pub(super) peer: PublicKey,
    /// As a client.
    pub(super) expected: Option<Expected>,
    pub(super) transcript: [u8; 32],
}

impl Host {
    pub(super) fn new(
        mut config: Config,
        identity: Identity,
        seed: u8,
        address: SocketAddr,
    ) -> Self {
        let key = *identity.public();
        config.security = Security::Sealed(identity);
        Self {
            endpoint: Endpoint::new(config, [seed; 32]),
            address,
            key,
            expected: BTreeMap::new(),
            open: BTreeSet::new(),
            news: Vec::new(),
            closed: Vec::new(),
            batch: vec![0; 65_400],
        }
    }

    pub(super) fn connect(&mut self, now: Instant, to: SocketAddr, expected: Expected) {
        let connection = self.endpoint.connect_to(now, to, expected);
        self.expected.insert(connection, expected);
    }

    /// Takes in a datagram. Nobody asks for anything, so it has no bytes of a file.
    pub(super) fn receive(&mut self, now: Instant, from: SocketAddr, payload: &mut [u8]) {
        let datagram = Datagram { remote: from, local: None, ecn: None, payload };
        let write = self.endpoint.handle_datagram(now, datagram);
        assert!(write.is_none(), "bytes that nobody sent");
    }

    /// Polls until all that is left lies in the future; gives what there is to send, and to whom.
    pub(super) fn drain(&mut self, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut out = Vec::new();
        for _ in 0..MAX_TIMEOUTS {
            self.transmit(now, &mut out);
            while let Some(event) = self.endpoint.poll_event() {
                self.take(&event);
            }
            match self.endpoint.poll_timeout() {
                Some(at) if at <= now => self.endpoint.handle_timeout(now),
                _ => return out,
            }
        }
        panic!("a timer is due for ever");
    }

    fn transmit(&mut self, now: Instant, out: &mut Vec<(SocketAddr, Vec<u8>)>) {
        let mut source = |_, _, _: &mut [u8]| Err(Unread::Pending);
        for _ in 0..MAX_BATCHES {
            let Some(sent) = self.endpoint.poll_transmit(now, &mut source, &mut self.batch) else {
                return;
            };
            let datagrams = self.batch[..sent.len].chunks(sent.segment_len);
            out.extend(datagrams.map(|bytes| (sent.remote, bytes.to_vec())));
        }
        panic!("it never falls idle");
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::Connected(connection) => {
                self.open.insert(*connection);
                // It may be over already, by a packet that overtook the FINISH.
                let Some(session) = self.endpoint.session(*connection) else { return };
                let known = session.peer_key().zip(session.transcript());
                let (peer, transcript) = known.expect("all connections are sealed");
                let expected = self.expected.get(connection).copied();
                self.news.push(Bond { peer, expected, transcript });
            }
            Event::Closed(connection, reason) => {
                self.open.remove(connection);
                self.closed.push(*reason);
            }
            other => panic!("nobody asks for anything: {other:?}"),
        }
    }

    /// Closes the oldest connection that is established.
    pub(super) fn close(&mut self) {
        let Some(connection) = self.open.pop_first() else { return };
        if let Some(mut session) = self.endpoint.session(connection) {
            session.close(CloseCode::Done);
        }
    }
}
