//! Sets of `u64` values kept as ranges: packet numbers received, body bytes written, bytes to resend.

use alloc::collections::VecDeque;
use core::ops::Range;

/// A set of values as half-open ranges: sorted, disjoint and with a gap between any two.
///
/// Inserting and looking up at or after the start of the last range and taking the first cost O(1), lookups elsewhere O(log n),
/// all else at most a move of n ranges. An emptied set keeps its memory, so a set in a steady state does not
/// allocate. The set itself has no limit: its owner bounds [`RangeSet::len`], for instance with
/// [`RangeSet::drop_lowest`]. A range whose end is not after its start is empty and holds nothing;
/// `u64::MAX` itself cannot be a member.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct RangeSet {
    ranges: VecDeque<Range<u64>>,
    /// Number of values in `ranges`.
    total: u64,
}

impl RangeSet {
    /// The empty set; allocates nothing.
    pub(crate) const fn new() -> Self {
        Self { ranges: VecDeque::new(), total: 0 }
    }

    /// Adds the values of `range`; returns how many of them are new.
    pub(crate) fn insert(&mut self, range: Range<u64>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let added = match self.ranges.back_mut() {
            Some(last) if range.start < last.start => self.insert_below_last(range),
            Some(last) if range.start <= last.end => {
                let added = range.end.saturating_sub(last.end);
                last.end = last.end.max(range.end);
                added
            }
            _ => {
                let added = length(&range);
                self.ranges.push_back(range);
                added
            }
        };
        self.total += added;
        added
    }

    /// [`Self::insert`] for a range that may touch any of the ranges.
    fn insert_below_last(&mut self, range: Range<u64>) -> u64 {
        let from = self.ranges.partition_point(|held| held.end < range.start);
        let to = self.ranges.partition_point(|held| held.start <= range.end);
        let touched = from..to;
        let (mut held, mut merged) = (0, range);
        for part in self.ranges.range(touched.clone()) {
            held += length(part);
            merged = merged.start.min(part.start)..merged.end.max(part.end);
        }
        let added = length(&merged) - held;
        match self.ranges.get_mut(from) {
            Some(first) if !touched.is_empty() => {
                *first = merged;
                self.ranges.drain(from + 1..to);
            }
            _ => self.ranges.insert(from, merged),
        }
        added
    }

    /// Takes the values of `range` out, as far as they are in.
    pub(crate) fn remove(&mut self, range: Range<u64>) {
        let (mut from, mut to) = self.overlapping(&range);
        if from >= to {
            return;
        }
        self.total -= self.ranges.range(from..to).map(|held| overlap(held, &range)).sum::<u64>();
        let single = from + 1 == to;
        if let Some(first) = self.ranges.get_mut(from)
            && first.start < range.start
        {
            let rest = range.end..first.end;
            first.end = range.start;
            from += 1;
            if single && !rest.is_empty() {
                self.ranges.insert(from, rest);
                return;
            }
        }
        if let Some(last) = self.ranges.get_mut(to - 1)
            && last.end > range.end
        {
            last.start = range.end;
            to -= 1;
        }
        self.ranges.drain(from..to);
    }

    /// Takes all values below `end` out.
    pub(crate) fn remove_below(&mut self, end: u64) {
        self.remove(0..end);
    }

    /// Whether `value` is in.
    pub(crate) fn contains(&self, value: u64) -> bool {
        match self.ranges.back() {
            Some(last) if value < last.start => {
                let at = self.ranges.partition_point(|held| held.end <= value);
                self.ranges.get(at).is_some_and(|held| held.contains(&value))
            }
            Some(last) => value < last.end,
            None => false,
        }
    }

    /// Whether every value of `range` is in: true for an empty one.
    pub(crate) fn covers(&self, range: &Range<u64>) -> bool {
        let holds = |held: &Range<u64>| held.start <= range.start && range.end <= held.end;
        match self.ranges.back() {
            _ if range.is_empty() => true,
            Some(last) if range.start < last.start => {
                let at = self.ranges.partition_point(|held| held.end <= range.start);
                self.ranges.get(at).is_some_and(holds)
            }
            last => last.is_some_and(holds),
        }
    }

