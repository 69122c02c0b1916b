//! The line that pairs two machines: which server it is, where it is, and a secret to be let in by, once.

mod codec;
mod secret;

use std::{error, fmt, net::SocketAddr};

use gannet_protocol::{
    PublicKey,
    armor::{self, BadText, Kind, MAX_TEXT},
};
use zeroize::Zeroizing;

use super::HostPort;

pub use secret::{Proof, TicketSecret};

/// Most addresses of a server in a ticket; the line stays under 600 characters.
pub const MAX_ADDRESSES: usize = 8;

/// What `gannet invite` prints and `gannet join` takes (`docs/trust.md`).
///
/// Whoever has its text is let in: it is never displayed, not even for debugging, and its secret is wiped from memory when
/// it is dropped.
#[derive(Debug)]
pub struct Ticket {
    server: PublicKey,
    via: HostPort,
    addresses: Vec<SocketAddr>,
    secret: TicketSecret,
}

impl Ticket {
    /// Of the server with this key, which the inviter reached as `via`. Of the server's own `addresses`, the first
    /// [`MAX_ADDRESSES`] are kept that another machine could reach.
    #[must_use]
    pub fn new(
        server: PublicKey,
        via: HostPort,
        addresses: impl IntoIterator<Item = SocketAddr>,
        secret: TicketSecret,
    ) -> Self {
        let addresses = addresses.into_iter().filter(leads_there).take(MAX_ADDRESSES).collect();
        Self { server, via, addresses, secret }
    }

    /// Reads its line.
    ///
    /// # Errors
    /// [`BadTicket`], which holds nothing of it.
    pub fn parse(text: &str) -> Result<Self, BadTicket> {
        let mut bytes = Zeroizing::new([0; MAX_TEXT]);
        let len = armor::read(Kind::Ticket, text, bytes.as_mut_slice())
            .map_err(|why| BadTicket::Text(why.redacted()))?;
        codec::decode(bytes.get(..len).unwrap_or_default())
    }

    /// Its line, which is to be shown to nobody but whom it invites.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        let bytes = codec::encode(self);
        // With room for all of it, the string never moves and leaves no copy behind.
        let mut text = Zeroizing::new(String::with_capacity(MAX_TEXT));
        // It always fits: a host has at most 255 bytes, and there are at most eight addresses.
        let _ = armor::write(&mut *text, Kind::Ticket, &bytes);
        text
    }

    /// The server's key.
    #[must_use]
    pub const fn server(&self) -> PublicKey {
        self.server
    }

    /// How the inviter reached the server.
    #[must_use]
    pub const fn via(&self) -> &HostPort {
        &self.via
    }

    /// The server's own addresses, to be tried if that fails.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What to prove to the server.
    #[must_use]
    pub const fn secret(&self) -> &TicketSecret {
        &self.secret
    }
}

/// Whether a packet from another machine could get to `address`. Loopback counts: pairing two users of one machine.
fn leads_there(address: &SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    let is_on_one_link = match ip {
        std::net::IpAddr::V4(ip) => ip.is_broadcast(),
        // Which link only its own machine can say.
        std::net::IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !is_on_one_link
}

/// Why a text is not a [`Ticket`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BadTicket {
    /// It is not the text of one.
    Text(BadText),
    /// It is of another version.
    Version(u8),
    /// It is checksummed, and yet not a ticket.
    Content,
}

impl fmt::Display for BadTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(BadText::NotOurs) => {
                write!(f, "not a ticket: tickets start with {}", Kind::Ticket.prefix())
            }
            Self::Text(BadText::Checksum | BadText::TooShort { .. } | BadText::TooLong { .. }) => {
                write!(f, "not a whole ticket: copy all of the line, and nothing else")
            }
            Self::Text(why) => write!(f, "not a ticket: {why}"),
            Self::Version(version) => {
                write!(f, "a ticket of version {version}, made by a newer gannet: update this one")
            }
            Self::Content => write!(f, "not a ticket that gannet made"),
        }
    }
}

impl error::Error for BadTicket {}
