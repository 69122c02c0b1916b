//! A connection to a server, and the verbs that it carries.

use std::{cell::Cell, ffi::OsString, time::Duration};

use gannet_driver_mio::{
    client::{Client, Failure, Job, Lost},
    trust::HostPort,
    units::format_duration,
};
use gannet_protocol::{CloseCode, CloseReason, Entry, Name, PublicKey, Status};

use crate::{
    args::{Connecting, Invite, List, Rename, Verb},
    console::{Console, print},
    contact,
    directory::LocalDirectory,
    errors::{Action, Error, TrustError},
    interrupt::Interrupt,
    listing, names,
    outcome::Outcome,
    settings::Settings,
    summary, transfer,
};

/// How often a wait looks up for ctrl+c and for the progress: sooner than a user can notice.
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// Asks the user whether to stop a server although so many transfers of others run.
pub(crate) type AskToStop<'a> = &'a mut dyn FnMut(u64) -> Result<bool, Error>;

/// A connection, with what the user chose for it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) console: Console,
    pub(crate) interrupt: Interrupt,
    pub(crate) here: LocalDirectory,
    /// The server, as the user named it.
    server: HostPort,
    /// The key by which it knows us; none on a plain connection.
    own: Option<PublicKey>,
    /// The loss that a verb's failure told of.
    lost: Cell<Option<Lost>>,
    /// The server ends because we asked it to, so that this is no loss.
    stopped: Cell<bool>,
}

impl Session {
    /// Connects to `server`. Until that is done ctrl+c ends the process at once, from then on it is noted.
    ///
    /// # Errors
    /// As [`contact::connect`].
    pub(crate) fn open(
        server: &HostPort,
        connecting: Connecting,
        settings: &Settings,
    ) -> Result<Self, Error> {
        let interrupt = Interrupt::listen().map_err(Error::Stdio)?;
        let (client, own) = contact::connect(server, connecting, settings)?;
        interrupt.defer();
        log::debug!("connected to {}", client.remote());
        Ok(Self {
            client,
            console: settings.console,
            interrupt,
            here: LocalDirectory::default(),
            server: server.clone(),
            own,
            lost: Cell::new(None),
            stopped: Cell::new(false),
        })
    }

    /// Waits until it is sure that the server lets us in. Ctrl+c ends the process at once meanwhile.
    ///
    /// # Errors
    /// [`Error::Lost`], [`TrustError::Refused`]
    pub(crate) fn confirm(&self) -> Result<(), Error> {
        self.interrupt.act_at_once();
        self.client.confirm().map_err(|lost| self.loss(lost))?;
        self.interrupt.defer();
        Ok(())
    }

    /// Does what `verb` says and tells how it went. Without `ask` an exit does not ask.
    pub(crate) fn run(&self, verb: &Verb, ask: Option<AskToStop<'_>>) -> Outcome {
        let result = match verb {
            Verb::Get(get) => transfer::get(self, get),
            Verb::Put(put) => transfer::put(self, put),
            Verb::List(list) => self.list(list).map(|()| Outcome::Done),
            Verb::Rename(rename) => self.rename(rename).map(|()| Outcome::Done),
            Verb::Exit(_) => self.exit(ask).map(|()| Outcome::Done),
            Verb::Invite(invite) => self.invite(invite).map(|()| Outcome::Done),
        };
        result.unwrap_or_else(|error| self.console.report(&error))
    }

    /// Ends the connection as `outcome` wants it, and tells if it was lost.
    pub(crate) fn close(self, outcome: Outcome) -> Outcome {
        let lost = self.lost();
        if let Some(stats) = self.client.stats() {
            log::info!("{}", summary::connection(&stats));
        }
        if outcome == Outcome::Interrupted {
            self.client.abort();
            return outcome;
        }
        match lost {
            Some(lost) => outcome.or(self.console.report(&self.loss(lost))),
            None => outcome,
        }
    }

    /// Why the connection is over, if it is.
    pub(crate) fn lost(&self) -> Option<Lost> {
        self.lost.get().or_else(|| self.client.lost()).filter(|_| !self.has_stopped_server())
    }

    /// Whether an exit succeeded.
    pub(crate) fn has_stopped_server(&self) -> bool {
        self.stopped.get()
    }

