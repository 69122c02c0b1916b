//! What can go wrong, in words: what failed, why, and what to do about it.
//!
//! No message holds a path of the server, and all names are escaped.

mod connection;
mod status;
mod trust;

use std::{
    ffi::OsString,
    fmt, io,
    path::{Path, PathBuf},
};

use gannet_driver_mio::{
    client::{ConnectError, Failure, Lost},
    server::ServerError,
    trust::{BadHostPort, HostPort, policy::BadGrant},
};
use gannet_protocol::{BadName, Status};

use crate::{connection::is_refusal, names::Shown, outcome::Outcome};

pub(crate) use trust::TrustError;

/// A failure that ends a file's transfer, a verb, or the command.
#[derive(Debug)]
pub(crate) enum Error {
    /// The server cannot be reached.
    Connect { server: HostPort, plain: bool, error: ConnectError },
    /// Someone or something is not believed.
    Trust(TrustError),
    /// The connection was lost while it was idle, or after all that it broke was told.
    Lost(Lost),
    /// The connection was lost before this was done, or the server did not want it from the beginning.
    Unfinished { action: Action, refused: bool },
    /// The server said no.
    Remote { action: Action, status: Status, detail: u64 },
    /// A local file cannot be read or written.
    Local { action: Action, path: PathBuf, status: Status },
    /// What stands for a name at the server cannot be one.
    BadName { action: Action, name: OsString, error: BadName },
    /// Nothing at the server has a name that matches.
    NoMatch(Action),
    /// The content that arrived is not what was sent.
    Unverified(Action),
    /// The command contradicts itself.
    Conflict(Conflict),
    /// The server cannot start.
    Start(ServerError),
    /// The system has nothing left to serve with.
    Serve(io::Error),
    /// A local directory cannot be entered or listed.
    Directory(PathBuf, io::Error),
    /// A partial file that nobody writes to cannot be removed.
    Partial(PathBuf),
    /// Standard input or output failed.
    Stdio(io::Error),
    /// The user wants an end.
    Interrupted,
}

/// What was to be done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    Get(OsString),
    Put(PathBuf),
    List(Option<OsString>),
    Rename(OsString, OsString),
    Stat(OsString),
    Remove(OsString),
    Mkdir(OsString),
    Exit,
    Invite,
    Join(HostPort),
    Doctor,
}

/// Why a command cannot be meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Conflict {
    /// Two files would land on one name.
    SameName { first: OsString, second: OsString },
    /// Several files, and one name for them.
    NotDirectory(PathBuf),
    /// Several files, or JSON too, for standard output.
    SharedStdout,
    /// What is there already, for standard output or of standard input, which can only be moved as a whole.
    Streamed,
    /// A pattern stands for more names than anybody means.
    TooManyNames(OsString),
    /// Standard input has no name of its own.
    NamelessStdin,
    /// Standard input is where the commands come from.
    StdinOfCommands,
    /// What stands for a server cannot be one.
    Server(BadHostPort),
    /// What an invitation is for contradicts itself.
    Grant(BadGrant),
}

impl Error {
    /// What `failure` means for `action`.
    pub(crate) fn of(action: Action, failure: Failure) -> Self {
        match failure {
            Failure::Local { path, status: Status::Corrupt } => {
                log::debug!("{} did not verify", Shown::from(&*path));
                Self::Unverified(action)
            }
            Failure::Local { path, status } => Self::Local { action, path, status },
            Failure::Remote { status: Status::Corrupt, .. } | Failure::Unverified => {
                Self::Unverified(action)
            }
            Failure::Remote { status, detail } => Self::Remote { action, status, detail },
            // Nobody is there to be told.
            Failure::Unwanted => Self::Stdio(io::ErrorKind::BrokenPipe.into()),
            Failure::Lost(lost) => Self::Unfinished { action, refused: is_refusal(&lost) },
            Failure::Cancelled => Self::Interrupted,
        }
    }

