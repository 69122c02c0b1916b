//! Whether a body that is received is what was sent.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use gannet_protocol::{BodyLen, Hash, Status};

use super::holes::{Holes, whole_groups};
use crate::hash::{GroupHash, HashTree, Hashed};

/// Most groups whose hashes are known before their bytes: they are those that the sender read and whose packets are
/// still on their way, lost, or not yet sent: 4 GiB of them.
const MAX_EXPECTED: usize = 4096;

/// What is known of a group by now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// Nothing new.
    Open,
    /// This one is what it must be.
    Right(GroupHash),
    /// This one is not; it was forgotten, and has to come again.
    Wrong(u64),
}

impl Verdict {
    /// For who cannot have a group sent again.
    ///
    /// # Errors
    /// [`Status::Corrupt`] if it is wrong.
    pub(super) const fn is_right(self) -> Result<(), Status> {
        match self {
            Self::Wrong(_) => Err(Status::Corrupt),
            Self::Open | Self::Right(_) => Ok(()),
        }
    }
}

/// Compares what a body's groups hash to with what they must.
#[derive(Debug)]
pub(super) struct Checks {
    tree: HashTree,
    len: BodyLen,
    /// Whether that was known from the start.
    is_known: bool,
    group_len: u64,
    /// What the sender said of groups that are not hashed yet.
    expected: BTreeMap<u64, Hash>,
    /// What groups hash to of which the sender has not said anything yet.
    computed: BTreeMap<u64, Hash>,
    /// How many groups are what they must be.
    verified: u64,
    /// Which of them are so by their hashes, of a body whose length was known from the start: only that may have holes.
    by_hash: BTreeSet<u64>,
    /// The groups, by their numbers, that lie in holes altogether.
    hollow: Holes,
    /// The last hole, with those before that it touches.
    last_hole: Range<u64>,
    /// What groups hash to that were there before, and of which the sender has not said anything.
    kept: BTreeMap<u64, Hash>,
}

impl Checks {
    /// Knows nothing yet of a body of that length.
    pub(super) fn new(len: BodyLen) -> Self {
        Self {
            tree: HashTree::new(len),
            len,
            is_known: len != BodyLen::Open,
            group_len: len.group_len(),
            expected: BTreeMap::new(),
            computed: BTreeMap::new(),
            verified: 0,
            by_hash: BTreeSet::new(),
            hollow: Holes::default(),
            last_hole: 0..0,
            kept: BTreeMap::new(),
        }
    }

    /// Takes groups that were there before, and verified then; of a body of known length, of more than one group.
    pub(super) fn keep(&mut self, groups: &BTreeMap<u64, Hash>) {
        for (&index, &hash) in groups.iter().filter(|(index, _)| !self.hollow.contains(**index)) {
            self.tree.insert_group(GroupHash { index, hash });
            self.kept.insert(index, hash);
            self.verified += 1;
        }
    }

    /// Takes a hole, which lies behind those before: its groups need no hash.
    ///
    /// # Errors
    /// [`Status::Corrupt`] if a body of open length has it, or something else was said of a group that lies in it altogether.
    pub(super) fn hole(&mut self, hole: Range<u64>) -> Result<(), Status> {
        let BodyLen::Known(len) = self.len else { return Err(Status::Corrupt) };
        let before = whole_groups(&self.last_hole, len);
        let touches = self.last_hole.end == hole.start;
        let start = if touches { self.last_hole.start } else { hole.start };
        self.last_hole = start..hole.end;
        let whole = whole_groups(&self.last_hole, len);
        let fresh = if before.is_empty() { whole } else { whole.start.max(before.end)..whole.end };
        if fresh.is_empty() {
            return Ok(());
        }
        let kept: Vec<_> = self.kept.range(fresh.clone()).map(|(index, _)| *index).collect();
        kept.into_iter().for_each(|index| self.forget_kept(index));
        let is_known = self.expected.range(fresh.clone()).next().is_some()
            || self.computed.range(fresh.clone()).next().is_some()
            || self.by_hash.range(fresh.clone()).next().is_some();
        if is_known {
            return Err(Status::Corrupt);
        }
        // Of the first one a part may have been a hole before.
        self.tree.forget(fresh.start);
        self.verified += fresh.end - fresh.start;
        self.hollow.add(fresh);
        Ok(())
    }

    /// Whether a group lies in holes altogether.
    pub(super) fn is_hollow(&self, index: u64) -> bool {
        self.hollow.contains(index)
    }

