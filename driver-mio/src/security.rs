//! How a connection is protected, and as whom.

use std::{fmt, sync::Arc};

use gannet_protocol::{
    Config, Expected, Security,
    crypto::{Crypto, Identity, Secret},
};

use crate::{
    crypto::AwsLc,
    trust::{Paths, SecretKey, policy::Grant},
};

/// How a server protects its connections, and whom it lets in.
#[derive(Clone, Debug)]
pub enum ServerSecurity {
    /// Not at all, and everyone: for trusted links.
    Plain,
    /// Packets are sealed, and every key may do what its grant says.
    Sealed(ServerTrust),
}

/// Who a server is, and whom it lets in.
#[derive(Clone, Debug)]
pub struct ServerTrust {
    /// Its own key, which is its user's: who holds it may do everything.
    pub key: Arc<SecretKey>,
    /// Where the list of clients is.
    pub paths: Paths,
    /// What everyone else may do, if anything.
    pub anyone: Option<Grant>,
}

/// How a client protects its connection, and whom it trusts.
#[derive(Clone, Debug)]
pub enum ClientSecurity {
    /// Not at all, and whoever answers: for trusted links.
    Plain,
    /// Packets are sealed.
    Sealed {
        /// The client's own key.
        key: Arc<SecretKey>,
        /// The keys by which it knows the server.
        expected: Expected,
    },
}

/// The cryptography of sealed connections: [`AwsLc`] where nothing else is said.
#[derive(Clone)]
pub struct Provider(pub Arc<dyn Crypto>);

impl Default for Provider {
    fn default() -> Self {
        Self(Arc::new(AwsLc))
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").finish_non_exhaustive()
    }
}

/// Has an endpoint prove that it holds `key`.
pub(crate) fn seal(config: &mut Config, key: &SecretKey, crypto: &Provider) {
    let secret = Secret::take(&mut key.expose().clone());
    config.security = Security::Sealed(Identity::new(Arc::clone(&crypto.0), &secret));
}
