//! What the receiver of a body has said of what it holds: both sides keep the same account, the one to see that it may say
//! what it is about to say, the other that it may have said it (docs/protocol.md, "What is held already").

use alloc::collections::BTreeMap;
use core::ops::Range;

use crate::{
    BLOCK_LEN, BodyLen, HOLD_ABOVE, Held, Identity, MAX_AGAIN, MAX_AGAINS, MAX_BODY, MAX_HASHES,
    Meta, Put, UNTOLD,
};

/// What the receiver of a body has said of what it holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Telling {
    stage: Stage,
    /// Bytes that go without waiting for what the receiver says.
    head: u64,
    group_len: u64,
    /// Groups of the body; of an open one as many as it can come to have.
    groups: u64,
    /// How often each group was asked for again.
    again: BTreeMap<u64, u8>,
    /// How often any was.
    agains: u16,
}

/// What else the receiver has to say, besides that groups did not match.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Stage {
    /// Nothing, or it has said all.
    #[default]
    Over,
    /// Anything: what it has of this identity, or the hashes of what it has.
    Untold { identity: Option<Identity> },
    /// More hashes, of groups from this on.
    Hashing { next: u64 },
}

impl Telling {
    /// Of a body whose receiver says nothing of what it holds.
    pub(super) fn none(len: BodyLen) -> Self {
        let groups = match len {
            BodyLen::Known(known) => known.div_ceil(len.group_len()),
            BodyLen::Open => MAX_BODY / BLOCK_LEN,
        };
        let group_len = len.group_len();
        let again = BTreeMap::new();
        Self { stage: Stage::Over, head: 0, group_len, groups, again, agains: 0 }
    }

    /// Of the body of a put: its receiver answers at once, if that is worth the wait or the content is to be compared.
    pub(super) fn of_put(put: &Put) -> Self {
        let is_long = matches!(put.meta.len, BodyLen::Known(len) if len > HOLD_ABOVE);
        let asked = (put.how.check || is_long) && !put.how.discard;
        let telling = Self::asking(put.meta.len, asked, Some(put.meta.identity));
        // What is compared may well be the same.
        Self { head: if put.how.check { 0 } else { UNTOLD }, ..telling }
    }

    /// Of the body of a get that is answered by `meta`: its receiver has said what it has, unless that is of another state of
    /// the source.
    pub(super) fn of_get(claimed: Option<Identity>, meta: &Meta) -> Self {
        Self::asking(meta.len, claimed.is_some_and(|claimed| claimed != meta.identity), None)
    }

    fn asking(len: BodyLen, asked: bool, identity: Option<Identity>) -> Self {
        let held = asked && matches!(len, BodyLen::Known(1..));
        let stage = if held { Stage::Untold { identity } } else { Stage::Over };
        Self { stage, ..Self::none(len) }
    }

    /// Whether the receiver may say this now; notes that it did.
    pub(super) fn say(&mut self, held: &Held) -> bool {
        let stage = match (held, self.stage) {
            (Held::Again(index), _) => return self.say_again(*index),
            (Held::Nothing, Stage::Untold { .. } | Stage::Hashing { .. }) => Stage::Over,
            (Held::Groups(have), Stage::Untold { identity: Some(identity) })
                if have.identity == identity && have.groups.end() <= self.groups =>
            {
                Stage::Over
            }
            (Held::Hashes { first, hashes }, Stage::Untold { .. } | Stage::Hashing { .. }) => {
                let next = first.saturating_add(hashes.len() as u64);
                let fits = (1..=MAX_HASHES).contains(&hashes.len());
                if !fits || *first < self.told() || next > self.groups {
                    return false;
                }
                Stage::Hashing { next }
            }
            _ => return false,
        };
        self.stage = stage;
        true
    }

    fn say_again(&mut self, index: u64) -> bool {
        if index >= self.groups || self.agains >= MAX_AGAINS {
            return false;
        }
        let count = self.again.entry(index).or_default();
        if *count >= MAX_AGAIN {
            return false;
        }
        *count = count.saturating_add(1);
        self.agains = self.agains.saturating_add(1);
        true
    }

    /// Groups from the first on of which it is known whether the receiver has them.
    const fn told(&self) -> u64 {
        match self.stage {
            Stage::Untold { .. } => 0,
            Stage::Hashing { next } => next,
            Stage::Over => self.groups,
        }
    }

    /// Nothing more is expected.
    pub(super) fn conclude(&mut self) {
        self.stage = Stage::Over;
    }

    /// Whether the receiver has yet to say more.
    pub(super) fn is_awaited(&self) -> bool {
        self.stage != Stage::Over
    }

    /// How far new bytes may go by now.
    pub(super) fn limit(&self) -> u64 {
        match self.stage {
            Stage::Over => u64::MAX,
            _ => self.told().saturating_mul(self.group_len).max(self.head),
        }
    }

    /// Where a group lies in a body of that length.
    pub(super) fn range(&self, index: u64, len: BodyLen) -> Range<u64> {
        let end = match len {
            BodyLen::Known(len) => len,
            BodyLen::Open => u64::MAX,
        };
        let start = index.saturating_mul(self.group_len).min(end);
        start..start.saturating_add(self.group_len).min(end)
    }

    /// Whether the body can have a group of that number.
    pub(super) const fn has_group(&self, index: u64) -> bool {
        index < self.groups
    }

