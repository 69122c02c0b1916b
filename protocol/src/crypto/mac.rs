//! Keyed tags, by which an endpoint knows its own words again without having kept them.

use alloc::{sync::Arc, vec::Vec};
use core::fmt;

use subtle::ConstantTimeEq;

use super::{Crypto, HASH_LEN, Secret};

/// Bytes of a tag.
pub const MAC_LEN: usize = 16;

/// What tags are for. Each purpose has a key of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// Cookies of a RETRY: that somebody receives at an address.
    Cookie,
    /// Tokens of a RESET: that a connection is no longer known.
    Reset,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Cookie => b"gannet cookie key",
            Self::Reset => b"gannet reset key",
        }
    }
}

/// Tags of one purpose: HMAC-SHA-256, cut to 16 bytes.
///
/// The key comes from the long-term one, so tags outlive a restart and all endpoints with that key agree on them; it tells nothing of
/// the long-term key, nor of that of another purpose.
#[derive(Clone)]
pub struct Mac {
    crypto: Arc<dyn Crypto>,
    key: Secret,
}

impl Mac {
    /// Derives the key of `purpose`.
    #[must_use]
    pub fn new(crypto: Arc<dyn Crypto>, long_term: &Secret, purpose: Purpose) -> Self {
        let mut key = Secret::zeroed();
        crypto.hmac_sha256(long_term.expose(), &[purpose.label()], key.expose_mut());
        Self { crypto, key }
    }

    /// The tag of some fields. Where one ends and the next begins counts.
    #[must_use]
    pub fn tag(&self, fields: &[&[u8]]) -> [u8; MAC_LEN] {
        let lens: Vec<[u8; 8]> =
            fields.iter().map(|field| (field.len() as u64).to_be_bytes()).collect();
        let parts: Vec<&[u8]> =
            lens.iter().zip(fields).flat_map(|(len, field)| [&len[..], field]).collect();
        let mut full = [0; HASH_LEN];
        self.crypto.hmac_sha256(self.key.expose(), &parts, &mut full);
        let mut tag = [0; MAC_LEN];
        tag.iter_mut().zip(full).for_each(|(to, from)| *to = from);
        tag
    }

    /// Whether `tag` is theirs, in a time that tells nothing of the right one.
    #[must_use]
    pub fn verify(&self, fields: &[&[u8]], tag: &[u8]) -> bool {
        self.tag(fields).ct_eq(tag).into()
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mac").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::toy::Toy;

    fn mac(key: u8, purpose: Purpose) -> Mac {
        Mac::new(Arc::new(Toy::new(1)), &Secret::take(&mut [key; 32]), purpose)
    }

    #[test]
    fn a_tag_is_for_these_fields_this_key_and_this_purpose() {
        let cookie = mac(1, Purpose::Cookie);
        let tag = cookie.tag(&[b"ab", b"c"]);
        assert!(mac(1, Purpose::Cookie).verify(&[b"ab", b"c"], &tag));
        assert!(!cookie.verify(&[b"a", b"bc"], &tag));
        assert!(!cookie.verify(&[b"abc"], &tag));
        assert!(!mac(2, Purpose::Cookie).verify(&[b"ab", b"c"], &tag));
        assert!(!mac(1, Purpose::Reset).verify(&[b"ab", b"c"], &tag));
    }

    #[test]
    fn part_of_a_tag_is_none() {
        let cookie = mac(1, Purpose::Cookie);
        let tag = cookie.tag(&[b"field"]);
        assert!((0..MAC_LEN).all(|len| !cookie.verify(&[b"field"], &tag[..len])));
        assert!((0..MAC_LEN * 8).all(|bit| {
            let mut wrong = tag;
            wrong[bit / 8] ^= 1 << (bit % 8);
            !cookie.verify(&[b"field"], &wrong)
        }));
    }
}
