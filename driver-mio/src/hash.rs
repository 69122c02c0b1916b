//! Content hashes: BLAKE3 trees that grow in any order.
//!
//! A body is hashed in subtrees: pieces that start at a multiple of their length, which is a power of two of at least 1 KiB;
//! only the body's last piece may be shorter. Their chaining values make up those of the groups, and the standard
//! hash of the whole.

use std::collections::BTreeMap;

use blake3::{
    CHUNK_LEN, Hasher,
    hazmat::{
        ChainingValue, HasherExt, Mode, left_subtree_len, merge_subtrees_non_root,
        merge_subtrees_root,
    },
};
use gannet_protocol::{BodyLen, Hash};

/// What a piece of a body hashes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hashed {
    /// As a part of something larger.
    part: ChainingValue,
    /// As a body of its own, if it is where one starts.
    whole: Option<Hash>,
}

impl Hashed {
    /// The hash as a body of its own, if it is where one starts.
    pub(crate) const fn whole(&self) -> Option<Hash> {
        self.whole
    }
}

/// Hashes the piece of a body that starts at `offset`.
pub(crate) fn hash_piece(offset: u64, bytes: &[u8]) -> Hashed {
    let mut hasher = PieceHasher::new(offset);
    hasher.update(bytes);
    hasher.finish()
}

/// Hashes a piece of a body bit by bit; in bits of 16 KiB or more it is as fast as at once.
#[derive(Debug)]
pub(crate) struct PieceHasher {
    hasher: Hasher,
    offset: u64,
}

impl PieceHasher {
    /// Starts with the piece at `offset`.
    pub(crate) fn new(offset: u64) -> Self {
        let mut hasher = Hasher::new();
        hasher.set_input_offset(offset);
        Self { hasher, offset }
    }

    /// Takes the next bytes of the piece.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// The hash of the piece, which was not empty.
    pub(crate) fn finish(&self) -> Hashed {
        let whole = (self.offset == 0).then(|| self.hasher.finalize().into());
        Hashed { part: self.hasher.finalize_non_root(), whole }
    }
}

/// The chaining value of a group, of whose pieces these are all: where each starts, how long it is, and what it hashes to.
pub(crate) fn hash_group(pieces: impl IntoIterator<Item = (u64, u64, Hashed)>) -> Option<Hash> {
    let mut pieces = pieces.into_iter().peekable();
    let &(start, ..) = pieces.peek()?;
    // Wherever it stands in its body, it is merged as a tree of its own.
    let mut tree = HashTree::with_groups(BodyLen::Open, u64::MAX);
    let mut len = 0u64;
    for (offset, piece_len, hashed) in pieces {
        let subtree = Subtree { len: piece_len, hash: hashed.part, is_settled: false };
        tree.subtrees.insert(offset, subtree);
        len = len.checked_add(piece_len)?;
    }
    tree.fold(start, len)
}

/// A group of a body all of whose pieces are hashed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct GroupHash {
    /// Which group, from 0.
    pub(crate) index: u64,
    /// Its chaining value: not as a root, even if it is the only one.
    pub(crate) hash: Hash,
}

/// The hashes of a body's pieces, which come in any order, each once.
///
/// Neighbours are merged as soon as both are there, and the groups that they lie in settled, so that a body that comes nearly in order takes a few dozen hashes.
#[derive(Debug)]
pub(crate) struct HashTree {
    group_len: u64,
    len: BodyLen,
    /// By their offsets: lengths and chaining values. Those at offset 0 are never merged, for only the end tells
    /// which of them is below the root.
    subtrees: BTreeMap<u64, Subtree>,
    /// What the first piece hashes to if it is all, and its length.
    first: Option<(u64, Hash)>,
}

#[derive(Clone, Copy, Debug)]
struct Subtree {
    len: u64,
    hash: ChainingValue,
    /// Whether it is a group, or more, that will not be forgotten.
    is_settled: bool,
}

impl HashTree {
    /// A tree without pieces.
    pub(crate) fn new(len: BodyLen) -> Self {
        Self::with_groups(len, len.group_len())
    }

    /// The same with groups of another length.
    pub(crate) fn with_groups(len: BodyLen, group_len: u64) -> Self {
        Self { group_len, len, subtrees: BTreeMap::new(), first: None }
    }

    /// Takes the hash of the piece of `len` bytes at `offset`, and tells the group that it completes: [`Self::settle`] it.
    pub(crate) fn insert(&mut self, offset: u64, len: u64, hashed: Hashed) -> Option<GroupHash> {
        if let Some(whole) = hashed.whole {
            self.first = Some((len, whole));
        }
        self.subtrees.insert(offset, Subtree { len, hash: hashed.part, is_settled: false });
        self.merge(offset, self.group_len);
        self.group(offset / self.group_len)
    }

    /// Takes the hash of a group of a body of several, instead of its pieces'. It can be forgotten again.
    pub(crate) fn insert_group(&mut self, group: GroupHash) {
        let GroupHash { index, hash } = group;
        if let Some(start) = index.checked_mul(self.group_len)
            && let Some(len) = self.len_of(start)
        {
            self.subtrees.insert(start, Subtree { len, hash, is_settled: false });
        }
    }

