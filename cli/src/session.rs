//! A connection to a server, and the verbs that it carries.

use std::{cell::Cell, ffi::OsString, rc::Rc, time::Duration};

use gannet_driver_mio::{
    client::{Client, Failure, Job, Lost},
    pattern::is_pattern,
    trust::HostPort,
    units::format_duration,
};
use gannet_protocol::{CloseCode, CloseReason, Entry, EntryKind, Name, Stat, Status};

use crate::{
    args::{Connecting, Invite, List, Rename, Verb},
    connection::Connection,
    console::{Console, print},
    directory::LocalDirectory,
    errors::{Action, Error},
    expand::{Named, expand},
    interrupt::Interrupt,
    json::Object,
    listing, manage, names,
    outcome::Outcome,
    settings::Settings,
    stats::Measuring,
    summary,
    telling::Telling,
    transfer,
};

/// How often a wait looks up for ctrl+c and for the progress: sooner than a user can notice.
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// Asks the user whether to stop a server although so many transfers of others run.
pub(crate) type AskToStop<'a> = &'a mut dyn FnMut(u64) -> Result<bool, Error>;

/// A connection, with what the user chose for it.
#[derive(Debug)]
pub(crate) struct Session {
    connection: Connection,
    pub(crate) console: Console,
    pub(crate) interrupt: Interrupt,
    pub(crate) here: LocalDirectory,
    /// The loss that ended a verb, because the server did not come back or was not waited for.
    lost: Cell<Option<Lost>>,
    /// The server ends because we asked it to, so that this is no loss.
    stopped: Cell<bool>,
}

