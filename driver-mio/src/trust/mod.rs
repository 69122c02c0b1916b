//! Who is who, and who may do what: keys, pins, authorizations, invitations.
//!
//! Nothing in here has a socket. A server asks [`AuthorizedClients`] for the [`policy::Grant`] of a client's key and
//! [`policy::decide`] for every verb; a client asks [`KnownServers`] whether a server's key is the right one; an
//! [`Invitations`] and a [`Ticket`] bring the two together. The files are described in `docs/authorized_clients.md` and
//! `docs/trust.md`.

mod access;
mod authorized;
mod expectation;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod host_port;
mod identity;
mod invitations;
mod known_paths;
mod known_servers;
mod paths;
pub mod policy;
mod private;
mod ticket;
mod words;

pub use access::Access;
pub use authorized::{
    Authorized, AuthorizedClients, AuthorizedError, BadLine, ClientList, Standing, authorize,
};
pub use expectation::{NamedAnother, expected};
pub use host_port::{BadHostPort, HostPort};
pub use identity::{IdentityError, SecretKey};
pub use invitations::{
    DEFAULT_LIFETIME, Invitation, Invitations, InviteError, JoinError, MAX_LIFETIME, MAX_OPEN,
};
pub use known_paths::{KnownPaths, Route, remember_path};
pub use known_servers::{BadPin, KnownServers, KnownServersError, Meeting, Pin, remember};
pub use paths::{NoHome, Paths};
pub use private::{Exposure, FileError};
pub use ticket::{BadTicket, MAX_ADDRESSES, Proof, Ticket, TicketSecret};
pub use words::BadWords;
