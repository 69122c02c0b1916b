//! The arguments of each verb, in the one-shot form and in the menu.
//!
//! A value hint says whose name an argument is: a path hint that of a local file, [`ValueHint::Other`] that of a file
//! at the server. Completion in shells and in the menu goes by it.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Subcommand, ValueHint};
use gannet_driver_mio::trust::policy::{Grant, Role};
use gannet_protocol::How;

use super::values;
use crate::{
    console::Console,
    destination::STREAM,
    errors::{Action, Conflict, Error},
    names,
    telling::Telling,
};

/// What can be asked of a server; also the beginning of a line of the menu, which the usages here are for.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Verb {
    #[command(override_usage = "get [-r] NAME [LOCAL]\n       get [-r] NAME... --to PATH")]
    Get(Get),
    #[command(override_usage = "put [-r] FILE [REMOTE]\n       put [-r] FILE... --to PATH")]
    Put(Put),
    #[command(visible_alias = "mv", override_usage = "rename <OLD> <NEW>")]
    Rename(Rename),
    #[command(visible_alias = "ls", override_usage = "list [DIR]")]
    List(List),
    #[command(override_usage = "stat <NAME>...")]
    Stat(Stat),
    #[command(visible_alias = "rm", override_usage = "remove <NAME>...")]
    Remove(Remove),
    #[command(override_usage = "mkdir <DIR>...")]
    Mkdir(Mkdir),
    #[command(override_usage = "exit")]
    Exit(Exit),
    Invite(Invite),
}

/// How to tell what was done.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Format {
    /// Tell it by JSON on standard output, for programs: an object a file or entry, one a line (docs/json.md).
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is done where there is something already.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Existing {
    /// Replace nothing: a file whose name exists already fails.
    #[arg(long)]
    no_clobber: bool,
    /// Compare the content of files of the same size and time too, which are told as unchanged otherwise.
    #[arg(long, conflicts_with = "fresh")]
    check: bool,
    /// Move all of it, whatever is there already of these files or of an interrupted transfer.
    #[arg(long)]
    fresh: bool,
}

impl Existing {
    /// Whether the content of what is there makes a difference.
    const fn compares(self) -> bool {
        self.check || self.fresh
    }
}

impl From<Existing> for How {
    fn from(Existing { no_clobber, check, fresh }: Existing) -> Self {
        Self { no_clobber, fresh, check, discard: false }
    }
}

/// Fetch files.
///
/// A name may be a pattern: '*', '?' and '[a-z]' mean what they do in shells, and a backslash takes that from them. Run again after an interruption it goes on where that was; files that are there already are unchanged and do not travel, and
/// of those that changed only the parts that differ do.
#[derive(Args, Clone, Debug)]
pub(crate) struct Get {
    /// What to fetch.
    #[arg(value_name = "NAME", required = true, value_hint = ValueHint::Other)]
    pub(crate) names: Vec<OsString>,
    /// Fetch directories with all that is in them; NAME/. stands for what is in it. Symbolic links within are left out.
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// A directory for them, if it is one or ends in '/'; else the new name, or '-' for standard output.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) to: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) existing: Existing,
    /// Tell at the end how the connection did, and what limited it.
    #[arg(long)]
    pub(crate) stats: bool,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// Store files at the server.
///
/// Run again after an interruption it goes on where that was; files that are there already are unchanged and do not travel, and
/// of those that changed only the parts that differ do.
#[derive(Args, Clone, Debug)]
pub(crate) struct Put {
    /// What to store; '-' for standard input, which needs --to.
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
    /// Store directories with all that is in them; FILE/. stands for what is in it. Symbolic links within are left out.
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// A directory at the server, if it is one or ends in '/'; else the new name.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::Other)]
    pub(crate) to: Option<OsString>,
    #[command(flatten)]
    pub(crate) existing: Existing,
    /// Tell at the end how the connection did, and what limited it.
    #[arg(long)]
    pub(crate) stats: bool,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// List a directory of the server.
#[derive(Args, Clone, Debug)]
pub(crate) struct List {
    /// Which, or a pattern for names; all that is shared if none is given.
    #[arg(value_name = "DIR", value_hint = ValueHint::Other)]
    pub(crate) dir: Option<OsString>,
    #[command(flatten)]
    pub(crate) format: Format,
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
    #[command(flatten)]
    pub(crate) format: Format,
}

/// Tell what names of the server are: mode, size in bytes, time, name.
#[derive(Args, Clone, Debug)]
pub(crate) struct Stat {
    /// What to tell of; patterns may stand for names.
    #[arg(value_name = "NAME", required = true, value_hint = ValueHint::Other)]
    pub(crate) names: Vec<OsString>,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// Remove files and empty directories of the server.
///
/// They are gone for good. Of a symbolic link that stays within what is shared the link is removed, and not what it leads to.
#[derive(Args, Clone, Debug)]
pub(crate) struct Remove {
    /// What to remove, in this order; patterns may stand for names.
    #[arg(value_name = "NAME", required = true, value_hint = ValueHint::Other)]
    pub(crate) names: Vec<OsString>,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// Make directories at the server, each in one that is there.
#[derive(Args, Clone, Debug)]
pub(crate) struct Mkdir {
    /// What to make, in this order.
    #[arg(value_name = "DIR", required = true, value_hint = ValueHint::Other)]
    pub(crate) names: Vec<OsString>,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// Stop the server.
///
/// If transfers of other clients run, it asks on a terminal, and stops them elsewhere.
#[derive(Args, Clone, Debug)]
pub(crate) struct Exit {
    #[command(flatten)]
    pub(crate) format: Format,
}

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
    #[command(flatten)]
    pub(crate) format: Format,
}

impl Put {
    fn reads_stdin(&self) -> bool {
        self.files.iter().any(|file| file.as_os_str() == STREAM)
    }
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
    /// Looks for the same in a line of the menu.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub(crate) fn check_in_menu(&self) -> Result<(), Error> {
        match self {
            Self::Put(put) if put.reads_stdin() => Err(Error::Conflict(Conflict::StdinOfCommands)),
            _ => self.check(),
        }
    }