    /// Whether any value of `range` is in: false for an empty one.
    pub(crate) fn intersects(&self, range: &Range<u64>) -> bool {
        let (from, to) = self.overlapping(range);
        from < to
    }

    /// The ranges, lowest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = Range<u64>> + ExactSizeIterator {
        self.ranges.iter().cloned()
    }

    /// The ranges of `within` that are not in, lowest first.
    pub(crate) fn missing(&self, within: Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let (from, to) = self.overlapping(&within);
        let mut held = self.ranges.range(from..to.max(from));
        let mut at = within.start;
        core::iter::from_fn(move || {
            while at < within.end {
                let next = held.next().map_or(within.end..within.end, Clone::clone);
                let gap = at..next.start;
                at = next.end;
                if !gap.is_empty() {
                    return Some(gap);
                }
            }
            None
        })
    }

    /// The ranges of `within` that are in, lowest first.
    pub(crate) fn overlap(&self, within: &Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let (from, to) = self.overlapping(within);
        let (start, end) = (within.start, within.end);
        self.ranges.range(from..to.max(from)).map(move |r| r.start.max(start)..r.end.min(end))
    }

    /// Number of ranges.
    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Number of values.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    /// Whether no value is in.
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The lowest range.
    pub(crate) fn first(&self) -> Option<Range<u64>> {
        self.ranges.front().cloned()
    }

    /// The highest range.
    pub(crate) fn last(&self) -> Option<Range<u64>> {
        self.ranges.back().cloned()
    }

    /// Takes the lowest range out.
    pub(crate) fn pop_first(&mut self) -> Option<Range<u64>> {
        let first = self.ranges.pop_front()?;
        self.total -= length(&first);
        Some(first)
    }

    /// Forgets the lowest range: how an owner keeps to its limit on [`Self::len`].
    pub(crate) fn drop_lowest(&mut self) {
        self.pop_first();
    }

    /// Takes everything out.
    pub(crate) fn clear(&mut self) {
        self.ranges.clear();
        self.total = 0;
    }

    /// Indices, from and up to, of the ranges that share a value with `range`: none if from >= to.
    fn overlapping(&self, range: &Range<u64>) -> (usize, usize) {
        if range.is_empty() {
            return (0, 0);
        }
        let len = self.ranges.len();
        match self.ranges.back() {
            Some(last) if range.start < last.start => {
                let from = self.ranges.partition_point(|held| held.end <= range.start);
                let to = self.ranges.partition_point(|held| held.start < range.end);
                (from, to)
            }
            Some(last) if range.start < last.end => (len.saturating_sub(1), len),
            _ => (len, len),
        }
    }
}

/// Number of values in `range`.
const fn length(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}

