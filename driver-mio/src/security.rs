//! How a connection is protected, and as whom.

use std::sync::Arc;

use gannet_protocol::{
    Config, Expected,
    crypto::{Identity, Secret},
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

/// Has an endpoint prove that it holds `key`.
pub(crate) fn seal(config: &mut Config, key: &SecretKey) {
    let secret = Secret::take(&mut key.expose().clone());
    config.security = gannet_protocol::Security::Sealed(Identity::new(Arc::new(AwsLc), &secret));
}
