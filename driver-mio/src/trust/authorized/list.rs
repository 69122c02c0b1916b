//! What `authorized_clients` says (`docs/authorized_clients.md`).

use std::{collections::BTreeMap, error, fmt};

use gannet_protocol::{BadKey, PublicKey, armor::BadText};

use crate::trust::{
    policy::{BadGrant, Grant},
    words::{self, BadWords},
};

/// Most bad lines that are kept to be told; the others are counted.
const MAX_BAD: usize = 20;

/// The clients of a list, and what is wrong with its lines.
///
/// A line that is wrong grants nothing. Neither does any line of a key that another line has too, right or wrong: which of
/// them is meant cannot be told.
#[derive(Clone, Debug, Default)]
pub struct ClientList {
    clients: BTreeMap<PublicKey, Listed>,
    bad: Vec<(usize, BadLine)>,
    more_bad: usize,
}

#[derive(Clone, Debug)]
struct Listed {
    line: usize,
    /// None: it is denied.
    grant: Option<Grant>,
}

/// What a list says of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing<'a> {
    /// It may do this.
    Granted(&'a Grant),
    /// It has a line that is wrong, or several: it may do nothing.
    Denied,
    /// It has no line.
    Unlisted,
}

impl ClientList {
    /// Reads a file's content.
    #[must_use]
    pub fn parse(content: &[u8]) -> Self {
        let mut list = Self::default();
        for (number, line) in words::lines(content) {
            if let Err(why) = list.read(number, line) {
                if list.bad.len() < MAX_BAD {
                    list.bad.push((number, why));
                } else {
                    list.more_bad += 1;
                }
            }
        }
        list
    }

    fn read(&mut self, number: usize, line: &[u8]) -> Result<(), BadLine> {
        let (key, grant) = split(line);
        let Some(key) = key else { return grant.map(drop) };
        if let Some(listed) = self.clients.get_mut(&key) {
            listed.grant = None;
            return Err(BadLine::Again { first: listed.line });
        }
        let (grant, result) = match grant {
            Ok(grant) => (Some(grant), Ok(())),
            Err(why) => (None, Err(why)),
        };
        self.clients.insert(key, Listed { line: number, grant });
        result
    }

    /// What it says of `key`.
    #[must_use]
    pub fn standing(&self, key: &PublicKey) -> Standing<'_> {
        match self.clients.get(key) {
            Some(Listed { grant: Some(grant), .. }) => Standing::Granted(grant),
            Some(Listed { grant: None, .. }) => Standing::Denied,
            None => Standing::Unlisted,
        }
    }

    /// The line of `key`, counted from 1.
    #[must_use]
    pub fn line_of(&self, key: &PublicKey) -> Option<usize> {
        self.clients.get(key).map(|listed| listed.line)
    }

    /// How many keys it grants something.
    #[must_use]
    pub fn len(&self) -> usize {
        self.clients.values().filter(|listed| listed.grant.is_some()).count()
    }

    /// Whether it grants nothing to anyone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first lines that are wrong, and how many more there are.
    #[must_use]
    pub fn bad(&self) -> (&[(usize, BadLine)], usize) {
        (&self.bad, self.more_bad)
    }
}

/// The key of a line, if it can be told, and what it is granted.
fn split(line: &[u8]) -> (Option<PublicKey>, Result<Grant, BadLine>) {
    let words = match words::split(line) {
        Ok(words) => words,
        Err(why) => return (first_key(line), Err(BadLine::Words(why))),
    };
    let Some((first, rest)) = words.split_first() else {
        return (None, Err(BadLine::Key(BadKey(BadText::NotOurs))));
    };
    match first.name.parse() {
        Ok(key) if first.value.is_none() => {
            (Some(key), Grant::from_words(rest).map_err(BadLine::Grant))
        }
        Ok(_) => (None, Err(BadLine::Key(BadKey(BadText::NotOurs)))),
        Err(why) => (None, Err(BadLine::Key(why))),
    }
}

/// The key at the start of a line that is no words, so that it is denied and not unknown.
fn first_key(line: &[u8]) -> Option<PublicKey> {
    let word = line.split(u8::is_ascii_whitespace).next()?;
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// What is wrong with a line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum BadLine {
    /// It is not words.
    Words(BadWords),
    /// It does not begin with a key.
    Key(BadKey),
    /// What follows the key is not what someone may do.
    Grant(BadGrant),
    /// Its key has a line already.
    Again {
        /// Which.
        first: usize,
    },
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(why) => why.fmt(f),
            Self::Key(why) => why.fmt(f),
            Self::Grant(why) => why.fmt(f),
            Self::Again { first } => {
                write!(f, "its key is that of line {first} already: neither grants anything")
            }
        }
    }
}

impl error::Error for BadLine {}
