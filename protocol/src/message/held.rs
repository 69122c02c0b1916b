//! What the receiver of a body holds of it already, and how it says so (docs/protocol.md, "What is held already").

use alloc::vec::Vec;
use core::ops::Range;

use super::{BodyLen, Hash, Identity, MAX_GROUPS};
use crate::{
    ranges::RangeSet,
    wire::cursor::{Malformed, Reader, Writer},
};

/// A sender waits for what the receiver holds of bodies of a known length over so many bytes: one group of the least size.
/// Shorter ones are sent sooner than asked about, unless their content is to be compared.
pub const HOLD_ABOVE: u64 = super::BLOCK_LEN;

/// Bytes of a body that is put, from its start, that go without waiting unless its content is to be compared: they fill the
/// first round trip of most paths.
pub const UNTOLD: u64 = 64 * 1024;

/// Most ranges of [`GroupRanges`]. They take 9 KiB at most, and so fit a message beside the longest name.
pub const MAX_HAVE_RANGES: usize = 4_096;

/// Most hashes of one [`Held::Hashes`]: 8 KiB, so that other messages find their place between two of them.
pub const MAX_HASHES: usize = 256;

/// A group is asked for again so many times at most.
pub const MAX_AGAIN: u8 = 3;

/// So many times may groups of one body be asked for again altogether. Bytes spoil rarely; whoever needs more has a broken
/// machine.
pub const MAX_AGAINS: u16 = 1_024;

const HAVE: u8 = 0x13;
const NONE: u8 = 0x14;
const HASHES: u8 = 0x15;
const AGAIN: u8 = 0x16;

/// What the receiver of a body says of what it holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Held {
    /// As a server that receives: these groups of the very state of the source that the request told are here. Nothing else is.
    Groups(Have),
    /// Groups from `first` on are here with these chaining values, of whichever source: at least one, at most [`MAX_HASHES`].
    /// Those between the last that was told and `first` are not.
    Hashes {
        /// The first group.
        first: u64,
        /// Of it and those behind it.
        hashes: Vec<Hash>,
    },
    /// Nothing more is here.
    Nothing,
    /// This group did not match its hash, and is to be sent again.
    Again(u64),
}

/// Groups of a body that are here, verified.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Have {
    /// Of which state of which source they are.
    pub identity: Identity,
    /// Which.
    pub groups: GroupRanges,
}

/// Numbers of groups below [`MAX_GROUPS`], in at most [`MAX_HAVE_RANGES`] ranges.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct GroupRanges(RangeSet);

impl GroupRanges {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self(RangeSet::new())
    }

    /// The ranges, lowest first; no two touch.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Range<u64>> + ExactSizeIterator {
        self.0.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many groups they are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.0.total()
    }

    /// Whether `group` is among them.
    #[must_use]
    pub fn contains(&self, group: u64) -> bool {
        self.0.contains(group)
    }

    /// One more than the highest of them; 0 if there are none.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.0.last().map_or(0, |last| last.end)
    }

    /// The bytes of a body of that length that they are, lowest first: whole groups, and nothing beyond the end. Of a body of
    /// open length nobody holds anything.
    pub fn bytes(&self, len: BodyLen) -> impl Iterator<Item = Range<u64>> {
        let group = len.group_len();
        let end = match len {
            BodyLen::Known(len) => len,
            BodyLen::Open => 0,
        };
        let at = move |index: u64| index.saturating_mul(group).min(end);
        self.0.iter().map(move |range| at(range.start)..at(range.end)).filter(|r| !r.is_empty())
    }
}

/// From ranges in any order. What lies beyond the limits is left out: those groups are then sent once more than they need be.
impl FromIterator<Range<u64>> for GroupRanges {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> Self {
        let mut set = RangeSet::new();
        for range in ranges {
            set.insert(range.start..range.end.min(MAX_GROUPS));
        }
        let beyond = set.iter().nth(MAX_HAVE_RANGES);
        if let Some(beyond) = beyond {
            set.remove(beyond.start..MAX_GROUPS);
        }
        Self(set)
    }
}

impl Held {
    /// The types of these messages.
    pub(super) const KINDS: core::ops::RangeInclusive<u8> = HAVE..=AGAIN;

    /// Room for the fields that vary in length.
    pub(super) fn variable_len(&self) -> usize {
        match self {
            Self::Groups(have) => have.variable_len(),
            Self::Hashes { hashes, .. } => hashes.len().saturating_mul(size_of::<Hash>()),
            Self::Nothing | Self::Again(_) => 0,
        }
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        match self {
            Self::Groups(have) => {
                w.u8(HAVE);
                have.write(w);
            }
            Self::Nothing => w.u8(NONE),
            Self::Hashes { first, hashes } => {
                w.u8(HASHES);
                w.varint(*first);
                w.varint(hashes.len() as u64);
                hashes.iter().for_each(|hash| w.bytes(hash));
            }
            Self::Again(index) => {
                w.u8(AGAIN);
                w.varint(*index);
            }
        }
    }

