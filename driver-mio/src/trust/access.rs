//! Who gets in at a server.

use std::time::SystemTime;

use gannet_protocol::PublicKey;

use super::{AuthorizedClients, Standing, policy::Grant};

/// What every key may do at a server: its owner everything, a listed one what its line says, any other one what is opened
/// to all, if anything is.
#[derive(Debug)]
pub struct Access {
    owner: PublicKey,
    authorized: AuthorizedClients,
    anyone: Option<Grant>,
}

impl Access {
    /// Of a server that `owner` runs. `anyone` is what it opens to all.
    #[must_use]
    pub const fn new(
        owner: PublicKey,
        authorized: AuthorizedClients,
        anyone: Option<Grant>,
    ) -> Self {
        Self { owner, authorized, anyone }
    }

    /// What `key` may do at this moment; none for a stranger. The file of authorized clients is looked at for it. A key
    /// whose line is wrong may not even do what anyone may.
    pub fn grant(&mut self, key: &PublicKey, now: SystemTime) -> Option<&Grant> {
        self.authorized.refresh(now);
        if *key == self.owner {
            return Some(&Grant::OWNER);
        }
        match self.authorized.standing(key) {
            Standing::Granted(grant) => Some(grant),
            Standing::Denied => None,
            Standing::Unlisted => self.anyone.as_ref(),
        }
    }

    /// The list behind it.
    #[must_use]
    pub const fn authorized(&self) -> &AuthorizedClients {
        &self.authorized
    }
}
