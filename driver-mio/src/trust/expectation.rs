//! What a client expects of a server's key, before it has seen one.

use std::{error, fmt};

use gannet_protocol::{Expected, PublicKey};

use super::{HostPort, KnownServers, Pin};

/// The keys by which a client with the key `own` takes `server` for the right one. `named` is what the user says its key is,
/// as `--server-key` or a ticket does: then no other will do, not even the client's own.
///
/// # Errors
/// [`NamedAnother`]: what the user says is not what is known.
pub fn expected(
    server: &HostPort,
    own: PublicKey,
    named: Option<PublicKey>,
    known: &KnownServers,
) -> Result<Expected, NamedAnother> {
    match (named, known.pin(server)) {
        (Some(named), Some(pin)) if named != pin.key => Err(NamedAnother(pin.clone())),
        (Some(named), _) => Ok(Expected::just(named)),
        (None, pin) => Ok(Expected { known: pin.map(|pin| pin.key), own: Some(own) }),
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
    use gannet_protocol::Judgement;

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
            let expected = expected(&server, key(OWN), named.map(key), &known).unwrap();
            [OWN, PINNED, NAMED, 9].map(|n| expected.judge(&key(n)))
        };
        use Judgement::{Right, Unknown, Wrong};
        assert_eq!(judge("", None), [Right, Unknown, Unknown, Unknown]);
        assert_eq!(judge(&elsewhere, None), [Right, Unknown, Unknown, Unknown]);
        assert_eq!(judge(&pinned, None), [Right, Right, Wrong, Wrong]);
        assert_eq!(judge("", Some(NAMED)), [Wrong, Wrong, Right, Wrong]);
        assert_eq!(judge(&pinned, Some(PINNED)), [Wrong, Right, Wrong, Wrong]);
        assert_eq!(judge("", Some(OWN)), [Right, Wrong, Wrong, Wrong]);
        let known = KnownServers::parse(pinned.as_bytes()).unwrap();
        let named = expected(&server, key(OWN), Some(key(NAMED)), &known);
        assert_eq!(named, Err(NamedAnother(known.pin(&server).unwrap().clone())));
    }
}