/// Number of values in both.
fn overlap(a: &Range<u64>, b: &Range<u64>) -> u64 {
    length(&(a.start.max(b.start)..a.end.min(b.end)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{collections::BTreeSet, vec::Vec};
    use proptest::prelude::*;

    /// Values of the model lie below this, so that ranges often touch.
    const SPACE: u64 = 48;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(Range<u64>),
        Remove(Range<u64>),
        RemoveBelow(u64),
        PopFirst,
        DropLowest,
        Clear,
    }

    /// Any range, empty and inverted ones too.
    fn range() -> impl Strategy<Value = Range<u64>> {
        prop_oneof![
            (0..SPACE, 0..SPACE).prop_map(|(start, end)| start..end),
            (0..SPACE, 0..4u64).prop_map(|(start, length)| start..start + length),
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => range().prop_map(Step::Insert),
            4 => range().prop_map(Step::Remove),
            1 => (0..SPACE).prop_map(Step::RemoveBelow),
            1 => Just(Step::PopFirst),
            1 => Just(Step::DropLowest),
            1 => Just(Step::Clear),
        ]
    }

    /// The maximal runs of consecutive values of `model`.
    fn runs(model: impl IntoIterator<Item = u64>) -> Vec<Range<u64>> {
        let mut runs: Vec<Range<u64>> = Vec::new();
        for value in model {
            match runs.last_mut() {
                Some(run) if run.end == value => run.end += 1,
                _ => runs.push(value..value + 1),
            }
        }
        runs
    }

    fn apply(set: &mut RangeSet, model: &mut BTreeSet<u64>, step: Step) {
        match step {
            Step::Insert(range) => {
                let new = range.clone().filter(|value| model.insert(*value)).count();
                assert_eq!(set.insert(range), new as u64);
            }
            Step::Remove(range) => {
                model.retain(|value| !range.contains(value));
                set.remove(range);
            }
            Step::RemoveBelow(end) => {
                model.retain(|value| *value >= end);
                set.remove_below(end);
            }
            Step::PopFirst | Step::DropLowest => {
                let lowest = runs(model.iter().copied()).first().cloned();
                if matches!(step, Step::PopFirst) {
                    assert_eq!(set.pop_first(), lowest);
                } else {
                    set.drop_lowest();
                }
                let end = lowest.map_or(0, |range| range.end);
                model.retain(|value| *value >= end);
            }
            Step::Clear => {
                model.clear();
                set.clear();
            }
        }
    }

    fn check(set: &RangeSet, model: &BTreeSet<u64>, query: &Range<u64>) {
        let expected = runs(model.iter().copied());
        assert_eq!(set.iter().collect::<Vec<_>>(), expected);
        assert_eq!(set.iter().next_back(), set.last());
        assert_eq!(set.last(), expected.last().cloned());
        assert_eq!(set.first(), expected.first().cloned());
        assert_eq!(set.len(), expected.len());
        assert_eq!(set.iter().len(), expected.len());
        assert_eq!(set.is_empty(), model.is_empty());
        assert_eq!(set.total(), model.len() as u64);
        assert_eq!(set.covers(query), query.clone().all(|value| model.contains(&value)));
        assert_eq!(set.intersects(query), query.clone().any(|value| model.contains(&value)));
        assert_eq!(set.contains(query.start), model.contains(&query.start));
        let overlap = runs(query.clone().filter(|value| model.contains(value)));
        assert_eq!(set.overlap(query).collect::<Vec<_>>(), overlap);
        let missing = runs(query.clone().filter(|value| !model.contains(value)));
        assert_eq!(set.missing(query.clone()).collect::<Vec<_>>(), missing);
    }

    proptest! {
        #[test]
        fn behaves_as_a_set_of_values(steps in prop::collection::vec((step(), range()), 0..60)) {
            let (mut set, mut model) = (RangeSet::new(), BTreeSet::new());
            for (step, query) in steps {
                apply(&mut set, &mut model, step);
                check(&set, &model, &query);
            }
        }

        #[test]
        fn order_of_insertion_does_not_matter(
            mut ranges in prop::collection::vec(range(), 0..20),
            turn in any::<prop::sample::Index>(),
        ) {
            let build = |ranges: &[Range<u64>]| {
                let mut set = RangeSet::new();
                ranges.iter().for_each(|range| { set.insert(range.clone()); });
                set
            };
            let forward = build(&ranges);
            if !ranges.is_empty() {
                let middle = turn.index(ranges.len());
                ranges.rotate_left(middle);
            }
            prop_assert_eq!(&build(&ranges), &forward);
            ranges.reverse();
            prop_assert_eq!(&build(&ranges), &forward);
        }
    }

    #[test]
    fn holds_the_whole_space() {
        let mut set = RangeSet::new();
        assert_eq!(set.insert(0..u64::MAX), u64::MAX);
        assert_eq!(set.insert(0..u64::MAX), 0);
        set.remove(5..u64::MAX - 5);
        assert_eq!(set.iter().collect::<Vec<_>>(), [0..5, u64::MAX - 5..u64::MAX]);
        assert_eq!(set.insert(0..u64::MAX), u64::MAX - 10);
        assert_eq!((set.len(), set.total()), (1, u64::MAX));
    }

    #[test]
    fn keeps_its_memory() {
        let mut set = RangeSet::new();
        (0..100).for_each(|n| {
            set.insert(2 * n..2 * n + 1);
        });
        let capacity = set.ranges.capacity();
        set.clear();
        set.insert(0..1);
        assert_eq!(set.ranges.capacity(), capacity);
    }
}
