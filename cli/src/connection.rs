//! A connection to a server that is made again when it was lost.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use gannet_driver_mio::{
    client::{Client, ConnectError, Lost},
    trust::HostPort,
    units::format_duration,
};
use gannet_protocol::{CloseCode, CloseReason, PublicKey};

use crate::{
    args::Connecting,
    contact,
    errors::{Error, TrustError},
    progress::Waiting,
    settings::Settings,
};

/// Pause after the first attempt; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause: a network that is back is found that soon, and a server that is gone gets a few packets a minute.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A loss so soon after a reconnection belongs to the outage before: a server that fails at every request is not tried for ever.
const SAME_OUTAGE: Duration = Duration::from_secs(30);

/// A connection to a server that is made again when it was lost.
#[derive(Debug)]
pub(crate) struct Connection {
    client: RefCell<Rc<Client>>,
    /// The server, as the user named it.
    server: HostPort,
    connecting: Connecting,
    settings: Settings,
    /// The key by which it knows us; none on a plain connection.
    own: Option<PublicKey>,
    /// The last outage.
    outage: Cell<Option<Outage>>,
}

#[derive(Clone, Copy, Debug)]
struct Outage {
    began: Instant,
    ended: Instant,
}

impl Connection {
    /// Connects for the first time.
    ///
    /// # Errors
    /// As [`contact::connect`].
    pub(crate) fn open(
        server: &HostPort,
        connecting: Connecting,
        settings: &Settings,
    ) -> Result<Self, Error> {
        let (client, own) = contact::connect(server, connecting, settings)?;
        log::debug!("connected to {}", client.remote());
        Ok(Self {
            client: RefCell::new(Rc::new(client)),
            server: server.clone(),
            connecting,
            settings: settings.clone(),
            own,
            outage: Cell::new(None),
        })
    }

    /// The connection that there is now.
    pub(crate) fn client(&self) -> Rc<Client> {
        Rc::clone(&self.client.borrow())
    }

    /// Whether what is stored on this side is to survive a power failure.
    pub(crate) const fn syncs(&self) -> bool {
        self.connecting.sync
    }

    /// The server, as the user named it.
    pub(crate) const fn server(&self) -> &HostPort {
        &self.server
    }

    /// Whether there is a point in waiting for the server, and the user wants it.
    pub(crate) fn may_come_back(&self, lost: &Lost) -> bool {
        !self.connecting.retry_for.is_zero() && is_passing(lost)
    }

    /// What a loss of the connection means.
    pub(crate) fn loss(&self, lost: Lost) -> Error {
        match self.own {
            Some(key) if is_refusal(&lost) => {
                TrustError::Refused { server: self.server.clone(), key }.into()
            }
            _ => Error::Lost(lost),
        }
    }

    /// Waits for the server that was lost, and connects again; at once if that has happened already.
    ///
    /// # Errors
    /// [`Self::loss`] if it does not come back in time; [`Error::Trust`] and [`Error::Connect`] if what came back is not
    /// the server, or does not speak with us.
    pub(crate) fn again(&self, lost: Lost) -> Result<(), Error> {
        if self.client().lost().is_none() {
            return Ok(());
        }
        if !self.may_come_back(&lost) {
            return Err(self.loss(lost));
        }
        let now = Instant::now();
        let same = self.outage.get().filter(|last| now.duration_since(last.ended) < SAME_OUTAGE);
        let began = same.map_or(now, |last| last.began);
        let console = self.settings.console;
        console.note(format_args!(
            "lost the connection to {}; waiting for it, for up to {}",
            self.server,
            format_duration(self.connecting.retry_for)
        ));
        let waiting = Waiting::show(console, &self.server);
        let client = self.try_until(began + self.connecting.retry_for)?;
        drop(waiting);
        let Some(client) = client else { return Err(self.loss(lost)) };
        let after = match now.elapsed().as_secs() {
            0 => "less than a second".into(),
            secs => format_duration(Duration::from_secs(secs)),
        };
        console.note(format_args!("connected to {} again, after {after}", self.server));
        self.client.replace(Rc::new(client));
        self.outage.set(Some(Outage { began, ended: Instant::now() }));
        Ok(())
    }

    /// Connects to the same server as before; nothing if it does not come back until then.
    fn try_until(&self, end: Instant) -> Result<Option<Client>, Error> {
        let mut connecting = self.connecting;
        if !connecting.plain {
            // Whoever answers now has to be who answered before.
            connecting.server_key = self.client().server_key();
            connecting.accept_new = false;
        }
        let mut pause = FIRST_PAUSE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            connecting.timeout = self.connecting.timeout.min(left);
            match contact::connect(&self.server, connecting, &self.settings) {
                Ok((client, _)) => return Ok(Some(client)),
                Err(Error::Connect { error, .. }) if is_absence(&error) => {
                    log::info!("{} is not back yet: {error}", self.server);
                }
                Err(error) => return Err(error),
            }
            thread::sleep(pause.min(end.saturating_duration_since(Instant::now())));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Whether the server said that it does not know us.
pub(crate) fn is_refusal(lost: &Lost) -> bool {
    lost.reason == CloseReason::Peer(CloseCode::Refused)
}

/// Whether another attempt may find what this one did not: the network, or the server's program.
fn is_passing(lost: &Lost) -> bool {
    match lost.reason {
        CloseReason::Silence(_)
        | CloseReason::NoAnswer(_)
        | CloseReason::Reset
        | CloseReason::KeysUsedUp
        | CloseReason::Peer(CloseCode::Done | CloseCode::ShuttingDown | CloseCode::KeysUsedUp) => {
            true
        }
        CloseReason::Local
        | CloseReason::Cryptography(_)
        | CloseReason::Version
        | CloseReason::UnknownKey(_)
        | CloseReason::WrongKey(_)
        | CloseReason::Violation(_)
        | CloseReason::Peer(CloseCode::Refused | CloseCode::Violation(_) | CloseCode::Unknown(_)) => {
            false
        }
    }
}

/// Whether nobody answered, so that someone may answer later.
fn is_absence(error: &ConnectError) -> bool {
    match error {
        ConnectError::Resolve { .. } | ConnectError::Socket(_) | ConnectError::NoAnswer { .. } => {
            true
        }
        ConnectError::Version(_)
        | ConnectError::UnknownKey { .. }
        | ConnectError::WrongKey { .. }
        | ConnectError::Cryptography => false,
    }
}