impl Session {
    /// Connects to `server`. Until that is done ctrl+c ends the process at once, from then on it is noted.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub(crate) fn open(
        server: &HostPort,
        connecting: Connecting,
        settings: &Settings,
    ) -> Result<Self, Error> {
        let interrupt = Interrupt::listen().map_err(Error::Stdio)?;
        let connection = Connection::open(server, connecting, settings)?;
        interrupt.defer();
        Ok(Self {
            connection,
            console: settings.console,
            interrupt,
            here: LocalDirectory::default(),
            lost: Cell::new(None),
            stopped: Cell::new(false),
        })
    }

    /// Waits until it is sure that the server lets us in. Ctrl+c ends the process at once meanwhile.
    ///
    /// # Errors
    /// [`Error::Lost`], [`Error::Trust`]
    pub(crate) fn confirm(&self) -> Result<(), Error> {
        self.interrupt.act_at_once();
        self.client().confirm().map_err(|lost| self.connection.loss(lost))?;
        self.interrupt.defer();
        Ok(())
    }

    /// Does what `verb` says and tells how it went. Without `ask` an exit does not ask.
    pub(crate) fn run(&self, verb: &Verb, ask: Option<AskToStop<'_>>) -> Outcome {
        let telling = verb.telling(self.console);
        if let Err(error) = self.revive(verb) {
            return telling.failed(&error);
        }
        let measuring = Measuring::of(verb, self);
        let result = match verb {
            Verb::Get(get) => transfer::get(self, telling, get),
            Verb::Put(put) => transfer::put(self, telling, put),
            Verb::List(list) => self.list(telling, list).map(|()| Outcome::Done),
            Verb::Rename(rename) => self.rename(telling, rename).map(|()| Outcome::Done),
            Verb::Stat(stat) => manage::stat(self, telling, stat),
            Verb::Remove(remove) => manage::remove(self, telling, remove),
            Verb::Mkdir(mkdir) => manage::mkdir(self, telling, mkdir),
            Verb::Exit(_) => self.exit(telling, ask).map(|()| Outcome::Done),
            Verb::Invite(invite) => self.invite(telling, invite).map(|()| Outcome::Done),
        };
        let outcome = result.unwrap_or_else(|error| telling.failed(&error));
        match measuring.filter(|_| outcome != Outcome::Interrupted) {
            Some(measuring) => match measuring.tell(self, telling) {
                Ok(()) => outcome,
                Err(error) => outcome.or(telling.failed(&error)),
            },
            None => outcome,
        }
    }

    /// Ends the connection as `outcome` wants it, and tells if it was lost.
    pub(crate) fn close(self, outcome: Outcome, telling: Telling) -> Outcome {
        let lost = self.lost();
        let client = self.client();
        if let Some(stats) = client.stats() {
            log::info!("{}", summary::connection(&stats));
        }
        if outcome == Outcome::Interrupted {
            drop(self);
            if let Some(client) = Rc::into_inner(client) {
                client.abort();
            }
            return outcome;
        }
        match lost {
            Some(lost) => outcome.or(telling.failed(&self.connection.loss(lost))),
            None => outcome,
        }
    }

    /// The connection that there is now.
    pub(crate) fn client(&self) -> Rc<Client> {
        self.connection.client()
    }

    /// The loss that ended a verb, if any did.
    pub(crate) fn lost(&self) -> Option<Lost> {
        self.lost.get().filter(|_| !self.has_stopped_server())
    }

    /// Whether what is stored on this side is to survive a power failure.
    pub(crate) fn syncs(&self) -> bool {
        self.connection.syncs()
    }

    /// Why the connection is over, if it is; it may be made again.
    pub(crate) fn broken(&self) -> Option<Lost> {
        self.client().lost().filter(|_| !self.has_stopped_server())
    }

    /// Whether a connection that was lost like this is made again when it is needed.
    pub(crate) fn may_come_back(&self, lost: &Lost) -> bool {
        self.lost.get().is_none() && self.connection.may_come_back(lost)
    }

    /// Whether the server is waited for that was lost while nothing was asked; else that was the end.
    pub(crate) fn waits_for(&self, lost: Lost) -> bool {
        let waits = self.may_come_back(&lost);
        if !waits {
            self.lost.set(Some(lost));
        }
        waits
    }

    /// The server, as the user named it.
    pub(crate) fn server(&self) -> &HostPort {
        self.connection.server()
    }

    /// Connects again; false if the server does not come back, and is not waited for any more. Ctrl+c ends the process at once
    /// meanwhile.
    ///
    /// # Errors
    /// [`Error::Trust`] and [`Error::Connect`], as [`Connection::again`].
    pub(crate) fn reconnect(&self, lost: Lost) -> Result<bool, Error> {
        self.interrupt.act_at_once();
        let result = self.connection.again(lost);
        self.interrupt.defer();
        match result {
            Ok(()) => Ok(true),
            Err(Error::Lost(lost)) => {
                self.lost.set(Some(lost));
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Makes a connection again that was lost while nothing was asked. A server that is to end is not waited for.
    fn revive(&self, verb: &Verb) -> Result<(), Error> {
        match self.broken() {
            Some(lost) if !matches!(verb, Verb::Exit(_)) && self.may_come_back(&lost) => {
                self.reconnect(lost).map(drop)
            }
            _ => Ok(()),
        }
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

    /// Waits for `job` until the user wants an end.
    pub(crate) fn wait<T>(&self, mut job: Job<T>) -> Result<T, Failure> {
        loop {
            if let Some(result) = job.wait_timeout(TICK) {
                return result;
            }
            if self.interrupt.heard() {
                return Err(Failure::Cancelled);
            }
        }
    }

    /// Waits for `job`, and asks again on another connection as often as that is lost. What is asked for has to be of the kind
    /// that may be done twice; `was_done` tells whether a failure of what was asked again means that the first was done.
    ///
    /// # Errors
    /// What `action` failed of, among it that the server does not come back; [`Error::Trust`] and [`Error::Connect`] if another one
    /// did.
    pub(crate) fn persist<T>(
        &self,
        action: impl FnOnce() -> Action,
        mut job: Job<T>,
        ask: impl Fn(&Client) -> Job<T>,
        was_done: impl Fn(&Failure) -> Option<T>,
    ) -> Result<T, Error> {
        let mut is_repeated = false;
        loop {
            match self.wait(job) {
                Ok(done) => return Ok(done),
                Err(Failure::Lost(lost)) if self.may_come_back(&lost) => {
                    if !self.reconnect(lost)? {
                        return Err(self.error(action(), Failure::Lost(lost)));
                    }
                }
                Err(failure) => {
                    let done = if is_repeated { was_done(&failure) } else { None };
                    return done.ok_or_else(|| self.error(action(), failure));
                }
            }
            is_repeated = true;
            job = ask(&self.client());
        }
    }

    /// The same for what is asked alone.
    fn ask<T>(
        &self,
        action: Action,
        ask: impl Fn(&Client) -> Job<T>,
        was_done: impl Fn(&Failure) -> Option<T>,
    ) -> Result<T, Error> {
        let job = ask(&self.client());
        self.persist(|| action, job, ask, was_done)
    }

    fn list(&self, telling: Telling, List { dir, .. }: &List) -> Result<(), Error> {
        let action = Action::List(dir.clone());
        if let Some(pattern) = dir.as_ref().filter(|dir| is_pattern(dir.as_encoded_bytes()))
            && let Some(entries) = self.matching(pattern)?
        {
            return self.print_entries(telling, None, &entries);
        }
        let name = match dir {
            None => None,
            Some(dir) => names::remote_directory(dir).map_err(|error| Error::BadName {
                action: action.clone(),
                name: dir.clone(),
                error,
            })?,
        };
        let mut entries = self.ask(action, |client| client.list(name.clone()), |_| None)?;
        listing::sort(&mut entries);
        self.print_entries(telling, name.as_ref(), &entries)
    }

    /// What matches a pattern, by its whole name; nothing if the pattern is the very name of a directory.
    fn matching(&self, pattern: &OsString) -> Result<Option<Vec<Entry>>, Error> {
        let texts = std::slice::from_ref(pattern);
        let found = expand(self, texts, |text| Action::List(Some(text)))?;
        let found: Vec<_> = found.into_iter().collect::<Result<_, _>>()?;
        let entry = |Named { text, stat }: Named| {
            let Stat { kind, len, mode, modified } = stat?;
            let name = names::remote_path(&text).ok()?;
            Some(Entry { name, kind, is_link: false, len, mode, modified })
        };
        let entries: Vec<_> = found.into_iter().filter_map(entry).collect();
        let is_exact = |entry: &Entry| {
            entry.kind == EntryKind::Directory
                && names::remote_path(pattern).is_ok_and(|name| name == entry.name)
        };
        Ok(Some(entries).filter(|entries| !matches!(&entries[..], [one] if is_exact(one))))
    }

    fn print_entries(
        &self,
        telling: Telling,
        dir: Option<&Name>,
        entries: &[Entry],
    ) -> Result<(), Error> {
        self.interrupt.act_at_once();
        let printed = match telling.is_json() {
            false => listing::print(entries).map_err(Error::Stdio),
            true => telling.objects(entries.iter().map(|entry| object_of(dir, entry))),
        };
        self.interrupt.defer();
        printed
    }

    fn rename(&self, telling: Telling, Rename { old, new, .. }: &Rename) -> Result<(), Error> {
        let action = Action::Rename(old.clone(), new.clone());
        let name = |text: &OsString| {
            names::remote(text).map_err(|error| Error::BadName {
                action: action.clone(),
                name: text.clone(),
                error,
            })
        };
        let (from, to) = (name(old)?, name(new)?);
        let ask = |client: &Client| client.rename(from.clone(), to.clone());
        self.ask(action, ask, |failure| self.was_renamed(failure, &to))?;
        telling.done(format_args!("renamed {from} to {to}"), |object| {
            object.named(from.as_bytes()).renamed_to(to.as_bytes())
        })
    }

    /// Whether a rename that was asked again found that the first one was done: the old name is gone and the new one is there.
    fn was_renamed(&self, failure: &Failure, to: &Name) -> Option<()> {
        if !is_status(failure, Status::NotFound) {
            return None;
        }
        self.wait(self.client().stat(to.clone())).ok().map(drop)
    }

    fn exit(&self, telling: Telling, mut ask: Option<AskToStop<'_>>) -> Result<(), Error> {
        let mut force = ask.is_none();
        loop {
            let failure = match self.wait(self.client().exit(force)) {
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
        telling.done(format_args!("stopped the server at {}", self.client().remote()), |object| {
            object.with("server", self.connection.server().to_string())
        })
    }

    fn invite(&self, telling: Telling, invite: &Invite) -> Result<(), Error> {
        let grant = invite.grant()?;
        let asked = gannet_protocol::Invite {
            grant: grant.to_string(),
            via: self.connection.server().to_string(),
            seconds: invite.seconds,
        };
        // A ticket that nobody got to see ends by itself.
        let ticket = self.ask(Action::Invite, |client| client.invite(asked.clone()), |_| None)?;
        telling.asked_for(
            || print(format_args!("{}\n", ticket.reveal())),
            |object| {
                let object = object.with("ticket", ticket.reveal());
                let object = object.with("role", grant.role().to_string());
                let object = match grant.dir() {
                    Some(dir) => object.in_directory(dir.as_bytes()),
                    None => object,
                };
                object.with_some("max", grant.max()).with("valid_seconds", invite.seconds)
            },
        )?;
        telling.note(format_args!(
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
        match self.client().list(dir).wait_timeout(patience) {
            Some(Ok(entries)) => entries,
            _ => Vec::new(),
        }
    }
}

/// An entry of a directory as an object, with the name by which it can be fetched.
fn object_of(dir: Option<&Name>, entry: &Entry) -> Object {
    let object = Object::of("list", Outcome::Done);
    let object = match dir.and_then(|dir| dir.join(&entry.name).ok()) {
        Some(name) => object.named(name.as_bytes()),
        None => object.named(entry.name.as_bytes()),
    };
    object.of_kind(entry.kind).with("bytes", entry.len).modified(entry.modified)
}

/// Whether the server said no for this reason.
pub(crate) fn is_status(failure: &Failure, expected: Status) -> bool {
    matches!(failure, Failure::Remote { status, .. } if *status == expected)
}

/// Whether the server said that it ends.
fn is_farewell(lost: &Lost) -> bool {
    matches!(lost.reason, CloseReason::Peer(CloseCode::ShuttingDown | CloseCode::Done))
}
