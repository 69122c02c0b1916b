//! A new client.

use std::path::Path;

use gannet_protocol::{Escaped, PublicKey};

use super::{ClientList, Standing};
use crate::trust::{
    policy::Grant,
    private::{self, FileError, Guard, Lock},
};

/// What a new file begins with.
const HEADER: &str = "\
# Clients that servers of this user let in, one a line: KEY ROLE [dir=PATH] [max=SIZE] [# COMMENT]
# Roles: read, drop, write, admin. Changes take effect at once. See docs/authorized_clients.md.
";
/// Most characters of a comment.
const MAX_COMMENT: usize = 200;

/// What became of a new client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Authorized {
    /// It has a line now.
    Added,
    /// It had one, which stays as it is.
    Already {
        /// Which, counted from 1.
        line: usize,
        /// What it may do by it; nothing if the line is wrong.
        grant: Option<Grant>,
    },
}

/// Adds a line for `key` to the file of authorized clients, which is made if there is none. All else in it stays as it is,
/// and whoever reads it sees it with the whole line or without. Blocks on the disk, and while others do the same.
///
/// `comment` is for people; what in it could end a line or move a cursor is escaped.
///
/// # Errors
/// [`FileError`]
pub fn authorize(
    path: &Path,
    key: &PublicKey,
    grant: &Grant,
    comment: &str,
) -> Result<Authorized, FileError> {
    let lock = Lock::of(path)?;
    let found = private::read(path, Guard::Unchanged)?;
    let before = found.as_ref().map(|bytes| bytes.as_slice());
    let list = ClientList::parse(before.unwrap_or_default());
    if let Some(line) = list.line_of(key) {
        let grant = match list.standing(key) {
            Standing::Granted(grant) => Some(grant.clone()),
            Standing::Denied | Standing::Unlisted => None,
        };
        return Ok(Authorized::Already { line, grant });
    }
    lock.append(path, before, HEADER, &line(key, grant, comment))?;
    Ok(Authorized::Added)
}

fn line(key: &PublicKey, grant: &Grant, comment: &str) -> String {
    let comment: String = comment.chars().take(MAX_COMMENT).collect();
    let comment = Escaped(comment.trim().as_bytes());
    let separator = if comment.0.is_empty() { "" } else { " # " };
    format!("{key} {grant}{separator}{comment}")
}