    pub(super) fn read(kind: u8, r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match kind {
            HAVE => Self::Groups(Have::read(r)?),
            NONE => Self::Nothing,
            HASHES => {
                let first = r.varint()?;
                let count = usize::try_from(r.varint()?).map_err(|_| Malformed)?;
                if !(1..=MAX_HASHES).contains(&count) {
                    return Err(Malformed);
                }
                let hashes = r.bytes(count.saturating_mul(size_of::<Hash>()))?;
                Self::Hashes { first, hashes: hashes.as_chunks().0.to_vec() }
            }
            AGAIN => Self::Again(r.varint()?),
            _ => return Err(Malformed),
        })
    }
}

impl Have {
    /// Room for the ranges: two bytes a number at most, and those of their count.
    pub(super) fn variable_len(&self) -> usize {
        self.groups.0.len().saturating_mul(4).saturating_add(8)
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        w.bytes(&self.identity.0);
        w.varint(self.groups.0.len() as u64);
        let mut least = 0;
        for range in self.groups.iter() {
            w.varint(range.start.saturating_sub(least));
            w.varint((range.end - range.start).saturating_sub(1));
            // Ranges do not touch.
            least = range.end.saturating_add(1);
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let identity = Identity(r.array()?);
        let count = r.varint()?;
        if count > MAX_HAVE_RANGES as u64 {
            return Err(Malformed);
        }
        let mut set = RangeSet::new();
        let mut least = 0u64;
        for _ in 0..count {
            let start = least.saturating_add(r.varint()?);
            let end = start.saturating_add(r.varint()?).saturating_add(1);
            if end > MAX_GROUPS {
                return Err(Malformed);
            }
            set.insert(start..end);
            least = end.saturating_add(1);
        }
        Ok(Self { identity, groups: GroupRanges(set) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BLOCK_LEN;
    use proptest::prelude::*;

    proptest! {
        /// However ranges come, they come out in order, within the limits, and with nothing that was not there.
        #[test]
        fn ranges_are_sorted_and_bounded(
            ranges in prop::collection::vec((0u64..20_000, 0u64..5), 0..6_000),
        ) {
            let ranges: Vec<_> = ranges.into_iter().map(|(at, len)| at..at + len).collect();
            let groups: GroupRanges = ranges.iter().cloned().collect();
            prop_assert!(groups.iter().len() <= MAX_HAVE_RANGES && groups.end() <= MAX_GROUPS);
            prop_assert!(groups.iter().zip(groups.iter().skip(1)).all(|(a, b)| a.end < b.start));
            for range in groups.iter().take(20) {
                prop_assert!(range.clone().all(|group| ranges.iter().any(|r| r.contains(&group))));
            }
        }
    }

    #[test]
    fn the_most_ranges_fit_a_message_beside_the_longest_name() {
        // Those far apart come first: they take two bytes.
        let far = (0..200).map(|n| n * 70..n * 70 + 1);
        let near = (14_000..16_384).filter(|n| n % 2 == 0).map(|n| n..n + 1);
        let dense = (0..8_192u64).map(|n| n * 2..n * 2 + 1);
        for groups in [dense.collect::<GroupRanges>(), far.chain(near).collect()] {
            let have = Have { identity: Identity::default(), groups };
            let mut buf = [0; 16 * 1024];
            let mut w = Writer::new(&mut buf);
            have.write(&mut w);
            let used = w.finish().unwrap();
            assert!(used <= 16 + have.variable_len() && used + crate::MAX_NAME + 64 < buf.len());
            assert_eq!(Have::read(&mut Reader::new(&buf[..used])), Ok(have));
        }
        let all: GroupRanges = core::iter::once(0..u64::MAX).collect();
        assert_eq!(all.count(), MAX_GROUPS);
    }

    #[test]
    fn bytes_are_those_of_whole_groups_up_to_the_end() {
        let groups: GroupRanges = [0..1, 2..9].into_iter().collect();
        let len = 3 * BLOCK_LEN + 5;
        let bytes: Vec<_> = groups.bytes(BodyLen::Known(len)).collect();
        assert_eq!(bytes, [0..BLOCK_LEN, 2 * BLOCK_LEN..len]);
        let beyond: GroupRanges = core::iter::once(7..9).collect();
        assert_eq!(beyond.bytes(BodyLen::Known(len)).next(), None);
        assert_eq!(groups.bytes(BodyLen::Open).next(), None);
    }
}
