//! A file that stands where one of the same length and time is received: whether it is the very same.

use std::collections::BTreeMap;

use gannet_protocol::{BodyLen, Hash};

use crate::hash::{GroupHash, HashTree};

/// Compares a file that stands there with one that is received, group by group.
#[derive(Debug)]
pub(super) struct Twin {
    len: BodyLen,
    /// How many groups either has.
    groups: u64,
    /// What groups of the one that stands there hash to.
    base: BTreeMap<u64, Hash>,
    /// What a single group hashes to as a body.
    whole: Option<Hash>,
    /// What those of the other hash to, as far as they are the same or lie in holes.
    other: BTreeMap<u64, Hash>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Compared {
    /// They are the same, with this hash of the content.
    Same(Option<Hash>),
    /// They differ.
    Other,
}

impl Twin {
    /// Of files of `len` bytes.
    pub(super) fn new(len: u64) -> Self {
        let body = BodyLen::Known(len);
        Self {
            len: body,
            groups: len.div_ceil(body.group_len()),
            base: BTreeMap::new(),
            whole: None,
            other: BTreeMap::new(),
        }
    }

    /// Takes what a group of the file that stands there hashes to, and as a body of its own.
    pub(super) fn add_base(&mut self, index: u64, hash: Hash, whole: Option<Hash>) {
        self.base.insert(index, hash);
        self.whole = self.whole.or(whole);
    }

    /// Takes what a group of the other one hashes to.
    pub(super) fn add(&mut self, index: u64, hash: Hash) {
        self.other.insert(index, hash);
    }

    /// What came of it, once nothing more is to be heard of either.
    pub(super) fn compare(&self) -> Compared {
        let is_same = self.other.len() as u64 == self.groups && self.other == self.base;
        if is_same { Compared::Same(self.root()) } else { Compared::Other }
    }

    fn root(&self) -> Option<Hash> {
        if self.groups == 1 {
            return self.whole;
        }
        let mut tree = HashTree::new(self.len);
        for (&index, &hash) in &self.base {
            tree.insert_group(GroupHash { index, hash });
        }
        tree.root()
    }
}

#[cfg(test)]
mod tests {
    use gannet_protocol::BLOCK_LEN;

    use super::*;
    use crate::hash::hash_piece;

    /// The groups of some content, and what they hash to as bodies.
    fn groups(content: &[u8]) -> Vec<(u64, Hash, Option<Hash>)> {
        let blocks = (0..).zip(content.chunks(BLOCK_LEN as usize));
        let hashed = blocks.map(|(index, block)| {
            let start = index * BLOCK_LEN;
            let piece = hash_piece(start, block);
            let hash = crate::hash::hash_group([(start, block.len() as u64, piece)]).unwrap();
            (index, hash, piece.whole())
        });
        hashed.collect()
    }

    #[test]
    fn the_same_is_known_by_all_groups_and_has_a_hash() {
        for len in [0, 1, BLOCK_LEN, BLOCK_LEN + 1, 3 * BLOCK_LEN] {
            let content: Vec<u8> = (0..len).map(|i| (i / 7) as u8).collect();
            let groups = groups(&content);
            let mut twin = Twin::new(len);
            for &(index, hash, whole) in &groups {
                assert_eq!(twin.compare(), Compared::Other);
                twin.add_base(index, hash, whole);
                twin.add(index, hash);
            }
            let hash = *blake3::hash(&content).as_bytes();
            assert_eq!(twin.compare(), Compared::Same(Some(hash)), "{len}");
        }
    }

    #[test]
    fn one_group_that_is_missing_or_different_makes_another_file() {
        let groups = groups(&vec![1; 2 * BLOCK_LEN as usize]);
        for (of_base, of_other) in [(1, 2), (2, 1), (2, 2)] {
            let mut twin = Twin::new(2 * BLOCK_LEN);
            groups.iter().take(of_base).for_each(|(i, hash, _)| twin.add_base(*i, *hash, None));
            groups.iter().take(of_other).for_each(|(i, hash, _)| twin.add(*i, *hash));
            if of_base == of_other {
                twin.add(1, [9; 32]);
            }
            assert_eq!(twin.compare(), Compared::Other);
        }
    }
}
