//! The arguments of each verb, in the one-shot form and in the menu.
//!
//! A value hint says whose name an argument is: a path hint that of a local file, [`ValueHint::Other`] that of a file
//! at the server. Completion in shells and in the menu goes by it.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Subcommand, ValueHint};
use gannet_driver_mio::trust::policy::{Grant, Role};

use super::values;
use crate::{
    errors::{Action, Conflict, Error},
    names,
};

/// What can be asked of a server; also the beginning of a line of the menu, which the usages here are for.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Verb {
    #[command(override_usage = "get NAME [LOCAL]\n       get NAME... --to PATH")]
    Get(Get),
    #[command(override_usage = "put FILE [REMOTE]\n       put FILE... --to PATH")]
    Put(Put),
    #[command(visible_alias = "mv")]
    Rename(Rename),
    #[command(visible_alias = "ls")]
    List(List),
    Exit(Exit),
    Invite(Invite),
}

/// Fetch files.
#[derive(Args, Clone, Debug)]
pub(crate) struct Get {
    /// What to fetch.
    #[arg(value_name = "NAME", required = true, value_hint = ValueHint::Other)]
    pub(crate) names: Vec<OsString>,
    /// A directory for them, if it is one or ends in '/'; else the new name.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) to: Option<PathBuf>,
}

/// Store files at the server.
#[derive(Args, Clone, Debug)]
pub(crate) struct Put {
    /// What to store.
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
    /// A directory at the server, if it is one or ends in '/'; else the new name.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::Other)]
    pub(crate) to: Option<OsString>,
}

/// List a directory of the server.
#[derive(Args, Clone, Debug)]
pub(crate) struct List {
    /// Which; all that is shared if none is given.
    #[arg(value_name = "DIR", value_hint = ValueHint::Other)]
    pub(crate) dir: Option<OsString>,
}

/// Give a file of the server another name, which must be free.
#[derive(Args, Clone, Debug)]
pub(crate) struct Rename {
    /// Its name so far.
    #[arg(value_name = "OLD", value_hint = ValueHint::Other)]
    pub(crate) old: OsString,
    /// Its new name.
    #[arg(value_name = "NEW", value_hint = ValueHint::Other)]
    pub(crate) new: OsString,
}

/// Stop the server.
///
/// If transfers of other clients run, it asks on a terminal, and stops them elsewhere.
#[derive(Args, Clone, Debug)]
pub(crate) struct Exit {}

/// Print a ticket that lets one client in, once.
///
/// Whoever brings it to `gannet join` in time gets a line in the server's authorized_clients, so show it to nobody else. It is
/// void if the server is started again. Only an admin can invite, and give no more than is allowed here.
#[derive(Args, Clone, Debug)]
pub(crate) struct Invite {
    /// What the client may do: read, drop (put new files, and see none), write or admin.
    #[arg(long, value_name = "ROLE", default_value = "read")]
    pub(crate) role: Role,
    /// The directory that it may do that in; it sees no other.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::Other)]
    pub(crate) dir: Option<OsString>,
    /// How much that directory may hold for a put to be taken, for example 20GB.
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub(crate) max: Option<u64>,
    /// For how long the ticket stands, a week at most.
    #[arg(long = "for", value_name = "TIME", default_value = "10m", value_parser = values::lifetime)]
    pub(crate) seconds: u64,
}

impl Invite {
    /// What the ticket is for.
    ///
    /// # Errors
    /// [`Error::BadName`], [`Error::Conflict`]
    pub(crate) fn grant(&self) -> Result<Grant, Error> {
        let dir = match &self.dir {
            None => None,
            Some(dir) => names::remote_directory(dir).map_err(|error| Error::BadName {
                action: Action::Invite,
                name: dir.clone(),
                error,
            })?,
        };
        Grant::new(self.role, dir, self.max).map_err(|why| Error::Conflict(Conflict::Grant(why)))
    }
}

impl Verb {
    /// Looks for what is wrong before a server is asked.
    ///
    /// # Errors
    /// As [`Invite::grant`].
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Invite(invite) => invite.grant().map(drop),
            Self::Get(_) | Self::Put(_) | Self::Rename(_) | Self::List(_) | Self::Exit(_) => Ok(()),
        }
    }

    /// Reads the arguments as the menu means them: of two without `--to`, the second is what `--to` is.
    ///
    /// # Errors
    /// The verb's name and the number of its arguments, if there are too many.
    pub(crate) fn read_as_menu(&mut self) -> Result<(), (&'static str, usize)> {
        match self {
            Self::Get(Get { names, to }) => take_second(names, to).map_err(|count| ("get", count)),
            Self::Put(Put { files, to }) => take_second(files, to).map_err(|count| ("put", count)),
            Self::Rename(_) | Self::List(_) | Self::Exit(_) | Self::Invite(_) => Ok(()),
        }
    }
}

fn take_second<A, B: From<A>>(arguments: &mut Vec<A>, to: &mut Option<B>) -> Result<(), usize> {
    match (to.is_some(), arguments.len()) {
        (true, _) | (false, 0 | 1) => Ok(()),
        (false, 2) => {
            *to = arguments.pop().map(B::from);
            Ok(())
        }
        (false, count) => Err(count),
    }
}
