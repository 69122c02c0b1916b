//! Watches that strangers cannot make a server send much (RFC 9000, section 8).

use std::{collections::BTreeMap, net::SocketAddr};

use crate::forge::{self, Frame};

/// Holds a server to three times the bytes that an address sent it, at every instant, until the address has proved
/// that it receives: by a packet that answers what only the server's answer told it.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Packets are sealed, so that an answer to a challenge cannot be told from other packets of a connection: any of a client's is
    /// taken for one.
    sealed: bool,
    accounts: BTreeMap<SocketAddr, Account>,
}

#[derive(Debug, Default)]
struct Account {
    received: u64,
    sent: u64,
    validated: bool,
}

impl Watch {
    pub(crate) const fn new(sealed: bool) -> Self {
        Self { sealed, accounts: BTreeMap::new() }
    }

    /// The server gets a datagram. `is_clients`: a client is at that address.
    pub(crate) fn on_received(&mut self, from: SocketAddr, datagram: &[u8], is_clients: bool) {
        let same_host = self.accounts.iter().any(|(a, acc)| a.ip() == from.ip() && acc.validated);
        let proof = self.proves_receipt(datagram, is_clients);
        let account = self.accounts.entry(from).or_default();
        account.received += datagram.len() as u64;
        // A change of the port alone is not held to the limit (it would be a new mapping of the same NAT).
        account.validated = account.validated || same_host || proof;
    }

    /// The server sends a datagram.
    ///
    /// # Panics
    /// If it may not.
    pub(crate) fn on_sent(&mut self, to: SocketAddr, len: usize) {
        let account = self.accounts.entry(to).or_default();
        account.sent += len as u64;
        assert!(
            account.validated || account.sent <= 3 * account.received,
            "{} bytes to {to}, which sent {} and proved nothing",
            account.sent,
            account.received
        );
    }

    fn proves_receipt(&self, datagram: &[u8], is_clients: bool) -> bool {
        match datagram.first() {
            Some(&forge::FINISH) => forge::is_intact(datagram),
            Some(&forge::DATA) if self.sealed && is_clients => true,
            Some(&forge::DATA) => forge::frames(datagram).is_some_and(|mut frames| {
                frames.any(|frame| matches!(frame, Frame::PathResponse(_)))
            }),
            _ => false,
        }
    }
}