    /// Lets a group that is complete be merged with others: its pieces will not be forgotten.
    pub(crate) fn settle(&mut self, index: u64) {
        let start = index.saturating_mul(self.group_len);
        if let Some(group) = self.subtrees.get_mut(&start) {
            group.is_settled = group.len == self.group_len;
        }
        self.merge(start, u64::MAX);
    }

    /// Forgets the pieces of a group that was not settled: they will come again.
    pub(crate) fn forget(&mut self, index: u64) {
        let start = index.saturating_mul(self.group_len);
        let end = start.saturating_add(self.group_len);
        self.subtrees.retain(|offset, _| !(start..end).contains(offset));
        self.first.take_if(|_| start == 0);
    }

    /// Takes the length of a body of open length, and tells the group that is complete by that.
    pub(crate) fn end(&mut self, len: u64) -> Option<GroupHash> {
        let was_open = self.len == BodyLen::Open;
        self.len = BodyLen::Known(len);
        let is_cut = was_open && !len.is_multiple_of(self.group_len);
        if is_cut { self.group(len / self.group_len) } else { None }
    }

    /// The BLAKE3 hash of the whole, once all of it is there.
    pub(crate) fn root(&self) -> Option<Hash> {
        let BodyLen::Known(len) = self.len else { return None };
        match self.first {
            _ if len == 0 => Some(blake3::hash(&[]).into()),
            Some((first, hash)) if first == len => Some(hash),
            Some((first, _)) if first > len => None,
            _ if len <= CHUNK_LEN as u64 => None,
            _ => {
                let left = left_subtree_len(len);
                let right = self.fold(left, len.checked_sub(left)?)?;
                let hash = merge_subtrees_root(&self.fold(0, left)?, &right, Mode::Hash);
                Some(hash.into())
            }
        }
    }

    /// The hash of a group, if all of it is there.
    fn group(&self, index: u64) -> Option<GroupHash> {
        let start = index.checked_mul(self.group_len)?;
        self.fold(start, self.len_of(start)?).map(|hash| GroupHash { index, hash })
    }

    /// Bytes of the group at `start`.
    fn len_of(&self, start: u64) -> Option<u64> {
        match self.len {
            BodyLen::Known(len) => Some(len.checked_sub(start)?.min(self.group_len)),
            BodyLen::Open => Some(self.group_len),
        }
    }

    /// The chaining value of a subtree, if all of it is there.
    fn fold(&self, start: u64, len: u64) -> Option<ChainingValue> {
        let there = self.subtrees.get(&start)?;
        if there.len >= len || len <= CHUNK_LEN as u64 {
            return (there.len == len).then_some(there.hash);
        }
        let left = left_subtree_len(len);
        let right = self.fold(start.checked_add(left)?, len.checked_sub(left)?)?;
        Some(merge_subtrees_non_root(&self.fold(start, left)?, &right, Mode::Hash))
    }

    /// Merges the subtree at `start` with its neighbours up to a length of `limit`; tells where the result starts.
    fn merge(&mut self, mut start: u64, limit: u64) -> u64 {
        while let Some(Subtree { len, .. }) = self.subtrees.get(&start).copied() {
            let left = start & !len;
            let is_full = len.is_power_of_two() && start.is_multiple_of(len);
            if !is_full || len >= limit || left == 0 {
                break;
            }
            let (Some(a), Some(b)) = (self.subtrees.get(&left), self.subtrees.get(&(left | len)))
            else {
                break;
            };
            let may_merge = len < self.group_len || (a.is_settled && b.is_settled);
            if a.len != len || b.len != len || !may_merge {
                break;
            }
            let is_settled = a.is_settled && b.is_settled;
            let hash = merge_subtrees_non_root(&a.hash, &b.hash, Mode::Hash);
            self.subtrees.remove(&(left | len));
            self.subtrees.insert(left, Subtree { len: len << 1, hash, is_settled });
            start = left;
        }
        start
    }
}

#[cfg(test)]
mod tests {
    use gannet_protocol::BLOCK_LEN;
    use proptest::prelude::*;

    use super::*;