    /// How often the group that a chunk lies in had been asked for again.
    pub(super) fn generation(&self, offset: u64) -> u8 {
        if self.again.is_empty() {
            return 0;
        }
        let index = offset.checked_div(self.group_len).unwrap_or(0);
        self.again.get(&index).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FileTime, Have, Mode};
    use alloc::vec;

    fn meta(len: BodyLen) -> Meta {
        let identity = Identity([1; 16]);
        Meta { len, mode: Mode::default(), modified: FileTime::default(), identity }
    }

    fn of_put(len: BodyLen) -> Telling {
        of_put_as(len, false)
    }

    fn of_put_as(len: BodyLen, check: bool) -> Telling {
        let leaf = crate::Name::parse(b"leaf").unwrap();
        let to = crate::Destination { path: None, leaf, into_directory: false };
        Telling::of_put(&Put {
            to,
            meta: meta(len),
            how: crate::How { check, ..crate::How::default() },
        })
    }

    fn have(identity: u8, end: u64) -> Held {
        let groups = core::iter::once(0..end).collect();
        Held::Groups(Have { identity: Identity([identity; 16]), groups })
    }

    fn hashes(first: u64, count: usize) -> Held {
        Held::Hashes { first, hashes: vec![[0; 32]; count] }
    }

    const LONG: BodyLen = BodyLen::Known(100 * BLOCK_LEN);

    #[test]
    fn a_put_is_told_once_and_what_it_told() {
        for (said, fine) in [
            (have(1, 100), true),
            (have(2, 100), false),
            (have(1, 101), false),
            (hashes(0, 100), true),
            (hashes(99, 2), false),
            (hashes(u64::MAX, 1), false),
            (hashes(0, 0), false),
            (Held::Nothing, true),
        ] {
            let mut telling = of_put(LONG);
            assert_eq!(telling.limit(), UNTOLD);
            assert_eq!(telling.say(&said), fine, "{said:?}");
            if fine && !matches!(said, Held::Hashes { .. }) {
                assert!(!telling.is_awaited() && telling.limit() == u64::MAX);
                assert!(!telling.say(&Held::Nothing) && !telling.say(&have(1, 1)));
            }
        }
        for short in [BodyLen::Known(HOLD_ABOVE), BodyLen::Open] {
            let mut telling = of_put(short);
            assert!(!telling.is_awaited());
            assert!(!telling.say(&Held::Nothing) && !telling.say(&have(1, 1)));
        }
    }

    /// Not a byte of it travels before.
    #[test]
    fn a_short_put_whose_content_is_compared_is_told_of_too() {
        for (len, awaited) in [(0, false), (1, true), (HOLD_ABOVE, true), (HOLD_ABOVE + 1, true)] {
            let mut telling = of_put_as(BodyLen::Known(len), true);
            assert_eq!((telling.is_awaited(), telling.limit() == 0), (awaited, awaited), "{len}");
            assert_eq!(telling.say(&hashes(0, 1)), awaited);
            assert_eq!(telling.say(&Held::Nothing), awaited);
            assert_eq!(telling.limit(), u64::MAX);
        }
        assert!(!of_put_as(BodyLen::Open, true).is_awaited());
    }

    #[test]
    fn hashes_rise_and_lift_the_limit() {
        let mut telling = of_put(LONG);
        assert!(telling.say(&hashes(0, 2)));
        assert_eq!(telling.limit(), 2 * BLOCK_LEN);
        assert!(!telling.say(&hashes(1, 1)), "told twice");
        assert!(!telling.say(&have(1, 1)), "both");
        assert!(telling.say(&hashes(7, 3)) && telling.limit() == 10 * BLOCK_LEN);
        assert!(telling.say(&Held::Nothing) && !telling.say(&hashes(10, 1)));
    }

    #[test]
    fn a_get_is_told_only_of_another_state() {
        let other = Some(Identity([9; 16]));
        for (claimed, len, awaited) in [
            (None, LONG, false),
            (Some(Identity([1; 16])), LONG, false),
            (other, LONG, true),
            (other, BodyLen::Known(1), true),
            (other, BodyLen::Known(0), false),
            (other, BodyLen::Open, false),
        ] {
            let mut telling = Telling::of_get(claimed, &meta(len));
            assert_eq!(telling.is_awaited(), awaited, "{claimed:?} {len:?}");
            assert!(!telling.say(&have(1, 1)), "its request said that");
            assert_eq!(telling.say(&hashes(0, 1)), awaited);
        }
    }

    #[test]
    fn groups_are_asked_for_again_a_few_times() {
        let mut telling = Telling::none(BodyLen::Known(20_000 * BLOCK_LEN));
        assert_eq!((telling.group_len, telling.groups), (2 * BLOCK_LEN, 10_000));
        assert!(!telling.say(&Held::Again(10_000)));
        for count in 0..MAX_AGAIN {
            assert_eq!(telling.generation(7 * 2 * BLOCK_LEN + 5), count);
            assert!(telling.say(&Held::Again(7)));
        }
        assert!(!telling.say(&Held::Again(7)));
        assert_eq!(telling.generation(8 * 2 * BLOCK_LEN), 0);
        let more = (8..10_000).filter(|index| telling.say(&Held::Again(*index))).count();
        assert_eq!(more, usize::from(MAX_AGAINS) - usize::from(MAX_AGAIN));
    }
}
