//! Making contact with a server: as whom, and whether it is the right one.

use std::{path::PathBuf, sync::Arc, time::Duration};

use gannet_driver_mio::{
    client::{Client, ClientOptions, ConnectError},
    qlog::TraceFiles,
    security::ClientSecurity,
    trust::{self, HostPort, KnownServers, Paths, SecretKey},
};
use gannet_protocol::{Expected, PublicKey};

use crate::{
    args::{Congestion, Connecting, Manners},
    errors::{Error, TrustError},
    question,
    settings::{Settings, own_key},
};

/// Connects, if the server is the right one; also gives the key by which it knows us, if by any.
///
/// # Errors
/// [`Error::Connect`], [`Error::Trust`], [`Error::Stdio`]
pub(crate) fn connect(
    server: &HostPort,
    connecting: Connecting,
    settings: &Settings,
) -> Result<(Client, Option<PublicKey>), Error> {
    let Connecting { timeout, congestion, manners, sync, .. } = connecting;
    let terms = Terms { timeout, congestion, manners, sync };
    if connecting.plain {
        let (paths, trace) = (settings.paths().ok(), settings.trace.clone());
        let client = dial(server, terms, ClientSecurity::Plain, paths.as_ref(), trace)?;
        return Ok((client, None));
    }
    let book = AddressBook::open(settings)?;
    let client = book.reach(server, connecting.server_key, terms, |key| {
        if connecting.accept_new {
            settings.console.note(format_args!("{server} is known by {key} from now on"));
            return Ok(());
        }
        if !question::can_be_answered() {
            return Err(TrustError::FirstContact { server: server.clone(), key: *key }.into());
        }
        match question::on_terminal(&question::first_contact(server, key)) {
            Ok(true) => Ok(()),
            Ok(false) => Err(TrustError::Declined.into()),
            Err(error) => Err(Error::Stdio(error)),
        }
    })?;
    Ok((client, Some(book.own())))
}

/// What the user wants of a connection, whoever is at its other end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// How long to try to reach the server.
    pub(crate) timeout: Duration,
    /// How fast it is sent.
    pub(crate) congestion: Congestion,
    pub(crate) manners: Manners,
    /// Whether what is stored here is to survive a power failure.
    pub(crate) sync: bool,
}

/// Our own key, and those of the servers that were met.
#[derive(Debug)]
pub(crate) struct AddressBook {
    key: Arc<SecretKey>,
    known: KnownServers,
    file: PathBuf,
    paths: Paths,
    trace: Option<TraceFiles>,
}

impl AddressBook {
    /// Reads both.
    ///
    /// # Errors
    /// [`Error::Trust`]
    pub(crate) fn open(settings: &Settings) -> Result<Self, Error> {
        let paths = settings.paths()?;
        let key = own_key(&paths)?;
        let file = paths.known_servers();
        let known = KnownServers::load(&file).map_err(TrustError::KnownServers)?;
        let trace = settings.trace.clone();
        Ok(Self { key, known, file, paths, trace })
    }

    /// The key by which servers know us.
    pub(crate) fn own(&self) -> PublicKey {
        self.key.public()
    }

    /// Connects to `server`. If its user says that it has the key `named`, no other will do. Of a server that is met for the
    /// first time nothing is asked before `accept` lets it be and its key is stored.
    ///
    /// # Errors
    /// [`Error::Connect`], [`Error::Trust`], and what `accept` says.
    pub(crate) fn reach(
        &self,
        server: &HostPort,
        named: Option<PublicKey>,
        terms: Terms,
        accept: impl FnOnce(&PublicKey) -> Result<(), Error>,
    ) -> Result<Client, Error> {
        let mut expected = trust::expected(server, self.own(), named, &self.known)
            .map_err(|error| TrustError::NamedAnother { error, file: self.file.clone() })?;
        let result = match self.dial(server, terms, expected) {
            Err(Error::Connect { error: ConnectError::UnknownKey { key, .. }, .. }) => {
                accept(&key)?;
                self.remember(server, &key)?;
                expected.known = Some(key);
                self.dial(server, terms, expected)
            }
            result => result,
        };
        result.map_err(|error| match error {
            Error::Connect { error: ConnectError::WrongKey { key, .. }, .. } => {
                self.wrong(server, key, named).into()
            }
            error => error,
        })
    }

    /// Stores the key of a server.
    ///
    /// # Errors
    /// [`TrustError::KnownServers`]
    pub(crate) fn remember(&self, server: &HostPort, key: &PublicKey) -> Result<(), Error> {
        trust::remember(&self.file, server, key).map_err(|e| TrustError::KnownServers(e).into())
    }

    fn dial(&self, server: &HostPort, terms: Terms, expected: Expected) -> Result<Client, Error> {
        let security = ClientSecurity::Sealed { key: Arc::clone(&self.key), expected };
        dial(server, terms, security, Some(&self.paths), self.trace.clone())
    }

    fn wrong(&self, server: &HostPort, key: PublicKey, named: Option<PublicKey>) -> TrustError {
        let server = server.clone();
        match (named, self.known.pin(&server)) {
            (Some(named), _) => TrustError::NotNamed { server, key, named },
            (None, pin) => {
                let line = pin.map(|pin| pin.line);
                TrustError::Changed { server, key, file: self.file.clone(), line }
            }
        }
    }
}

fn dial(
    server: &HostPort,
    terms: Terms,
    security: ClientSecurity,
    paths: Option<&Paths>,
    trace: Option<TraceFiles>,
) -> Result<Client, Error> {
    let plain = matches!(security, ClientSecurity::Plain);
    let mut options = ClientOptions::new(security);
    options.connect_timeout = terms.timeout;
    options.congestion = terms.congestion.into();
    options.background = terms.manners.background;
    options.max_rate = terms.manners.max_rate;
    options.sync = terms.sync;
    options.known_paths = paths.map(Paths::known_paths);
    options.trace = trace;
    Client::connect(server.host(), server.port(), &options).map_err(|error| Error::Connect {
        server: server.clone(),
        plain,
        error,
    })
}