    fn content(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i.wrapping_mul(2_654_435_761) >> 7) as u8).collect()
    }

    /// Pieces of mixed lengths between `least` and `least << 3`, each starting at a multiple of its length.
    fn pieces(len: u64, least: u64, sizes: &[u8]) -> Vec<(u64, u64)> {
        let (mut start, mut pieces, mut sizes) = (0, Vec::new(), sizes.iter().cycle());
        while start < len {
            let mut size = least << (sizes.next().unwrap() % 4);
            while start % size != 0 {
                size >>= 1;
            }
            let size = size.min(len - start);
            pieces.push((start, size));
            start += size;
        }
        pieces
    }

    /// What a group must hash to, from the library's own hashing of a subtree.
    fn expected_groups(bytes: &[u8], group_len: u64) -> Vec<GroupHash> {
        let groups = bytes.chunks(usize::try_from(group_len).unwrap());
        (0..)
            .zip(groups)
            .map(|(index, group)| {
                let mut hasher = Hasher::new();
                hasher.set_input_offset(index * group_len).update(group);
                GroupHash { index, hash: hasher.finalize_non_root() }
            })
            .collect()
    }

    fn check(
        bytes: &[u8],
        pieces: &[(u64, u64)],
        group_len: u64,
        known: bool,
    ) -> Result<(), TestCaseError> {
        let len = bytes.len() as u64;
        let body = if known { BodyLen::Known(len) } else { BodyLen::Open };
        let mut tree = HashTree::with_groups(body, group_len);
        let mut groups = Vec::new();
        for &(start, size) in pieces {
            prop_assert_eq!(tree.root(), None);
            let piece = &bytes[start as usize..(start + size) as usize];
            if let Some(group) = tree.insert(start, size, hash_piece(start, piece)) {
                tree.settle(group.index);
                groups.push(group);
            }
        }
        if !known {
            groups.extend(tree.end(len));
        }
        prop_assert_eq!(tree.root(), Some(blake3::hash(bytes).into()));
        groups.sort_by_key(|group| group.index);
        prop_assert_eq!(groups, expected_groups(bytes, group_len));
        Ok(())
    }

    #[test]
    fn lengths_at_the_edges_hash_as_the_library_does() {
        let block = BLOCK_LEN as usize;
        let edges = [0, 1, 1023, 1024, 1025, 2048, 2049, 65_536, 65_537];
        let blocks = [block - 1, block, block + 1, 2 * block, 3 * block, 3 * block + 5, 7 * block];
        for len in edges.into_iter().chain(blocks) {
            let bytes = content(len);
            let mut whole_blocks = pieces(len as u64, BLOCK_LEN, &[0]);
            for known in [true, false] {
                check(&bytes, &whole_blocks, BLOCK_LEN, known).unwrap();
                check(&bytes, &whole_blocks, 2 * BLOCK_LEN, known).unwrap();
                whole_blocks.reverse();
            }
            check(&bytes, &pieces(len as u64, 65_536, &[0, 3, 1]), BLOCK_LEN, true).unwrap();
        }
    }

    /// The end of an open body is not taken for a group before it is told.
    #[test]
    fn a_short_piece_of_an_open_body_waits_for_the_end() {
        let bytes = content(700);
        let mut tree = HashTree::new(BodyLen::Open);
        assert_eq!(tree.insert(0, 700, hash_piece(0, &bytes)), None);
        assert_eq!(tree.root(), None);
        assert_eq!(tree.end(700).map(|group| group.index), Some(0));
        assert_eq!(tree.root(), Some(blake3::hash(&bytes).into()));
    }

    #[test]
    fn a_body_in_order_keeps_few_hashes() {
        let mut tree = HashTree::with_groups(BodyLen::Open, 4096);
        for start in (0..1 << 22).step_by(1024) {
            if let Some(group) = tree.insert(start, 1024, hash_piece(start, &[1; 1024])) {
                tree.settle(group.index);
            }
            assert!(tree.subtrees.len() <= 24);
        }
    }

    /// Some groups come as hashes, some come wrong first, the others in pieces.
    #[test]
    fn groups_count_as_much_as_their_pieces() {
        const GROUP: u64 = 4096;
        for len in [GROUP + 1, 2 * GROUP, 7 * GROUP - 3, 16 * GROUP] {
            let bytes = content(len as usize);
            let groups = expected_groups(&bytes, GROUP);
            for which in 0..3 {
                let mut tree = HashTree::with_groups(BodyLen::Known(len), GROUP);
                for &group in &groups {
                    assert_eq!(tree.root(), None);
                    if which == 2 || group.index % 2 == which {
                        tree.insert_group(group);
                        continue;
                    }
                    let start = group.index * GROUP;
                    let end = len.min(start + GROUP);
                    let wrong = hash_piece(start, &vec![0; (end - start) as usize]);
                    assert_ne!(tree.insert(start, end - start, wrong), Some(group));
                    tree.forget(group.index);
                    assert_eq!(tree.root(), None);
                    let mut whole = None;
                    for start in (start..end).step_by(1024) {
                        let piece = &bytes[start as usize..end.min(start + 1024) as usize];
                        assert_eq!(whole, None);
                        whole = tree.insert(start, piece.len() as u64, hash_piece(start, piece));
                    }
                    assert_eq!(whole, Some(group));
                    tree.settle(group.index);
                }
                assert_eq!(tree.root(), Some(blake3::hash(&bytes).into()));
            }
        }
    }

    proptest! {
        #[test]
        fn any_order_of_any_pieces_gives_the_hash(
            len in 0_usize..100_000,
            sizes in prop::collection::vec(any::<u8>(), 1..20),
            group_shift in 0_u32..5,
            known: bool,
            seed: u64,
        ) {
            let bytes = content(len);
            let mut pieces = pieces(len as u64, 1024, &sizes);
            let mut state = seed | 1;
            for i in (1..pieces.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                pieces.swap(i, (state >> 33) as usize % (i + 1));
            }
            // A piece never crosses a group: the least group is the greatest piece.
            check(&bytes, &pieces, 8192 << group_shift, known)?;
        }
    }
}
