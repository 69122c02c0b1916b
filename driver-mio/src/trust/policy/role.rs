//! Roles.

use std::{error, fmt, str::FromStr};

use gannet_protocol::Escaped;

/// What someone may do, in one word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// List, get and stat.
    Read,
    /// Put files of new names, and see nothing.
    Drop,
    /// What [`Role::Read`] may, and put, rename, remove and make directories.
    Write,
    /// What [`Role::Write`] may, and stop the server and invite others.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Read, Self::Drop, Self::Write, Self::Admin];

    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Drop => "drop",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// What it allows, in words.
    #[must_use]
    pub const fn allows(self) -> &'static str {
        match self {
            Self::Read => "lists and gets",
            Self::Drop => "puts new files, and sees none",
            Self::Write => "lists, gets, puts, renames, removes and makes directories",
            Self::Admin => "does everything",
        }
    }

    /// Whether it can store anything.
    #[must_use]
    pub const fn can_put(self) -> bool {
        matches!(self, Self::Drop | Self::Write | Self::Admin)
    }
}

impl FromStr for Role {
    type Err = BadRole;

    fn from_str(text: &str) -> Result<Self, BadRole> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or_else(|| BadRole(text.into()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that is no [`Role`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BadRole(pub String);

impl fmt::Display for BadRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Escaped(self.0.as_bytes());
        write!(f, "'{word}' is not a role: read, drop, write or admin")
    }
}

impl error::Error for BadRole {}
