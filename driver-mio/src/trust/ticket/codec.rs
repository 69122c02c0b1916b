//! A ticket's bytes: version, server's key, secret, HOST, PORT, addresses.

use std::net::{IpAddr, SocketAddr};

use gannet_protocol::PublicKey;
use zeroize::Zeroizing;

use super::{BadTicket, MAX_ADDRESSES, Ticket, TicketSecret, leads_there};
use crate::trust::HostPort;

/// The only version.
const VERSION: u8 = 1;
/// Bytes of the longest one: eight IPv6 addresses.
const MAX_BYTES: usize = 1 + 32 + 16 + 1 + 255 + 2 + 1 + MAX_ADDRESSES * (1 + 16 + 2);

pub(super) fn encode(ticket: &Ticket) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES));
    bytes.push(VERSION);
    bytes.extend_from_slice(ticket.server.as_bytes());
    bytes.extend_from_slice(ticket.secret.expose());
    let host = ticket.via.host().as_bytes();
    // A host has at most 255 bytes, and there are at most eight addresses.
    bytes.push(host.len() as u8);
    bytes.extend_from_slice(host);
    bytes.extend_from_slice(&ticket.via.port().to_be_bytes());
    bytes.push(ticket.addresses.len() as u8);
    for address in &ticket.addresses {
        match address.ip() {
            IpAddr::V4(ip) => {
                bytes.push(4);
                bytes.extend_from_slice(&ip.octets());
            }
            IpAddr::V6(ip) => {
                bytes.push(6);
                bytes.extend_from_slice(&ip.octets());
            }
        }
        bytes.extend_from_slice(&address.port().to_be_bytes());
    }
    bytes
}

pub(super) fn decode(bytes: &[u8]) -> Result<Ticket, BadTicket> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => Reader(rest).ticket().ok_or(BadTicket::Content),
        Some((version, _)) => Err(BadTicket::Version(*version)),
        None => Err(BadTicket::Content),
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn ticket(&mut self) -> Option<Ticket> {
        let server = PublicKey::from_bytes(*self.array()?);
        let secret = TicketSecret::from_bytes(self.array()?);
        let [len] = *self.array()?;
        let (host, rest) = self.0.split_at_checked(len.into())?;
        self.0 = rest;
        let port = u16::from_be_bytes(*self.array()?);
        let via = HostPort::new(std::str::from_utf8(host).ok()?, port).ok()?;
        let [count] = *self.array()?;
        if usize::from(count) > MAX_ADDRESSES {
            return None;
        }
        let addresses = (0..count).map(|_| self.address()).collect::<Option<_>>()?;
        self.0.is_empty().then_some(Ticket { server, via, addresses, secret })
    }

    fn address(&mut self) -> Option<SocketAddr> {
        let ip = match *self.array()? {
            [4] => IpAddr::from(*self.array::<4>()?),
            [6] => IpAddr::from(*self.array::<16>()?),
            _ => return None,
        };
        let address = SocketAddr::new(ip, u16::from_be_bytes(*self.array()?));
        leads_there(&address).then_some(address)
    }

    fn array<const N: usize>(&mut self) -> Option<&[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(array)
    }
}
