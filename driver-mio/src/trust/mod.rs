//! Who is who, and who may do what: keys, pins, authorizations, invitations.

mod access;
mod authorized;
mod host_port;
mod identity;
mod paths;
pub mod policy;
mod private;
mod words;

pub use access::Access;
pub use authorized::{
    Authorized, AuthorizedClients, AuthorizedError, BadLine, ClientList, Standing, authorize,
};
pub use host_port::{BadHostPort, HostPort};
pub use identity::{IdentityError, SecretKey};
pub use paths::{NoHome, Paths};
pub use private::{Exposure, FileError};
pub use words::BadWords;
