//! Who may do what: one function decides every verb.

mod free_name;
mod grant;
mod role;

use std::{borrow::Cow, error, fmt};

use gannet_protocol::{BadName, Destination, Name};

pub use free_name::free_name;
pub use grant::{BadGrant, Grant};
pub use role::{BadRole, Role};

/// What a client wants to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verb<'a> {
    /// See what is in a directory.
    List,
    /// Fetch a file.
    Get,
    /// See what is known of a file.
    Stat,
    /// Store a file.
    Put(&'a Destination),
    /// Give a file or directory another name.
    Rename,
    /// Remove a file or directory.
    Remove,
    /// Make a directory.
    Mkdir,
    /// Stop the server.
    Exit,
    /// Let someone in who brings a ticket, to do this.
    Invite(&'a Grant),
    /// See how its own connection does.
    Report,
}

/// What a verb may do, and must keep to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Permitted<'a> {
    /// It names files below `dir`, or below the root: hold that directory, and resolve within it.
    Files {
        /// The directory to resolve every name in.
        dir: Option<&'a Name>,
    },
    /// It stores a file below `dir`, or below the root.
    Put {
        /// The directory to resolve every name in.
        dir: Option<&'a Name>,
        /// Most bytes that all files below that directory may have together, once this one is stored.
        max: Option<u64>,
        /// Under which name, and what its client may learn.
        store: Store<'a>,
    },
    /// It stops the server.
    Exit,
    /// It makes a ticket for this, which is no more than its client has.
    Invite(Grant),
    /// It tells how the connection does.
    Report,
}

/// How a file is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Store<'a> {
    /// Where its client says: what stands there is replaced, and may be compared, skipped and resumed.
    Replacing(Cow<'a, Destination>),
    /// Under this name or, if that is taken, the next free one ([`free_name`]). The answer is the same in both cases, and
    /// says this name; nothing is compared or skipped, and only what this client itself began is resumed.
    Beside(Name),
}

impl Store<'_> {
    /// The same, on its own.
    #[must_use]
    pub fn into_owned(self) -> Store<'static> {
        match self {
            Self::Replacing(to) => Store::Replacing(Cow::Owned(to.into_owned())),
            Self::Beside(name) => Store::Beside(name),
        }
    }
}

/// Decides whether who has `grant` may do `verb`.
///
/// # Errors
/// [`Denied`]
pub fn decide<'a>(grant: &'a Grant, verb: Verb<'a>) -> Result<Permitted<'a>, Denied> {
    let dir = grant.dir();
    let files = Ok(Permitted::Files { dir });
    match (grant.role(), verb) {
        (Role::Read | Role::Write | Role::Admin, Verb::List | Verb::Get | Verb::Stat) => files,
        (Role::Write | Role::Admin, Verb::Rename | Verb::Remove | Verb::Mkdir) => files,
        (Role::Write | Role::Admin, Verb::Put(to)) => {
            Ok(Permitted::Put { dir, max: grant.max(), store: Store::Replacing(Cow::Borrowed(to)) })
        }
        (Role::Drop, Verb::Put(to)) => {
            let name = dropped(to).ok_or(Denied::DropElsewhere)?;
            Ok(Permitted::Put { dir, max: grant.max(), store: Store::Beside(name) })
        }
        (_, Verb::Report) => Ok(Permitted::Report),
        (Role::Admin, Verb::Exit) => Ok(Permitted::Exit),
        (Role::Admin, Verb::Invite(asked)) => {
            grant.narrowed(asked).map(Permitted::Invite).map_err(Denied::InviteDir)
        }
        (role @ Role::Read, Verb::Put(_) | Verb::Rename | Verb::Remove | Verb::Mkdir)
        | (
            role @ Role::Drop,
            Verb::List | Verb::Get | Verb::Stat | Verb::Rename | Verb::Remove | Verb::Mkdir,
        )
        | (role @ (Role::Read | Role::Drop | Role::Write), Verb::Exit | Verb::Invite(_)) => {
            Err(Denied::Role(role))
        }
    }
}

/// The one component under which a `drop` puts a file. Where more than that is named, the answer would tell which
/// directories exist.
fn dropped(to: &Destination) -> Option<Name> {
    let name = match &to.path {
        None => &to.leaf,
        Some(_) if to.into_directory => return None,
        Some(path) => path,
    };
    (name.components().count() == 1).then(|| name.clone())
}

/// Why a verb may not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Denied {
    /// The role does not include it.
    Role(Role),
    /// A `drop` names a directory.
    DropElsewhere,
    /// The directory of an invitation, below that of who invites, has no valid name.
    InviteDir(BadName),
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => {
                write!(f, "the role {role} does not allow that: it {}", role.allows())
            }
            Self::DropElsewhere => write!(f, "the role drop puts files into one directory only"),
            Self::InviteDir(why) => write!(f, "the directory of the invitation: {why}"),
        }
    }
}

impl error::Error for Denied {}