    /// What `failure` means for `action`.
    pub(crate) fn error(&self, action: Action, failure: Failure) -> Error {
        if let Failure::Lost(lost) = failure {
            self.lost.set(Some(lost));
        }
        Error::of(action, failure)
    }

    /// What a loss of the connection means.
    fn loss(&self, lost: Lost) -> Error {
        match self.own {
            Some(key) if is_refusal(&lost) => {
                TrustError::Refused { server: self.server.clone(), key }.into()
            }
            _ => Error::Lost(lost),
        }
    }

    /// Waits for `job` until the user wants an end.
    fn wait<T>(&self, mut job: Job<T>) -> Result<T, Failure> {
        loop {
            if let Some(result) = job.wait_timeout(TICK) {
                return result;
            }
            if self.interrupt.heard() {
                return Err(Failure::Cancelled);
            }
        }
    }

    fn list(&self, List { dir }: &List) -> Result<(), Error> {
        let action = Action::List(dir.clone());
        let name = match dir {
            None => None,
            Some(dir) => names::remote_directory(dir).map_err(|error| Error::BadName {
                action: action.clone(),
                name: dir.clone(),
                error,
            })?,
        };
        let entries =
            self.wait(self.client.list(name)).map_err(|failure| self.error(action, failure))?;
        self.interrupt.act_at_once();
        let printed = listing::print(entries);
        self.interrupt.defer();
        printed.map_err(Error::Stdio)
    }

    fn rename(&self, Rename { old, new }: &Rename) -> Result<(), Error> {
        let action = Action::Rename(old.clone(), new.clone());
        let name = |text: &OsString| {
            names::remote(text).map_err(|error| Error::BadName {
                action: action.clone(),
                name: text.clone(),
                error,
            })
        };
        let (from, to) = (name(old)?, name(new)?);
        self.wait(self.client.rename(from.clone(), to.clone()))
            .map_err(|failure| self.error(action.clone(), failure))?;
        self.console.note(format_args!("renamed {from} to {to}"));
        Ok(())
    }

    fn exit(&self, mut ask: Option<AskToStop<'_>>) -> Result<(), Error> {
        let mut force = ask.is_none();
        loop {
            let failure = match self.wait(self.client.exit(force)) {
                Ok(()) => break,
                Err(failure) => failure,
            };
            match (failure, &mut ask) {
                (Failure::Remote { status: Status::Busy, detail }, Some(ask)) if !force => {
                    force = ask(detail)?;
                    if !force {
                        return Err(Error::of(
                            Action::Exit,
                            Failure::Remote { status: Status::Busy, detail },
                        ));
                    }
                }
                (Failure::Lost(lost), _) if is_farewell(&lost) => break,
                (failure, _) => return Err(self.error(Action::Exit, failure)),
            }
        }
        self.stopped.set(true);
        self.console.note(format_args!("stopped the server at {}", self.client.remote()));
        Ok(())
    }

    fn invite(&self, invite: &Invite) -> Result<(), Error> {
        let grant = invite.grant()?;
        let asked = gannet_protocol::Invite {
            grant: grant.to_string(),
            via: self.server.to_string(),
            seconds: invite.seconds,
        };
        let ticket = self
            .wait(self.client.invite(asked))
            .map_err(|failure| self.error(Action::Invite, failure))?;
        print(format_args!("{}\n", ticket.reveal())).map_err(Error::Stdio)?;
        self.console.note(format_args!(
            "this ticket lets one client in within {}, which then {}{}; give it to them alone, \
             and have them run 'gannet join' and paste it there",
            format_duration(Duration::from_secs(invite.seconds)),
            grant.role().allows(),
            grant.dir().map(|dir| format!(", below {dir}/")).unwrap_or_default(),
        ));
        Ok(())
    }

    /// What is in a directory, for completion: nothing unless it comes within `patience`.
    pub(crate) fn glance(&self, dir: Option<Name>, patience: Duration) -> Vec<Entry> {
        match self.client.list(dir).wait_timeout(patience) {
            Some(Ok(entries)) => entries,
            _ => Vec::new(),
        }
    }
}

/// Whether the server said that it does not know us.
pub(crate) fn is_refusal(lost: &Lost) -> bool {
    lost.reason == CloseReason::Peer(CloseCode::Refused)
}

/// Whether the server said that it ends.
fn is_farewell(lost: &Lost) -> bool {
    matches!(lost.reason, CloseReason::Peer(CloseCode::ShuttingDown | CloseCode::Done))
}