    /// The bytes of a body of `len` bytes whose groups lie in holes altogether.
    pub(super) fn hollow(&self, len: u64) -> Vec<Range<u64>> {
        let at = |index: u64| index.saturating_mul(self.group_len).min(len);
        self.hollow.ranges().iter().map(|groups| at(groups.start)..at(groups.end)).collect()
    }

    /// Takes what a piece of such a group hashes to, and tells the group that is complete by that. It counts without.
    pub(super) fn add_hollow(&mut self, start: u64, len: u64, hashed: Hashed) -> Option<GroupHash> {
        let group = self.tree.insert(start, len, hashed)?;
        self.tree.settle(group.index);
        Some(group)
    }

    /// Forgets the pieces of a group that come once more, from elsewhere.
    pub(super) fn restart(&mut self, index: u64) {
        self.tree.forget(index);
    }

    /// The first of them that is not what the sender has said: it was forgotten, and has to come again.
    pub(super) fn wrongly_kept(&mut self) -> Option<u64> {
        let wrong = |(index, hash): (&u64, &Hash)| {
            self.expected.get(index).is_some_and(|expected| expected != hash).then_some(*index)
        };
        let index = self.kept.iter().find_map(wrong)?;
        self.forget_kept(index);
        Some(index)
    }

    fn forget_kept(&mut self, index: u64) {
        self.kept.remove(&index);
        self.tree.forget(index);
        self.verified -= 1;
    }

    /// What the sender has said that a group must hash to, if it is not that yet.
    pub(super) fn expected(&self, index: u64) -> Option<Hash> {
        self.expected.get(&index).copied()
    }

    /// Whether the group of this offset was there before.
    pub(super) fn is_kept(&self, offset: u64) -> bool {
        self.kept.contains_key(&(offset / self.group_len))
    }

    /// Takes what the sender says that a group must hash to, and tells if it does.
    ///
    /// # Errors
    /// [`Status::Corrupt`] if there is no such group, it lies in holes altogether, or it says another hash than before; [`Status::Overloaded`] if too many are
    /// told ahead.
    pub(super) fn expect(&mut self, index: u64, hash: Hash) -> Result<Verdict, Status> {
        if self.is_hollow(index) {
            return Err(Status::Corrupt);
        }
        match self.kept.get(&index) {
            Some(kept) if *kept == hash => return Ok(Verdict::Open),
            Some(_) => {
                self.forget_kept(index);
                self.expected.insert(index, hash);
                return Ok(Verdict::Wrong(index));
            }
            None => {}
        }
        if let Some(computed) = self.computed.remove(&index) {
            return Ok(self.compare(GroupHash { index, hash: computed }, hash));
        }
        if let BodyLen::Known(len) = self.len
            && index >= len.div_ceil(self.group_len)
        {
            return Err(Status::Corrupt);
        }
        if self.expected.len() >= MAX_EXPECTED {
            return Err(Status::Overloaded);
        }
        match self.expected.insert(index, hash) {
            Some(before) if before != hash => Err(Status::Corrupt),
            _ => Ok(Verdict::Open),
        }
    }

    /// What the sender said that a group must hash to which is not hashed yet.
    pub(super) fn told(&self, index: u64) -> Option<Hash> {
        self.expected.get(&index).copied()
    }

    /// Takes what a piece of the body hashes to, and tells if that decides its group.
    pub(super) fn add(&mut self, start: u64, len: u64, hashed: Hashed) -> Verdict {
        if self.is_hollow(start / self.group_len) {
            return Verdict::Open;
        }
        let group = self.tree.insert(start, len, hashed);
        group.map_or(Verdict::Open, |group| self.check(group))
    }

    /// Settles the length of a body of open length, and tells if that decides the last group.
    pub(super) fn end(&mut self, len: u64) -> Verdict {
        self.len = BodyLen::Known(len);
        let group = self.tree.end(len);
        group.map_or(Verdict::Open, |group| self.check(group))
    }

