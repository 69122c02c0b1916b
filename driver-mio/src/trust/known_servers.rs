//! The servers that this user's clients have met, and the keys by which they were known.

use std::{
    error, fmt,
    path::{Path, PathBuf},
};

use gannet_protocol::{BadKey, PublicKey};

use super::{
    BadHostPort, HostPort,
    private::{self, FileError, Guard, Lock},
    words::{self, BadWords},
};

/// What a new file begins with.
const HEADER: &str = "\
# Servers that this user's clients have met: HOST:PORT KEY
# One whose key changed is not talked to until its line is taken out.
";

/// The pins in the file of known servers.
///
/// Any line that is wrong is an error, and then no server is known or unknown: what cannot be read could be the pin of the
/// very server that is asked for.
#[derive(Clone, Debug, Default)]
pub struct KnownServers {
    pins: Vec<Pin>,
}

/// A server's key, as it was when the user accepted it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pin {
    /// The server, as the user named it.
    pub server: HostPort,
    /// Its key.
    pub key: PublicKey,
    /// The line that says so, counted from 1.
    pub line: usize,
}

impl KnownServers {
    /// Reads the file; without one no server is known.
    ///
    /// # Errors
    /// [`KnownServersError`]
    pub fn load(path: &Path) -> Result<Self, KnownServersError> {
        let content = private::read(path, Guard::Unchanged).map_err(KnownServersError::File)?;
        let bad = |(line, why)| KnownServersError::Line { path: path.to_owned(), line, why };
        Self::parse(content.as_ref().map_or(&[], |bytes| bytes)).map_err(bad)
    }

    /// Reads a file's content.
    ///
    /// # Errors
    /// The first line that is wrong, and why.
    pub fn parse(content: &[u8]) -> Result<Self, (usize, BadPin)> {
        let mut known = Self::default();
        for (line, text) in words::lines(content) {
            let (server, key) = split(text).map_err(|why| (line, why))?;
            match known.pin(&server) {
                None => known.pins.push(Pin { server, key, line }),
                Some(pin) if pin.key == key => {}
                Some(pin) => return Err((line, BadPin::Again { first: pin.line })),
            }
        }
        Ok(known)
    }

    /// The pin of `server`, if it was met.
    #[must_use]
    pub fn pin(&self, server: &HostPort) -> Option<&Pin> {
        self.pins.iter().find(|pin| pin.server.is_same_as(server))
    }

    /// Judges the key that `server` shows.
    pub fn meet(&self, server: &HostPort, key: &PublicKey) -> Meeting<'_> {
        match self.pin(server) {
            None => Meeting::First,
            Some(pin) if pin.key == *key => Meeting::Known,
            Some(pin) => Meeting::Changed(pin),
        }
    }
}

/// What to think of a server's key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Meeting<'a> {
    /// The server was never met: its user has to say whether the key is right.
    First,
    /// It is the same as ever.
    Known,
    /// It was another: someone may be in between, or the server got a new key.
    Changed(&'a Pin),
}

/// Pins a server's key in the file of known servers, which is made if there is none. All else in it stays as it is, and
/// whoever reads it sees it with the whole line or without. Blocks on the disk, and while others do the same.
///
/// If the server is pinned by now, nothing changes.
///
/// # Errors
/// [`KnownServersError`]; [`KnownServersError::Changed`] if it is pinned to another key.
pub fn remember(path: &Path, server: &HostPort, key: &PublicKey) -> Result<(), KnownServersError> {
    let lock = Lock::of(path).map_err(KnownServersError::File)?;
    let found = private::read(path, Guard::Unchanged).map_err(KnownServersError::File)?;
    let before = found.as_ref().map(|bytes| bytes.as_slice());
    let bad = |(line, why)| KnownServersError::Line { path: path.to_owned(), line, why };
    match KnownServers::parse(before.unwrap_or_default()).map_err(bad)?.meet(server, key) {
        Meeting::First => {}
        Meeting::Known => return Ok(()),
        Meeting::Changed(pin) => {
            return Err(KnownServersError::Changed { path: path.to_owned(), pin: pin.clone() });
        }
    }
    let line = format!("{server} {key}");
    lock.append(path, before, HEADER, &line).map_err(KnownServersError::File)
}

fn split(line: &[u8]) -> Result<(HostPort, PublicKey), BadPin> {
    let words = words::split(line).map_err(BadPin::Words)?;
    let [server, key] = words.as_slice() else { return Err(BadPin::Shape) };
    if server.value.is_some() || key.value.is_some() {
        return Err(BadPin::Shape);
    }
    let server = server.name.parse().map_err(BadPin::Server)?;
    Ok((server, key.name.parse().map_err(BadPin::Key)?))
}

/// What is wrong with a line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum BadPin {
    /// It is not words.
    Words(BadWords),
    /// It is not two words.
    Shape,
    /// The first does not name a server.
    Server(BadHostPort),
    /// The second is no key.
    Key(BadKey),
    /// Its server has another key on a line before.
    Again {
        /// Which.
        first: usize,
    },
}

impl fmt::Display for BadPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(why) => why.fmt(f),
            Self::Shape => write!(f, "a line is HOST:PORT and a key"),
            Self::Server(why) => why.fmt(f),
            Self::Key(why) => why.fmt(f),
            Self::Again { first } => write!(f, "line {first} has another key for that server"),
        }
    }
}

impl error::Error for BadPin {}

/// Why it cannot be said whether a server is the right one.
#[derive(Debug)]
pub enum KnownServersError {
    /// The file cannot be used.
    File(FileError),
    /// A line is wrong.
    Line {
        /// Of which file.
        path: PathBuf,
        /// Which, counted from 1.
        line: usize,
        /// What is wrong.
        why: BadPin,
    },
    /// The server is pinned to another key.
    Changed {
        /// In which file.
        path: PathBuf,
        /// How.
        pin: Pin,
    },
}

impl fmt::Display for KnownServersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Line { path, line, why } => write!(f, "line {line} of {}: {why}", path.display()),
            Self::Changed { path, pin } => write!(
                f,
                "{} has another key than on line {} of {}: someone may be listening in between, or its owner has made a new \
                 key; ask them, and only if the fingerprint is theirs take that line out",
                pin.server,
                pin.line,
                path.display()
            ),
        }
    }
}

impl error::Error for KnownServersError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::File(error) => error.source(),
            Self::Line { .. } | Self::Changed { .. } => None,
        }
    }
}
