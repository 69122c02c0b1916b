//! What the receiver of a file has, or may have, of it.

use std::{collections::BTreeMap, ops::Range};

use gannet_protocol::{BodyLen, Hash};

use super::holes::Holes;

/// What the receiver of a file that is sent has, or may have, of it.
#[derive(Debug)]
pub(super) struct Known {
    len: u64,
    group_len: u64,
    /// Whether it may say what its groups hash to.
    is_awaited: bool,
    /// What it says so of groups that were not read yet.
    claims: BTreeMap<u64, Hash>,
    /// What groups hash to that were read while it may say so. As many as it has time for.
    hashed: BTreeMap<u64, Hash>,
    /// Bytes that it has, or that are zeros, and that are not to be read.
    skipped: Holes,
}

impl Known {
    pub(super) fn new(len: u64, is_awaited: bool) -> Self {
        let group_len = BodyLen::Known(len).group_len();
        let (claims, hashed) = (BTreeMap::new(), BTreeMap::new());
        Self { len, group_len, is_awaited, claims, hashed, skipped: Holes::default() }
    }

    /// Bytes of a group.
    pub(super) fn range(&self, index: u64) -> Range<u64> {
        let start = index.saturating_mul(self.group_len).min(self.len);
        start..start.saturating_add(self.group_len).min(self.len)
    }

    /// Nothing more is said of hashes.
    pub(super) fn conclude(&mut self) {
        self.is_awaited = false;
        self.hashed.clear();
    }

    /// Takes what the receiver says that a group of its own hashes to. Gives the group's bytes if it was read and is the same.
    pub(super) fn claim(&mut self, index: u64, hash: Hash) -> Option<Range<u64>> {
        match self.hashed.remove(&index) {
            Some(own) => (own == hash).then(|| self.range(index)),
            None => {
                self.claims.insert(index, hash);
                None
            }
        }
    }

    /// Takes what a group hashes to that was read. Gives its bytes if the receiver has the same.
    pub(super) fn settle(&mut self, index: u64, hash: Hash) -> Option<Range<u64>> {
        match self.claims.remove(&index) {
            Some(claim) => (claim == hash).then(|| self.range(index)),
            None if self.is_awaited => {
                self.hashed.insert(index, hash);
                None
            }
            None => None,
        }
    }

    /// The end of the group of `offset`, if it has to be read as a whole before it is known whether it has to be sent.
    pub(super) fn undecided(&self, offset: u64) -> Option<u64> {
        let index = offset / self.group_len;
        self.claims.contains_key(&index).then(|| self.range(index).end)
    }

    /// The receiver has these bytes.
    pub(super) fn skip(&mut self, range: Range<u64>) {
        self.skipped.add(range);
    }

    /// How many bytes of `range` that is so of.
    pub(super) fn skipped_in(&self, range: &Range<u64>) -> u64 {
        self.skipped.bytes_in(range)
    }

    /// The receiver wants these bytes after all.
    pub(super) fn want(&mut self, range: &Range<u64>) {
        self.skipped.remove(range);
    }

    /// The first byte from `offset` on that is to be read.
    pub(super) fn next_to_read(&self, offset: u64) -> u64 {
        self.skipped.end_of(offset).unwrap_or(offset)
    }
}

#[cfg(test)]
mod tests {
    use gannet_protocol::BLOCK_LEN;

    use super::*;

    #[test]
    fn a_claim_and_a_hash_meet_in_any_order() {
        let len = 3 * BLOCK_LEN + 1;
        let mut known = Known::new(len, true);
        assert_eq!(known.claim(1, [1; 32]), None);
        assert_eq!(known.undecided(BLOCK_LEN + 9), Some(2 * BLOCK_LEN));
        assert_eq!(known.undecided(BLOCK_LEN - 1), None);
        assert_eq!(known.settle(1, [1; 32]), Some(BLOCK_LEN..2 * BLOCK_LEN));
        assert_eq!(known.undecided(BLOCK_LEN), None);
        assert_eq!(known.settle(3, [3; 32]), None);
        assert_eq!(known.claim(3, [3; 32]), Some(3 * BLOCK_LEN..len));
        assert_eq!(known.settle(0, [0; 32]), None);
        assert_eq!(known.claim(0, [9; 32]), None);
        assert_eq!(known.undecided(0), None, "it was read");
        assert_eq!(known.claim(2, [9; 32]), None);
        known.conclude();
        assert_eq!(known.settle(2, [2; 32]), None, "another one");
        assert_eq!(known.undecided(2 * BLOCK_LEN), None);
    }
}
