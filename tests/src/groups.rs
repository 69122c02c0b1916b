//! Groups of a body and their BLAKE3 hashes.

use std::ops::Range;

use blake3::{
    Hasher,
    hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root},
};
use gannet_protocol::{BodyLen, Hash};

/// How a body is divided into groups.
#[derive(Clone, Copy, Debug)]
pub struct Groups {
    len: u64,
}

/// The hashes of one group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GroupHash {
    /// Its chaining value: as a subtree.
    pub subtree: Hash,
    /// Its hash as the whole of a body, if it is the first.
    pub root: Option<Hash>,
    /// How many bytes it has.
    pub len: u64,
}

impl Groups {
    /// The groups of a body of that length.
    #[must_use]
    pub fn of(len: BodyLen) -> Self {
        Self { len: len.group_len() }
    }

    /// Bytes of each group but the last.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "the length of a group is never zero")]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// The number of the group that holds the byte at `offset`.
    #[must_use]
    pub const fn index(&self, offset: u64) -> u64 {
        offset / self.len
    }

    /// The groups of a body of `total` bytes, in order.
    pub fn ranges(self, total: u64) -> impl Iterator<Item = Range<u64>> {
        (0..total.div_ceil(self.len)).map(move |i| self.range(i, total))
    }

    /// Where group `index` of a body of `total` bytes lies.
    #[must_use]
    pub fn range(&self, index: u64, total: u64) -> Range<u64> {
        index * self.len..total.min((index + 1) * self.len)
    }

    /// Hashes a whole group that stands at `offset`.
    #[must_use]
    pub fn hash(&self, offset: u64, bytes: &[u8]) -> GroupHash {
        let mut hasher = Self::hasher(offset);
        hasher.update(bytes);
        Self::finish(&hasher, offset)
    }

    /// A hasher for a group that stands at `offset`.
    #[must_use]
    pub fn hasher(offset: u64) -> Hasher {
        let mut hasher = Hasher::new();
        hasher.set_input_offset(offset);
        hasher
    }

    /// What the hasher of a whole group that stands at `offset` comes to.
    #[must_use]
    pub fn finish(hasher: &Hasher, offset: u64) -> GroupHash {
        GroupHash {
            subtree: hasher.finalize_non_root(),
            root: (offset == 0).then(|| *hasher.finalize().as_bytes()),
            len: hasher.count(),
        }
    }
}

/// The standard BLAKE3 hash of a body, from those of its groups in order.
#[derive(Clone, Debug, Default)]
pub struct RootHash {
    groups: Vec<GroupHash>,
}

impl RootHash {
    /// Takes the next group's hash.
    pub fn push(&mut self, group: GroupHash) {
        self.groups.push(group);
    }

    /// The hash of the whole.
    ///
    /// # Panics
    /// If the first group is not one that stands at the start.
    #[must_use]
    pub fn finish(&self) -> Hash {
        match &self.groups[..] {
            [] => *blake3::hash(b"").as_bytes(),
            [only] => only.root.expect("the first group stands at the start"),
            groups => {
                let (left, right) = halves(groups);
                *merge_subtrees_root(&subtree(left), &subtree(right), Mode::Hash).as_bytes()
            }
        }
    }
}

fn halves(groups: &[GroupHash]) -> (&[GroupHash], &[GroupHash]) {
    // The left half is the largest power of two that leaves something to the right.
    groups.split_at(groups.len().next_power_of_two() / 2)
}

fn subtree(groups: &[GroupHash]) -> Hash {
    match groups {
        [only] => only.subtree,
        groups => {
            let (left, right) = halves(groups);
            merge_subtrees_non_root(&subtree(left), &subtree(right), Mode::Hash)
        }
    }
}
