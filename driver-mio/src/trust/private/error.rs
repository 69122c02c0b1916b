//! Why a file is not believed.

use std::{error, fmt, io, path::PathBuf};

/// Why a file that trust rests on cannot be used.
#[derive(Debug)]
pub enum FileError {
    /// The system says no.
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is a directory or a device.
    NotAFile {
        /// Which.
        path: PathBuf,
    },
    /// It is over 1 MiB.
    TooLarge {
        /// Which.
        path: PathBuf,
    },
    /// Others can do with it what they must not.
    Exposed {
        /// Which file or directory.
        path: PathBuf,
        /// What they can.
        exposure: Exposure,
    },
}

/// What others can do with a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exposure {
    /// Read a secret.
    Readable {
        /// Its permission bits.
        mode: u32,
    },
    /// Change what is believed.
    Writable {
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to one of them.
    OwnedByAnother {
        /// Its owner's number.
        owner: u32,
        /// Ours.
        me: u32,
    },
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, .. } => write!(f, "cannot use {}", path.display()),
            Self::NotAFile { path } => write!(f, "{} is not a regular file", path.display()),
            Self::TooLarge { path } => write!(f, "{} is over 1 MiB", path.display()),
            Self::Exposed { path, exposure } => match exposure {
                Exposure::Readable { mode } => write!(
                    f,
                    "{0} is not secret: its mode is {mode:04o}, so that others can read or change it; \
                     if nobody has, run: chmod 600 '{0}'",
                    path.display()
                ),
                Exposure::Writable { mode } => write!(
                    f,
                    "{0} can be changed by others: its mode is {mode:04o}; \
                     look whether they did, then run: chmod go-w '{0}'",
                    path.display()
                ),
                Exposure::OwnedByAnother { owner, me } => write!(
                    f,
                    "{} belongs to user {owner} and not to user {me}, who runs this: give it to them with chown, \
                     or name another directory with --config",
                    path.display()
                ),
            },
        }
    }
}

impl error::Error for FileError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            Self::NotAFile { .. } | Self::TooLarge { .. } | Self::Exposed { .. } => None,
        }
    }
}