    /// Whether every group is what it must be.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.len, BodyLen::Known(len) if self.verified == len.div_ceil(self.group_len))
    }

    /// The hash of the whole body, once every group is what it must be, unless some lie in holes altogether that were not hashed.
    pub(super) fn root(&self) -> Option<Hash> {
        if self.is_whole() { self.tree.root() } else { None }
    }

    fn check(&mut self, group: GroupHash) -> Verdict {
        match self.expected.remove(&group.index) {
            Some(expected) => self.compare(group, expected),
            None => {
                self.computed.insert(group.index, group.hash);
                Verdict::Open
            }
        }
    }

    fn compare(&mut self, computed: GroupHash, expected: Hash) -> Verdict {
        if computed.hash != expected {
            self.tree.forget(computed.index);
            self.expected.insert(computed.index, expected);
            return Verdict::Wrong(computed.index);
        }
        self.verified += 1;
        if self.is_known {
            self.by_hash.insert(computed.index);
        }
        self.tree.settle(computed.index);
        Verdict::Right(computed)
    }
}

#[cfg(test)]
mod tests {
    use gannet_protocol::BLOCK_LEN;

    use super::*;
    use crate::hash::hash_piece;

    /// Two groups and a bit, as hashes and as what the sender says of them.
    fn body() -> (u64, Vec<(u64, u64, Hashed)>, Vec<Hash>) {
        let mut tree = HashTree::new(BodyLen::Known(2 * BLOCK_LEN + 9));
        let mut pieces = Vec::new();
        let mut groups = Vec::new();
        for (i, len) in [BLOCK_LEN, BLOCK_LEN, 9].into_iter().enumerate() {
            let start = i as u64 * BLOCK_LEN;
            let hashed = hash_piece(start, &vec![i as u8; len as usize]);
            groups.extend(tree.insert(start, len, hashed).map(|group| group.hash));
            pieces.push((start, len, hashed));
        }
        (2 * BLOCK_LEN + 9, pieces, groups)
    }

    #[test]
    fn bytes_and_hashes_come_in_any_order() {
        let (len, pieces, groups) = body();
        for body_len in [BodyLen::Known(len), BodyLen::Open] {
            let mut checks = Checks::new(body_len);
            checks.expect(2, groups[2]).unwrap();
            checks.add(pieces[2].0, pieces[2].1, pieces[2].2);
            checks.add(pieces[0].0, pieces[0].1, pieces[0].2);
            checks.expect(0, groups[0]).unwrap();
            checks.end(len);
            checks.expect(1, groups[1]).unwrap();
            assert_eq!(checks.root(), None);
            checks.add(pieces[1].0, pieces[1].1, pieces[1].2);
            assert!(checks.root().is_some());
        }
    }

    #[test]
    fn a_wrong_hash_is_found_whenever_it_comes() {
        let (len, pieces, groups) = body();
        let (start, piece_len, hashed) = pieces[1];
        let mut early = Checks::new(BodyLen::Known(len));
        early.expect(1, groups[0]).unwrap();
        assert_eq!(early.add(start, piece_len, hashed), Verdict::Wrong(1));
        let mut late = Checks::new(BodyLen::Known(len));
        late.add(start, piece_len, hashed);
        assert_eq!(late.expect(1, groups[0]), Ok(Verdict::Wrong(1)));
        let mut twice = Checks::new(BodyLen::Known(len));
        twice.expect(1, groups[1]).unwrap();
        assert_eq!(twice.expect(1, groups[1]), Ok(Verdict::Open));
        assert_eq!(twice.expect(1, groups[0]), Err(Status::Corrupt));
        assert_eq!(twice.expect(3, groups[0]), Err(Status::Corrupt), "there is no such group");
    }

    #[test]
    fn what_was_there_before_counts_unless_the_sender_says_otherwise() {
        let (len, pieces, groups) = body();
        let kept = BTreeMap::from([(0, groups[0]), (2, groups[2])]);
        let piece = |at: usize| pieces[at];
        let add = |checks: &mut Checks, at| checks.add(piece(at).0, piece(at).1, piece(at).2);
        let mut checks = Checks::new(BodyLen::Known(len));
        checks.expect(2, groups[2]).unwrap();
        checks.keep(&kept);
        assert_eq!(checks.wrongly_kept(), None);
        assert_eq!(checks.expect(0, groups[0]), Ok(Verdict::Open));
        assert_eq!(checks.expect(1, groups[1]), Ok(Verdict::Open));
        let right = GroupHash { index: 1, hash: groups[1] };
        assert_eq!(add(&mut checks, 1), Verdict::Right(right));
        assert!(checks.root().is_some());

        let wrong = BTreeMap::from([(0, groups[1]), (2, groups[2])]);
        for is_early in [true, false] {
            let mut checks = Checks::new(BodyLen::Known(len));
            if is_early {
                checks.expect(0, groups[0]).unwrap();
            }
            checks.keep(&wrong);
            if is_early {
                assert_eq!(checks.wrongly_kept(), Some(0));
                assert_eq!(checks.wrongly_kept(), None);
            } else {
                assert_eq!(checks.expect(0, groups[0]), Ok(Verdict::Wrong(0)));
            }
            assert!(!checks.is_kept(0) && checks.is_kept(2 * BLOCK_LEN));
            checks.expect(1, groups[1]).unwrap();
            add(&mut checks, 1);
            assert_eq!(checks.root(), None);
            add(&mut checks, 0);
            assert!(checks.root().is_some());
        }
    }

