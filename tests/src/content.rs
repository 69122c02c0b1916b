//! What files hold.

use std::rc::Rc;

use gannet_protocol::{BLOCK_LEN, Hash};

use crate::groups::{Groups, RootHash};

/// The bytes of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Content {
    /// These.
    Bytes(Rc<[u8]>),
    /// A function of the offset, so that a file of any size needs no memory.
    Pattern {
        /// Chooses the function.
        seed: u64,
        /// How many bytes there are.
        len: u64,
    },
    /// The same, with holes: of every so many blocks, only the first is none.
    Sparse {
        /// Chooses the function.
        seed: u64,
        /// How many bytes there are.
        len: u64,
        /// How many blocks lie between the starts of two that are none.
        every: u64,
    },
}

impl Content {
    /// `len` bytes that depend on `seed` and their offset.
    #[must_use]
    pub const fn pattern(seed: u64, len: u64) -> Self {
        Self::Pattern { seed, len }
    }

    /// A copy of `bytes`.
    #[must_use]
    pub fn bytes(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.into())
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Pattern { len, .. } | Self::Sparse { len, .. } => *len,
        }
    }

    /// Whether a block is a hole.
    #[must_use]
    pub const fn is_hole(&self, block: u64) -> bool {
        matches!(self, Self::Sparse { every, .. } if !block.is_multiple_of(*every))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buf` with what stands at `offset`.
    ///
    /// # Panics
    /// If that goes beyond the end.
    pub fn fill(&self, offset: u64, buf: &mut [u8]) {
        assert!(offset + buf.len() as u64 <= self.len(), "a read beyond the end");
        match self {
            Self::Bytes(bytes) => {
                let from = usize::try_from(offset).expect("within memory");
                buf.copy_from_slice(&bytes[from..from + buf.len()]);
            }
            Self::Sparse { .. } if self.is_hole(offset / BLOCK_LEN) => {
                let hole = usize::try_from(BLOCK_LEN - offset % BLOCK_LEN).expect("a block fits");
                let (zeros, rest) = buf.split_at_mut(hole.min(buf.len()));
                zeros.fill(0);
                if !rest.is_empty() {
                    self.fill(offset + zeros.len() as u64, rest);
                }
            }
            Self::Sparse { seed, .. } => {
                let block = usize::try_from(BLOCK_LEN - offset % BLOCK_LEN).expect("a block fits");
                let (data, rest) = buf.split_at_mut(block.min(buf.len()));
                fill_pattern(*seed, offset, data);
                if !rest.is_empty() {
                    self.fill(offset + data.len() as u64, rest);
                }
            }
            Self::Pattern { seed, .. } => fill_pattern(*seed, offset, buf),
        }
    }

    /// Whether `bytes` stand at `offset`.
    #[must_use]
    pub fn matches(&self, offset: u64, bytes: &[u8]) -> bool {
        let mut expected = vec![0; bytes.len()];
        self.fill(offset, &mut expected);
        expected == bytes
    }

    /// The BLAKE3 hash of all of it.
    #[must_use]
    pub fn root(&self) -> Hash {
        let groups = Groups::of(gannet_protocol::BodyLen::Known(self.len()));
        let mut root = RootHash::default();
        let mut buf = vec![0; usize::try_from(groups.len()).expect("groups fit memory")];
        for range in groups.ranges(self.len()) {
            let part = &mut buf[..usize::try_from(range.end - range.start).expect("a group")];
            self.fill(range.start, part);
            root.push(groups.hash(range.start, part));
        }
        root.finish()
    }
}

fn fill_pattern(seed: u64, offset: u64, buf: &mut [u8]) {
    let lead = usize::try_from(offset % 8).expect("below eight");
    let head = buf.len().min((8 - lead) % 8);
    let (head, words) = buf.split_at_mut(head);
    head.copy_from_slice(&word(seed, offset / 8)[lead..lead + head.len()]);
    let first = offset.div_ceil(8);
    for (at, chunk) in (first..).zip(words.chunks_mut(8)) {
        let bytes = word(seed, at);
        match chunk.len() {
            8 => chunk.copy_from_slice(&bytes),
            len => chunk.copy_from_slice(&bytes[..len]),
        }
    }
}

/// The mixing step of SplitMix64: every bit of the place counts for every bit of the word.
const fn word(seed: u64, at: u64) -> [u8; 8] {
    let mut z = seed.wrapping_add(at.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_pattern_is_the_same_however_it_is_read(seed: u64, from in 0usize..100, len in 0usize..100) {
            let content = Content::pattern(seed, 200);
            let (mut whole, mut part) = (vec![0; 200], vec![0; len]);
            content.fill(0, &mut whole);
            content.fill(from as u64, &mut part);
            prop_assert_eq!(&whole[from..from + len], &part[..]);
        }
    }

    #[test]
    fn the_root_is_the_standard_hash() {
        for len in [0, 1, 1000, 1 << 20, (1 << 20) + 1, 5 << 20, (7 << 20) + 77] {
            let content = Content::pattern(3, len);
            let mut bytes = vec![0; usize::try_from(len).unwrap()];
            content.fill(0, &mut bytes);
            assert_eq!(content.root(), *blake3::hash(&bytes).as_bytes(), "{len}");
            assert_eq!(Content::bytes(&bytes).root(), content.root());
        }
    }
}