    /// What was to be done, if it was one thing.
    pub(crate) fn action(&self) -> Option<&Action> {
        match self {
            Self::Unfinished { action, .. }
            | Self::Remote { action, .. }
            | Self::Local { action, .. }
            | Self::BadName { action, .. }
            | Self::NoMatch(action)
            | Self::Unverified(action) => Some(action),
            Self::Connect { .. }
            | Self::Trust(_)
            | Self::Lost(_)
            | Self::Conflict(_)
            | Self::Start(_)
            | Self::Serve(_)
            | Self::Directory(..)
            | Self::Partial(_)
            | Self::Stdio(_)
            | Self::Interrupted => None,
        }
    }

    /// Whether it ends the command, and not only what it is about.
    pub(crate) const fn ends_all(&self) -> bool {
        matches!(self, Self::Interrupted | Self::Stdio(_) | Self::Connect { .. } | Self::Trust(_))
    }

    /// Whether the server said no for this reason.
    pub(crate) fn is_remote(&self, expected: Status) -> bool {
        matches!(self, Self::Remote { status, .. } if *status == expected)
    }

    /// The exit status that it stands for.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Trust(error) => error.outcome(),
            Self::Connect { error: ConnectError::Version(_), .. }
            | Self::Connect { error: ConnectError::UnknownKey { .. }, .. }
            | Self::Connect { error: ConnectError::WrongKey { .. }, .. }
            | Self::Unfinished { refused: true, .. }
            | Self::Remote { action: Action::Join(_), status: Status::Denied, .. } => {
                Outcome::Refused
            }
            Self::Connect { .. } | Self::Lost(_) | Self::Unfinished { .. } => Outcome::Disconnected,
            Self::Remote { status: Status::ShuttingDown, .. } => Outcome::Disconnected,
            Self::Remote { .. } | Self::Local { .. } | Self::BadName { .. } | Self::NoMatch(_) => {
                Outcome::Failed
            }
            Self::Serve(_) | Self::Directory(..) | Self::Partial(_) | Self::Stdio(_) => {
                Outcome::Failed
            }
            Self::Unverified(_) => Outcome::Unverified,
            Self::Conflict(_) | Self::Start(_) => Outcome::Usage,
            Self::Interrupted => Outcome::Interrupted,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { server, plain, error } => connection::connect(f, server, *plain, error),
            Self::Trust(error) => error.fmt(f),
            Self::Lost(lost) => connection::lost(f, lost),
            Self::Unfinished { action, refused: true } => {
                write!(f, "{action}: not done, because the server refused this client")
            }
            Self::Unfinished { action, refused: false } => {
                write!(f, "{action}: not finished, because the connection was lost")
            }
            Self::Remote { action, status, detail } => {
                write!(f, "{action}: ")?;
                status::remote(f, action, *status, *detail)
            }
            Self::Local { action, path, status } => {
                let does = if matches!(action, Action::Put(_)) { "read" } else { "write" };
                write!(f, "{action}: cannot {does} {}: ", Shown::from(&**path))?;
                status::local(f, action, path, *status)
            }
            Self::BadName { action, name, error } => {
                write!(f, "{action}: '{}' is no name at the server: {error}", Shown(name))
            }
            Self::NoMatch(action) => write!(
                f,
                "{action}: no name at the server matches this pattern; 'list' shows what it has, and a \
                 backslash makes '*', '?' and '[' plain characters"
            ),
            Self::Unverified(action) => write!(
                f,
                "{action}: the content that arrived is not what was sent, so it was thrown away; \
                 try again, and check the memory and the disks of both machines if it stays so"
            ),
            Self::Conflict(conflict) => conflict.fmt(f),
            Self::Start(error) => connection::start(f, error),
            Self::Serve(error) => write!(f, "the server cannot go on: {error}; start it again"),
            Self::Directory(path, error) => {
                write!(f, "cannot open the directory {}: {error}", Shown::from(&**path))
            }
            Self::Partial(path) => write!(
                f,
                "cannot remove {}; check who may write to the directory that it is in",
                Shown::from(&**path)
            ),
            Self::Stdio(error) => write!(f, "standard input or output failed: {error}"),
            Self::Interrupted => write!(f, "interrupted"),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Get(name) => write!(f, "get {}", Shown(name)),
            Self::Put(path) => write!(f, "put {}", Shown::from(&**path)),
            Self::List(None) => write!(f, "list"),
            Self::List(Some(dir)) => write!(f, "list {}", Shown(dir)),
            Self::Rename(old, new) => write!(f, "rename {} {}", Shown(old), Shown(new)),
            Self::Stat(name) => write!(f, "stat {}", Shown(name)),
            Self::Remove(name) => write!(f, "remove {}", Shown(name)),
            Self::Mkdir(name) => write!(f, "mkdir {}", Shown(name)),
            Self::Exit => write!(f, "exit"),
            Self::Invite => write!(f, "invite"),
            Self::Join(server) => write!(f, "join {server}"),
            Self::Doctor => write!(f, "doctor"),
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameName { first, second } => write!(
                f,
                "{} and {} would land on the same name, so nothing was moved; \
                 move them one at a time, each with its own --to",
                Shown(first),
                Shown(second)
            ),
            Self::NotDirectory(path) => write!(
                f,
                "several files need a directory, and {} is none, so nothing was moved; \
                 create it, or name another with --to",
                Shown::from(&**path)
            ),
            Self::SharedStdout => f.write_str(
                "standard output takes one file and nothing beside it: name one file, without --json",
            ),
            Self::Streamed => f.write_str(
                "what goes through a pipe is moved as a whole, whatever is there: leave out --check and --fresh, \
                 and with get --no-clobber",
            ),
            Self::TooManyNames(pattern) => write!(
                f,
                "more than a million names match {}, so nothing was done; fetch whole directories with \
                 'get -r', or narrow the pattern",
                Shown(pattern)
            ),
            Self::NamelessStdin => {
                f.write_str("what comes from standard input needs a name: add --to NAME")
            }
            Self::StdinOfCommands => f.write_str(
                "standard input is where the commands come from here; for a file named '-' write './-'",
            ),
            Self::Server(error) => error.fmt(f),
            Self::Grant(error) => error.fmt(f),
        }
    }
}

