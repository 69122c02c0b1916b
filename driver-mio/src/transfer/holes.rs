//! Ranges of a body that are zeros and do not travel.

use std::ops::Range;

use gannet_protocol::{BLOCK_LEN, BodyLen};

use super::job::Copied;
use crate::hash::PieceHasher;

/// Most zeros that are hashed in one job: a stranger may tell of many, and others wait for the disk's threads, too.
const MAX_ZEROS: u64 = 4 * BLOCK_LEN;

/// Ranges of a body: sorted, neither touching nor overlapping.
#[derive(Debug, Default)]
pub(super) struct Holes(Vec<Range<u64>>);

impl Holes {
    /// Adds a range that may touch others.
    pub(super) fn add(&mut self, range: Range<u64>) {
        let from = self.0.partition_point(|other| other.end < range.start);
        let to = self.0.partition_point(|other| other.start <= range.end);
        let touched = self.0.get(from..to).unwrap_or_default();
        let joined = match (touched.first(), touched.last()) {
            (Some(first), Some(last)) => range.start.min(first.start)..range.end.max(last.end),
            _ => range,
        };
        self.0.splice(from..to, [joined]);
    }

    /// Takes a range out.
    pub(super) fn remove(&mut self, range: &Range<u64>) {
        let halves = |old: Range<u64>| {
            let before = old.start..old.end.min(range.start);
            let after = old.start.max(range.end)..old.end;
            [before, after].into_iter().filter(|half| half.start < half.end)
        };
        self.0 = self.0.drain(..).flat_map(halves).collect();
    }

    /// The end of the range in which `offset` lies.
    pub(super) fn end_of(&self, offset: u64) -> Option<u64> {
        let after = self.0.partition_point(|range| range.end <= offset);
        self.0.get(after).filter(|range| range.start <= offset).map(|range| range.end)
    }

    /// Whether `offset` lies in one.
    pub(super) fn contains(&self, offset: u64) -> bool {
        self.end_of(offset).is_some()
    }

    /// Whether any of `range` lies in one.
    pub(super) fn touches(&self, range: &Range<u64>) -> bool {
        let after = self.0.partition_point(|other| other.end <= range.start);
        self.0.get(after).is_some_and(|other| other.start < range.end)
    }

    /// Bytes of `range` that lie in any.
    pub(super) fn bytes_in(&self, range: &Range<u64>) -> u64 {
        let after = self.0.partition_point(|other| other.end <= range.start);
        let touched = self.0.iter().skip(after).take_while(|other| other.start < range.end);
        let common = |other: &Range<u64>| {
            other.end.min(range.end).saturating_sub(other.start.max(range.start))
        };
        touched.map(common).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn ranges(&self) -> &[Range<u64>] {
        &self.0
    }

    /// Bytes of all.
    pub(super) fn bytes(&self) -> u64 {
        self.0.iter().map(|range| range.end.saturating_sub(range.start)).sum()
    }
}

/// The groups of a body of `len` bytes that lie in `hole` altogether.
pub(super) fn whole_groups(hole: &Range<u64>, len: u64) -> Range<u64> {
    let group_len = BodyLen::Known(len).group_len();
    let first = hole.start.div_ceil(group_len);
    let end = if hole.end == len { len.div_ceil(group_len) } else { hole.end / group_len };
    first..end.max(first)
}

/// What of `hole` is in groups that do not lie in it altogether, of a body of `len` bytes: its zeros have to be hashed.
pub(super) fn hashed_parts(
    hole: &Range<u64>,
    len: u64,
) -> impl Iterator<Item = Range<u64>> + use<> {
    let group_len = BodyLen::Known(len).group_len();
    let whole = whole_groups(hole, len);
    let (start, end) = (
        whole.start.saturating_mul(group_len).min(hole.end),
        whole.end.saturating_mul(group_len).clamp(hole.start, hole.end),
    );
    let parts = if whole.is_empty() {
        // It may still cross from one group into the next.
        [hole.start..start, start..hole.end]
    } else {
        [hole.start..start, end..hole.end]
    };
    parts.into_iter().filter(|part| part.start < part.end)
}

/// Zeros that wait to be hashed, a bounded piece of them at a time.
#[derive(Debug, Default)]
pub(super) struct Zeros {
    waiting: Vec<Range<u64>>,
    is_hashing: bool,
}

impl Zeros {
    /// Adds what starts and ends with blocks.
    pub(super) fn add(&mut self, range: Range<u64>) {
        self.waiting.push(range);
    }