    /// What it is called.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Get(_) => "get",
            Self::Put(_) => "put",
            Self::Rename(_) => "rename",
            Self::List(_) => "list",
            Self::Stat(_) => "stat",
            Self::Remove(_) => "remove",
            Self::Mkdir(_) => "mkdir",
            Self::Exit(_) => "exit",
            Self::Invite(_) => "invite",
        }
    }

    /// How it tells what it did.
    pub(crate) fn telling(&self, console: Console) -> Telling {
        let format = match self {
            Self::Get(get) => get.format,
            Self::Put(put) => put.format,
            Self::Rename(rename) => rename.format,
            Self::List(list) => list.format,
            Self::Stat(stat) => stat.format,
            Self::Remove(remove) => remove.format,
            Self::Mkdir(mkdir) => mkdir.format,
            Self::Exit(exit) => exit.format,
            Self::Invite(invite) => invite.format,
        };
        Telling::of(self.name(), format.json, console)
    }

    /// Looks for what is wrong before a server is asked.
    ///
    /// # Errors
    /// As [`Invite::grant`].
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Invite(invite) => invite.grant().map(drop),
            Self::Get(Get { to: Some(to), names, recursive, format, .. })
                if to.as_os_str() == STREAM && (names.len() > 1 || *recursive || format.json) =>
            {
                Err(Error::Conflict(Conflict::SharedStdout))
            }
            Self::Get(Get { to: Some(to), existing, .. })
                if to.as_os_str() == STREAM && (existing.compares() || existing.no_clobber) =>
            {
                Err(Error::Conflict(Conflict::Streamed))
            }
            Self::Put(put) if put.reads_stdin() && put.to.is_none() => {
                Err(Error::Conflict(Conflict::NamelessStdin))
            }
            Self::Put(Put { files, existing, .. })
                if existing.compares() && files.iter().all(|file| file.as_os_str() == STREAM) =>
            {
                Err(Error::Conflict(Conflict::Streamed))
            }
            _ => Ok(()),
        }
    }

    /// Reads the arguments as the menu means them: of two without `--to`, the second is what `--to` is.
    ///
    /// # Errors
    /// The verb's name and the number of its arguments, if there are too many.
    pub(crate) fn read_as_menu(&mut self) -> Result<(), (&'static str, usize)> {
        match self {
            Self::Get(Get { names, to, .. }) => {
                take_second(names, to).map_err(|count| ("get", count))
            }
            Self::Put(Put { files, to, .. }) => {
                take_second(files, to).map_err(|count| ("put", count))
            }
            _ => Ok(()),
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
