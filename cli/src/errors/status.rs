//! Why a verb failed, and what to do.

use std::{fmt, path::Path};

use gannet_protocol::Status;

use super::{Action, directory_of};
use crate::{destination::STREAM, names::Shown};

/// Says why the server did not do `action`.
pub(super) fn remote(
    f: &mut fmt::Formatter<'_>,
    action: &Action,
    status: Status,
    detail: u64,
) -> fmt::Result {
    match (status, action) {
        (Status::Unsupported, Action::Invite | Action::Join(_)) => {
            f.write_str("the server makes no such ticket; one with --plain makes none at all")
        }
        (Status::Overloaded, Action::Invite) => {
            f.write_str("too many tickets are open; try again when some were used or are over")
        }
        (Status::NotFound, action) => f.write_str(missing(action)),
        (Status::NotEmpty, _) => f.write_str(
            "the directory is not empty; remove what is in it first. What 'list' does not show may be \
             parts of interrupted transfers",
        ),
        (Status::Exists, Action::Rename(_, new)) => {
            write!(
                f,
                "{} exists at the server, and rename replaces nothing; choose another name",
                Shown(new)
            )
        }
        (Status::Exists, Action::Put(_)) => f.write_str(
            "it exists already at the server, and is not to be replaced; choose another name",
        ),
        (Status::Exists, _) => f.write_str("the name exists at the server; choose another"),
        (Status::IsDirectory, Action::Get(_)) => {
            f.write_str("it is a directory at the server; 'get -r' fetches it with all that is in it")
        }
        (Status::IsDirectory, _) => {
            f.write_str("the server has a directory of that name; choose another name")
        }
        (Status::NotDirectory, _) => {
            f.write_str("a directory is needed, and the server has something else of that name")
        }
        (Status::NotRegular, _) => {
            f.write_str("it is not a regular file at the server; only files can be moved")
        }
        (Status::Denied, action) => denied(f, action),
        (Status::Full, _) => {
            f.write_str("no space is left at the server, or none for this client; make room there")
        }
        (Status::ReadOnly, _) => f.write_str("the server's file system is mounted read-only"),
        (Status::BadName | Status::Unnameable, _) => {
            f.write_str("the server's file system cannot hold that name; choose another")
        }
        (Status::Changed, _) => {
            f.write_str("it changed while it was sent; try again when nobody writes to it")
        }
        (Status::TooLarge, Action::Put(path)) if *path == Path::new(STREAM) => f.write_str(
            "the server bounds what this client may store, and what comes from a pipe tells no length; \
             put it as a file",
        ),
        (Status::TooLarge, _) => f.write_str("it is larger than the server can store"),
        (Status::ShuttingDown, _) => f.write_str("the server is shutting down"),
        (Status::Busy, _) => {
            write!(f, "{} other clients run, so the server goes on", transfers(detail))
        }
        (Status::Unsupported, _) => {
            f.write_str("the server does not know how; check that both sides run the same version")
        }
        (Status::Cancelled, _) => f.write_str("the server cancelled it; its log says why"),
        (Status::Overloaded, _) => f.write_str("the server is too busy; try again in a while"),
        (Status::Io, _) => f.write_str("the server's disk gave an error; its log says more"),
        (Status::Corrupt, _) => f.write_str("the content did not verify; try again"),
        (Status::Stalled, _) => f.write_str("too little of it moved for too long; try again"),
    }
}

/// Says what the server does not have.
fn missing(action: &Action) -> &'static str {
    match action {
        Action::Get(_) => "the server has no such file; 'list' shows what it has",
        Action::Rename(..) => {
            "the server has no such file, or not the directory of the new name; \
             'list' shows what it has"
        }
        Action::Stat(_) | Action::Remove(_) => {
            "the server has no such file or directory; 'list' shows what it has"
        }
        Action::Mkdir(_) => "the server has not the directory that it would be in; make that first",
        Action::Put(_)
        | Action::List(_)
        | Action::Exit
        | Action::Invite
        | Action::Join(_)
        | Action::Doctor => "the server has no such directory; 'list' shows what it has",
    }
}

/// Says why `action` is not allowed. Which of its reasons it is the server does not say.
fn denied(f: &mut fmt::Formatter<'_>, action: &Action) -> fmt::Result {
    let role = "this client's role at the server does not allow it";
    match action {
        Action::Get(_) | Action::List(_) | Action::Stat(_) | Action::Doctor => {
            write!(f, "{role}, or the server itself may not read it: check the permissions there")
        }
        Action::Put(_) | Action::Rename(..) | Action::Remove(_) | Action::Mkdir(_) => {
            write!(f, "{role}, or the server itself may not write there: check the permissions")
        }
        Action::Exit | Action::Invite => {
            write!(f, "{role}: that takes the role admin, in authorized_clients there")
        }
        Action::Join(_) => f.write_str(
            "the server does not take the ticket: it was used before, its time is over, or the \
             server was started again since; ask for another",
        ),
    }
}

/// Says why the local file `path` could not be read or written for `action`.
pub(super) fn local(
    f: &mut fmt::Formatter<'_>,
    action: &Action,
    path: &Path,
    status: Status,
) -> fmt::Result {
    let reads = matches!(action, Action::Put(_));
    match status {
        Status::NotFound if reads => {
            f.write_str("there is no such file; check how its name is written")
        }
        Status::NotFound => {
            write!(f, "there is no directory {}; create it first", Shown::from(directory_of(path)))
        }
        Status::Exists => {
            f.write_str("it exists already, and is not to be replaced; choose another name")
        }
        Status::IsDirectory if reads => {
            f.write_str("it is a directory; 'put -r' stores it with all that is in it")
        }
        Status::IsDirectory => f.write_str(
            "a directory has that name here; choose another with --to, or fetch a directory into it with 'get -r'",
        ),
        Status::NotDirectory => {
            write!(f, "{} is not a directory", Shown::from(directory_of(path)))
        }
        Status::NotRegular => f.write_str("it is not a regular file; only files can be moved"),
        Status::Denied => f.write_str("permission denied; check who may do that"),
        Status::Full => f.write_str("no space is left on this machine; make room"),
        Status::ReadOnly => f.write_str("the file system is mounted read-only"),
        Status::Changed => {
            f.write_str("it changed while it was sent; try again when nobody writes to it")
        }
        Status::BadName | Status::Unnameable => {
            f.write_str("the file system cannot hold that name; choose another")
        }
        Status::TooLarge => f.write_str("it is larger than the file system can store"),
        Status::Overloaded => f.write_str("too many files are open; move fewer at once"),
        other => write!(f, "{other}"),
    }
}

/// `1 transfer of`, `2 transfers of`.
fn transfers(count: u64) -> String {
    if count == 1 { "1 transfer of".into() } else { format!("{count} transfers of") }
}