impl From<TrustError> for Error {
    fn from(error: TrustError) -> Self {
        Self::Trust(error)
    }
}

/// The directory that `path` is in, as a user would name it.
fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_can_put_nothing_on_the_terminal() {
        let action = Action::Get("a\x1b[2J\u{202e}b".into());
        let error = Error::Remote { action, status: Status::NotFound, detail: 0 };
        assert!(error.to_string().chars().all(|c| !c.is_control() && c != '\u{202e}'), "{error}");
    }

    #[test]
    fn every_status_is_told_by_name_with_a_reason_for_every_verb() {
        let actions = [
            Action::Get("a".into()),
            Action::Put("a".into()),
            Action::List(Some("a".into())),
            Action::Rename("a".into(), "b".into()),
            Action::Stat("a".into()),
            Action::Remove("a".into()),
            Action::Mkdir("a".into()),
            Action::Exit,
            Action::Invite,
            Action::Join("host:1".parse().unwrap()),
        ];
        for action in actions {
            for &status in Status::ALL {
                let error = Error::Remote { action: action.clone(), status, detail: 2 };
                let text = error.to_string();
                assert!(text.starts_with(&format!("{action}: ")), "{text}");
                assert!(text.len() > action.to_string().len() + 10, "{text}");
                let (action, path) = (action.clone(), "d/a".into());
                let text = Error::Local { action, path, status }.to_string();
                assert!(text.contains("d/a"), "{text}");
            }
        }
    }

    #[test]
    fn content_that_does_not_verify_has_its_own_status_wherever_it_is_found() {
        let action = || Action::Get("a".into());
        for failure in [
            Failure::Unverified,
            Failure::Remote { status: Status::Corrupt, detail: 0 },
            Failure::Local { path: "a".into(), status: Status::Corrupt },
        ] {
            assert_eq!(Error::of(action(), failure).outcome(), Outcome::Unverified);
        }
    }
}
