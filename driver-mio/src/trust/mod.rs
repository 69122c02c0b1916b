//! Who is who, and who may do what: keys, pins, authorizations, invitations.

mod access;
mod authorized;
mod expectation;
mod host_port;
mod identity;
mod known_servers;
mod paths;
pub mod policy;
mod private;
mod words;

pub use access::Access;
pub use authorized::{
    Authorized, AuthorizedClients, AuthorizedError, BadLine, ClientList, Standing, authorize,
};
pub use expectation::{Expectation, Judgement, NamedAnother};
pub use host_port::{BadHostPort, HostPort};
pub use identity::{IdentityError, SecretKey};
pub use known_servers::{BadPin, KnownServers, KnownServersError, Meeting, Pin, remember};
pub use paths::{NoHome, Paths};
pub use private::{Exposure, FileError};
pub use words::BadWords;
