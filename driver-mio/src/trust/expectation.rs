//! What a client expects of a server's key, before it has seen one.

use std::{error, fmt};

use gannet_protocol::PublicKey;

use super::{HostPort, KnownServers, Pin};

/// What a client expects of a server's key: one function says whether it is the right one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expectation {
    /// The key that the server is known by, or was said to have.
    key: Option<PublicKey>,
    /// The client's own: a server that holds it is the same user's. None if the user said which key it is.
    own: Option<PublicKey>,
}

/// What a client thinks of a server's key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Judgement {
    /// It is the right one.
    Right,
    /// It is not. Someone on the way may have answered first: the right one may come yet.
    Wrong,
    /// Nothing is known of the server. Nothing may be said to it until its user has said that the key is right.
    Unknown,
}

impl Expectation {
    /// Of `server`, for a client with the key `own`. `named` is what the user says its key is, as `--server-key` or a ticket
    /// does.
    ///
    /// # Errors
    /// [`NamedAnother`]: what the user says is not what is known.
    pub fn of(
        server: &HostPort,
        own: PublicKey,
        named: Option<PublicKey>,
        known: &KnownServers,
    ) -> Result<Self, NamedAnother> {
        let pin = known.pin(server);
        match (named, pin) {
            (Some(named), Some(pin)) if named != pin.key => Err(NamedAnother(pin.clone())),
            (Some(named), _) => Ok(Self { key: Some(named), own: None }),
            (None, pin) => Ok(Self { key: pin.map(|pin| pin.key), own: Some(own) }),
        }
    }

    /// Judges the key that the server has proved to have.
    #[must_use]
    pub fn judge(&self, key: &PublicKey) -> Judgement {
        if self.key == Some(*key) || self.own == Some(*key) {
            Judgement::Right
        } else if self.key.is_some() {
            Judgement::Wrong
        } else {
            Judgement::Unknown
        }
    }
}

/// The user says that a server has another key than the one it is known by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NamedAnother(pub Pin);

impl fmt::Display for NamedAnother {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pin { server, key, line } = &self.0;
        write!(
            f,
            "{server} is known by another key, {key} on line {line} of known_servers: if it has got a new one, take that line out"
        )
    }
}

impl error::Error for NamedAnother {}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> PublicKey {
        PublicKey::from_bytes([n; 32])
    }

    /// `docs/hostile-input.md`, row 39: every key against everything that can be known.
    #[test]
    fn only_the_right_key_is_right() {
        const OWN: u8 = 1;
        const PINNED: u8 = 2;
        const NAMED: u8 = 3;
        let server: HostPort = "host:1".parse().unwrap();
        let elsewhere = format!("other:1 {}\nhost:2 {}\n", key(9), key(9));
        let pinned = format!("{elsewhere}HOST:1 {}\n", key(PINNED));
        let judge = |content: &str, named: Option<u8>| {
            let known = KnownServers::parse(content.as_bytes()).unwrap();
            let expectation = Expectation::of(&server, key(OWN), named.map(key), &known).unwrap();
            [OWN, PINNED, NAMED, 9].map(|n| expectation.judge(&key(n)))
        };
        use Judgement::{Right, Unknown, Wrong};
        assert_eq!(judge("", None), [Right, Unknown, Unknown, Unknown]);
        assert_eq!(judge(&elsewhere, None), [Right, Unknown, Unknown, Unknown]);
        assert_eq!(judge(&pinned, None), [Right, Right, Wrong, Wrong]);
        assert_eq!(judge("", Some(NAMED)), [Wrong, Wrong, Right, Wrong]);
        assert_eq!(judge(&pinned, Some(PINNED)), [Wrong, Right, Wrong, Wrong]);
        assert_eq!(judge("", Some(OWN)), [Right, Wrong, Wrong, Wrong]);
        let known = KnownServers::parse(pinned.as_bytes()).unwrap();
        let named = Expectation::of(&server, key(OWN), Some(key(NAMED)), &known);
        assert_eq!(named, Err(NamedAnother(known.pin(&server).unwrap().clone())));
    }
}