    /// What is to be hashed next, unless something is.
    pub(super) fn next(&mut self) -> Option<Range<u64>> {
        if self.is_hashing {
            return None;
        }
        let last = self.waiting.last_mut()?;
        let start = last.start;
        let end = last.end.min(start.saturating_add(MAX_ZEROS));
        last.start = end;
        if last.start >= last.end {
            self.waiting.pop();
        }
        self.is_hashing = true;
        Some(start..end)
    }

    /// Takes note that it was.
    pub(super) fn on_hashed(&mut self) {
        self.is_hashing = false;
    }

    /// Whether all were hashed.
    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_empty() && !self.is_hashing
    }
}

/// Hashes the blocks of a range of zeros.
pub(super) fn hash_zeros(range: Range<u64>) -> Vec<Copied> {
    static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
    let mut blocks = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let end = range.end.min(start.saturating_add(BLOCK_LEN));
        let mut hasher = PieceHasher::new(start);
        let mut rest = end - start;
        while rest > 0 {
            let step = usize::try_from(rest).unwrap_or(usize::MAX).min(ZEROS.len());
            hasher.update(ZEROS.get(..step).unwrap_or_default());
            rest -= step as u64;
        }
        blocks.push(Copied { start, len: end - start, hashed: hasher.finish() });
        start = end;
    }
    blocks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hash::{hash_group, hash_piece};

    proptest! {
        #[test]
        fn ranges_are_kept_as_a_table_would(
            steps in prop::collection::vec((any::<bool>(), 0..100_u64, 1..30_u64), 0..40),
        ) {
            let mut holes = Holes::default();
            let mut model = [false; 131];
            for (add, start, len) in steps {
                let range = start..start + len;
                model[start as usize..(start + len) as usize].fill(add);
                if add { holes.add(range) } else { holes.remove(&range) }
                for offset in 0..130 {
                    let end = (offset..131).find(|at| !model[*at]).unwrap();
                    let expected = (end > offset).then_some(end as u64);
                    prop_assert_eq!(holes.end_of(offset as u64), expected);
                    let range = offset as u64..(offset as u64 + 5).min(130);
                    let part = &model[offset..(offset + 5).min(130)];
                    let in_part = part.iter().filter(|hole| **hole).count();
                    prop_assert_eq!(holes.touches(&range), in_part > 0);
                    prop_assert_eq!(holes.bytes_in(&range), in_part as u64);
                }
                prop_assert!(holes.ranges().windows(2).all(|pair| pair[0].end < pair[1].start));
                let bytes = model.iter().filter(|hole| **hole).count();
                prop_assert_eq!(holes.bytes(), bytes as u64);
            }
        }

        /// Every block of a hole is in a group that is all hole, or has to be hashed; never both.
        #[test]
        fn a_hole_is_groups_and_parts(shift in 14_u32..18, start in 0_u64..50, count in 1_u64..50, cut in 0..BLOCK_LEN) {
            let len = (BLOCK_LEN << shift) + cut;
            let group_len = BodyLen::Known(len).group_len();
            let blocks = len.div_ceil(BLOCK_LEN);
            for start in [start, blocks - count - 1, blocks - count] {
                let hole = start * BLOCK_LEN..((start + count) * BLOCK_LEN).min(len);
                let whole = whole_groups(&hole, len);
                let parts: Vec<_> = hashed_parts(&hole, len).collect();
                for at in (hole.start..hole.end).step_by(BLOCK_LEN as usize) {
                    let group = at / group_len * group_len..(at / group_len + 1) * group_len;
                    let is_whole = hole.start <= group.start && group.end.min(len) <= hole.end;
                    prop_assert_eq!(whole.contains(&(at / group_len)), is_whole);
                    let times = parts.iter().filter(|part| part.contains(&at)).count();
                    prop_assert_eq!(times, usize::from(!is_whole));
                }
                let sum: u64 = parts.iter().map(|part| part.end - part.start).sum();
                prop_assert!(sum <= hole.end - hole.start);
            }
        }
    }

    #[test]
    fn zeros_hash_as_zeros_do() {
        let range = 3 * BLOCK_LEN..5 * BLOCK_LEN + 7;
        let mut zeros = Zeros::default();
        zeros.add(range.clone());
        assert_eq!(zeros.next(), Some(range.clone()));
        assert_eq!(zeros.next(), None);
        assert!(!zeros.is_done());
        zeros.on_hashed();
        assert!(zeros.is_done());
        let hashed = hash_zeros(range);
        assert_eq!(hashed.len(), 3);
        for Copied { start, len, hashed } in hashed {
            let expected = hash_piece(start, &vec![0; len as usize]);
            assert_eq!(hash_group([(start, len, hashed)]), hash_group([(start, len, expected)]));
        }
    }
}