    #[test]
    fn groups_in_holes_count_without_a_hash() {
        let (len, pieces, groups) = body();
        let mut checks = Checks::new(BodyLen::Known(len));
        checks.keep(&BTreeMap::from([(2, groups[2])]));
        checks.hole(BLOCK_LEN..2 * BLOCK_LEN).unwrap();
        checks.hole(2 * BLOCK_LEN..len).unwrap();
        assert_eq!(checks.expect(2, groups[2]), Err(Status::Corrupt));
        assert!(!checks.is_whole() && checks.is_hollow(1) && checks.is_hollow(2));
        let late = BTreeMap::from([(1, groups[1])]);
        checks.keep(&late);
        assert!(!checks.is_whole(), "it counts once");
        checks.expect(0, groups[0]).unwrap();
        checks.add(pieces[0].0, pieces[0].1, pieces[0].2);
        assert!(checks.is_whole());
        assert_eq!(checks.root(), None);
        // It was something else before.
        for is_hashed in [true, false] {
            let mut checks = Checks::new(BodyLen::Known(len));
            checks.expect(0, groups[0]).unwrap();
            if is_hashed {
                checks.add(pieces[0].0, pieces[0].1, pieces[0].2);
            }
            assert_eq!(checks.hole(0..BLOCK_LEN), Err(Status::Corrupt));
        }
        assert_eq!(Checks::new(BodyLen::Open).hole(0..BLOCK_LEN), Err(Status::Corrupt));
    }

    /// In groups of two blocks.
    #[test]
    fn holes_that_touch_are_one() {
        let len = (17 << 30) + 1;
        let mut checks = Checks::new(BodyLen::Known(len));
        checks.hole(BLOCK_LEN..2 * BLOCK_LEN).unwrap();
        checks.hole(2 * BLOCK_LEN..3 * BLOCK_LEN).unwrap();
        assert!(!checks.is_hollow(0) && !checks.is_hollow(1));
        checks.hole(3 * BLOCK_LEN..4 * BLOCK_LEN).unwrap();
        assert!(!checks.is_hollow(0) && checks.is_hollow(1) && !checks.is_hollow(2));
        checks.hole(5 * BLOCK_LEN..7 * BLOCK_LEN).unwrap();
        assert!(!checks.is_hollow(2) && !checks.is_hollow(3));
        checks.hole(7 * BLOCK_LEN..len).unwrap();
        assert!(!checks.is_hollow(2) && checks.is_hollow(3));
        assert_eq!(checks.verified, 1 + len.div_ceil(2 * BLOCK_LEN) - 3);
        assert!(!checks.is_whole());
    }

    #[test]
    fn a_wrong_group_may_come_again() {
        let (len, pieces, groups) = body();
        let mut checks = Checks::new(BodyLen::Known(len));
        for (index, group) in (0..).zip(&groups) {
            checks.expect(index, *group).unwrap();
        }
        checks.add(pieces[0].0, pieces[0].1, pieces[0].2);
        checks.add(pieces[2].0, pieces[2].1, pieces[2].2);
        for _ in 0..3 {
            let wrong = hash_piece(BLOCK_LEN, &[9; 1 << 20]);
            assert_eq!(checks.add(BLOCK_LEN, BLOCK_LEN, wrong), Verdict::Wrong(1));
            assert_eq!(checks.root(), None);
        }
        checks.add(pieces[1].0, pieces[1].1, pieces[1].2);
        assert!(checks.root().is_some());
    }

    #[test]
    fn hashes_told_ahead_are_bounded() {
        let mut checks = Checks::new(BodyLen::Open);
        for index in 0..MAX_EXPECTED as u64 {
            checks.expect(index, [0; 32]).unwrap();
        }
        assert_eq!(checks.expect(1 << 40, [0; 32]), Err(Status::Overloaded));
    }
}
