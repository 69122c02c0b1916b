//! What a client expects of a server's key, before it has seen one.

use crate::PublicKey;

/// Which keys a client takes a server for the right one by. By default it knows none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Expected {
    /// The key that the server is known by, or was said to have.
    pub known: Option<PublicKey>,
    /// The client's own, if a server that holds it is the same user's.
    pub own: Option<PublicKey>,
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

impl Expected {
    /// This key and no other.
    #[must_use]
    pub const fn just(key: PublicKey) -> Self {
        Self { known: Some(key), own: None }
    }

    /// Judges the key that a server has proved to have.
    #[must_use]
    pub fn judge(&self, key: &PublicKey) -> Judgement {
        if self.known.as_ref() == Some(key) || self.own.as_ref() == Some(key) {
            Judgement::Right
        } else if self.known.is_some() {
            Judgement::Wrong
        } else {
            Judgement::Unknown
        }
    }
}
