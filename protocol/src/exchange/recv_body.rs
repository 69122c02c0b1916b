//! A body that we receive: which of its bytes are here.

use alloc::vec::Vec;
use core::ops::Range;

use crate::{
    BLOCK_LEN, BodyId, BodyLen,
    credit::{OverCredit, RecvCredit},
    ranges::RangeSet,
};

/// Most blocks of a body that are begun and not whole. A sender goes through a body in order, so they span
/// what its window does; four times the largest window are enough.
const MAX_OPEN_BLOCKS: usize = 256;
/// Most gaps that are kept of a block. Packets of 1200 bytes leave at most 437.
const MAX_GAPS: usize = 1_024;

/// A body that we receive.
///
/// A block is *present* when all of it was received, or is kept from before. Each byte is charged once, when it comes first,
/// whether it is wanted or not: the sender counts likewise.
#[derive(Debug)]
pub(crate) struct RecvBody {
    pub(crate) id: BodyId,
    len: BodyLen,
    /// Blocks of which some bytes came, in order.
    open: Vec<OpenBlock>,
    /// Blocks of which all bytes came, and are present.
    closed: RangeSet,
    /// Blocks that are present although not all of their bytes came, and maybe none.
    kept: RangeSet,
    /// Blocks of which all bytes came, and are wanted once more.
    reopened: RangeSet,
    /// Sets of former blocks, kept for their memory.
    spare: Vec<RangeSet>,
    /// Bytes that are present.
    present: u64,
    /// Bytes that came for the first time.
    charged: u64,
    /// The greatest end of a chunk, or of what is kept.
    reach: u64,
    pub(crate) credit: RecvCredit,
}

#[derive(Debug)]
struct OpenBlock {
    number: u64,
    /// Bytes that came; of a block that is wanted once more, those that came since.
    here: RangeSet,
    /// Bytes that ever came, where they are others.
    paid: Option<RangeSet>,
}

/// What to do with a chunk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Accepted {
    /// These bytes hold all that are new, `fresh` of them, of which `charged` are charged.
    Write { range: Range<u64>, fresh: u64, charged: u64 },
    /// All of it was here before, or was kept.
    Known,
    /// It cannot be kept account of: the packet counts as lost.
    Refused,
}

/// Why a chunk breaks the protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ChunkError {
    BeyondEnd,
    CrossesBlock,
    OverCredit,
}

impl From<OverCredit> for ChunkError {
    fn from(OverCredit: OverCredit) -> Self {
        Self::OverCredit
    }
}

impl RecvBody {
    pub(crate) const fn new(id: BodyId, len: BodyLen, credit: RecvCredit) -> Self {
        Self {
            id,
            len,
            open: Vec::new(),
            closed: RangeSet::new(),
            kept: RangeSet::new(),
            reopened: RangeSet::new(),
            spare: Vec::new(),
            present: 0,
            charged: 0,
            reach: 0,
            credit,
        }
    }

    /// Takes in a chunk; `connection` is charged for what comes for the first time, as is this body. What is kept is settled at
    /// once.
    pub(crate) fn accept(
        &mut self,
        chunk: Range<u64>,
        connection: &mut RecvCredit,
    ) -> Result<Accepted, ChunkError> {
        if matches!(self.len, BodyLen::Known(len) if chunk.end > len) {
            return Err(ChunkError::BeyondEnd);
        }
        let number = chunk.start / BLOCK_LEN;
        if chunk.is_empty() || chunk.end > number.saturating_add(1).saturating_mul(BLOCK_LEN) {
            return Err(ChunkError::CrossesBlock);
        }
        if self.closed.contains(number) {
            return Ok(Accepted::Known);
        }
        let Some(index) = self.open_block(number) else { return Ok(Accepted::Refused) };
        let Some(block) = self.open.get_mut(index) else { return Ok(Accepted::Refused) };
        let mut news = block.here.missing(chunk.clone());
        let Some(first) = news.next() else { return Ok(Accepted::Known) };
        let range = first.start..news.last().map_or(first.end, |last| last.end);
        if block.here.len() >= MAX_GAPS && !block.here.intersects(&widened(&range)) {
            return Ok(Accepted::Refused);
        }
        let fresh = block.here.insert(range.clone());
        let charged = block.paid.as_mut().map_or(fresh, |paid| paid.insert(range.clone()));
        if self.credit.charge(charged).is_err() || connection.charge(charged).is_err() {
            return Err(ChunkError::OverCredit);
        }
        self.charged = self.charged.saturating_add(charged);
        self.reach = self.reach.max(chunk.end);
        let kept = self.kept.contains(number);
        if kept {
            self.credit.settle(charged);
            connection.settle(charged);
        } else {
            self.present = self.present.saturating_add(fresh);
        }
        self.close_if_whole(index);
        Ok(if kept { Accepted::Known } else { Accepted::Write { range, fresh, charged } })
    }

    fn open_block(&mut self, number: u64) -> Option<usize> {
        match self.open.binary_search_by_key(&number, |block| block.number) {
            Ok(index) => Some(index),
            Err(index) if self.open.len() < MAX_OPEN_BLOCKS => {
                let here = self.spare.pop().unwrap_or_default();
                let paid = self.reopened.contains(number).then(|| {
                    let mut all = self.spare.pop().unwrap_or_default();
                    all.insert(self.block(number));
                    all
                });
                self.reopened.remove(number..number.saturating_add(1));
                self.open.insert(index, OpenBlock { number, here, paid });
                Some(index)
            }
            Err(_) => None,
        }
    }

    /// The bytes of a block.
    fn block(&self, number: u64) -> Range<u64> {
        self.bytes(number..number.saturating_add(1))
    }

    /// The bytes of some blocks.
    fn bytes(&self, blocks: Range<u64>) -> Range<u64> {
        let end = match self.len {
            BodyLen::Known(len) => len,
            BodyLen::Open => u64::MAX,
        };
        let at = |number: u64| number.saturating_mul(BLOCK_LEN).min(end);
        at(blocks.start)..at(blocks.end)
    }

    fn close_if_whole(&mut self, index: usize) {
        let Some(block) = self.open.get(index) else { return };
        if block.here.covers(&self.block(block.number)) {
            let OpenBlock { number, here, paid } = self.open.remove(index);
            self.closed.insert(number..number.saturating_add(1));
            for mut set in paid.into_iter().chain([here]) {
                set.clear();
                self.spare.push(set);
            }
        }
    }

    /// These bytes need not come: they are here from before, or will never be wanted. False: they are not whole blocks, up to the
    /// end, of a body of known length.
    pub(crate) fn keep(&mut self, range: &Range<u64>) -> bool {
        let Some(blocks) = self.len.blocks(range) else { return false };
        self.reach = self.reach.max(range.end);
        let missing: Vec<_> =
            self.kept.missing(blocks).flat_map(|part| self.closed.missing(part)).collect();
        for part in missing {
            self.keep_blocks(part);
        }
        true
    }

    /// Keeps blocks that are not present yet.
    fn keep_blocks(&mut self, blocks: Range<u64>) {
        let bytes = self.bytes(blocks.clone());
        self.present = self.present.saturating_add(bytes.end.saturating_sub(bytes.start));
        self.kept.insert(blocks.clone());
        // All of these came before.
        let came: Vec<_> = self.reopened.overlap(&blocks).collect();
        for part in came {
            self.closed.insert(part);
        }
        self.reopened.remove(blocks.clone());
        let mut index = self.open.partition_point(|block| block.number < blocks.start);
        while let Some(block) = self.open.get_mut(index).filter(|block| block.number < blocks.end) {
            self.present = self.present.saturating_sub(block.here.total());
            if let Some(paid) = block.paid.take() {
                block.here = paid;
            }
            let open = self.open.len();
            self.close_if_whole(index);
            index = index.saturating_add(usize::from(self.open.len() == open));
        }
    }

    /// These bytes are wanted once more: whole blocks, or up to the end.
    pub(crate) fn again(&mut self, range: &Range<u64>) {
        let blocks = range.start / BLOCK_LEN..range.end.div_ceil(BLOCK_LEN);
        let present: Vec<_> = self.closed.overlap(&blocks).collect();
        for part in present {
            self.forget_present(part.clone());
            self.closed.remove(part.clone());
            self.kept.remove(part.clone());
            self.reopened.insert(part);
        }
        let kept: Vec<_> = self.kept.overlap(&blocks).collect();
        let from = self.open.partition_point(|block| block.number < blocks.start);
        for block in self.open.get_mut(from..).unwrap_or_default() {
            if block.number >= blocks.end {
                break;
            }
            let here = core::mem::take(&mut block.here);
            if !self.kept.contains(block.number) {
                self.present = self.present.saturating_sub(here.total());
            }
            block.paid.get_or_insert(here);
        }
        for part in kept {
            self.forget_present(part.clone());
            self.kept.remove(part);
        }
    }

    fn forget_present(&mut self, blocks: Range<u64>) {
        let bytes = self.bytes(blocks);
        self.present = self.present.saturating_sub(bytes.end.saturating_sub(bytes.start));
    }

    /// Settles the length of an open body, or confirms that of another. False: it is another, or bytes lie beyond.
    pub(crate) fn end(&mut self, len: u64) -> bool {
        match self.len {
            BodyLen::Known(known) => known == len,
            BodyLen::Open if len < self.reach => false,
            BodyLen::Open => {
                self.len = BodyLen::Known(len);
                if let Some(last) = self.open.len().checked_sub(1) {
                    self.close_if_whole(last);
                }
                true
            }
        }
    }

    /// How long it is.
    pub(crate) const fn len(&self) -> BodyLen {
        self.len
    }

    /// Bytes that came for the first time so far.
    pub(crate) const fn charged(&self) -> u64 {
        self.charged
    }

    /// Whether all of it is here.
    pub(crate) fn is_done(&self) -> bool {
        self.len == BodyLen::Known(self.present)
    }
}

impl BodyLen {
    /// The blocks that the bytes of `range` are, if they are whole blocks, up to the end, of a body of this known length.
    pub(crate) fn blocks(self, range: &Range<u64>) -> Option<Range<u64>> {
        let Self::Known(len) = self else { return None };
        let ends = range.end.is_multiple_of(BLOCK_LEN) || range.end == len;
        let whole = range.start.is_multiple_of(BLOCK_LEN) && ends && range.end <= len;
        let blocks = range.start / BLOCK_LEN..range.end.div_ceil(BLOCK_LEN);
        (whole && range.start <= range.end).then_some(blocks)
    }
}

/// The range and its neighbours: a chunk that touches what is here makes no gap.
fn widened(range: &Range<u64>) -> Range<u64> {
    range.start.saturating_sub(1)..range.end.saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn plenty() -> RecvCredit {
        RecvCredit::new(u64::MAX >> 2, u64::MAX >> 2)
    }

    fn body(len: BodyLen) -> RecvBody {
        RecvBody::new(BodyId::unowned(0), len, plenty())
    }

    proptest! {
        /// However a body is cut, doubled and reordered, fresh bytes are counted once each, and no byte of a whole block is
        /// handed out again.
        #[test]
        fn each_byte_is_fresh_once(
            len in 1u64..2 * BLOCK_LEN, cuts in prop::collection::vec((any::<u64>(), 1u64..200_000), 0..40),
        ) {
            let mut receiver = body(BodyLen::Known(len));
            let mut connection = plenty();
            let mut here = vec![false; len as usize];
            let whole = (0..len).step_by(100_000).map(|at| (at, 100_000));
            for (at, size) in cuts.into_iter().map(|(at, size)| (at % len, size)).chain(whole) {
                let block_end = (at / BLOCK_LEN + 1) * BLOCK_LEN;
                let chunk = at..(at + size).min(len).min(block_end);
                for chunk in [chunk.clone(), chunk] {
                    let block = (chunk.start / BLOCK_LEN * BLOCK_LEN) as usize;
                    let block = block..(block + BLOCK_LEN as usize).min(len as usize);
                    match receiver.accept(chunk.clone(), &mut connection).unwrap() {
                        Accepted::Write { range, fresh, charged } => {
                            prop_assert_eq!(charged, fresh);
                            prop_assert!(range.start >= chunk.start && range.end <= chunk.end);
                            prop_assert!(!here[block].iter().all(|b| *b));
                            let span = &mut here[range.start as usize..range.end as usize];
                            prop_assert_eq!(span.iter().filter(|b| !**b).count() as u64, fresh);
                            span.fill(true);
                        }
                        Accepted::Known => {
                            prop_assert!(here[chunk.start as usize..chunk.end as usize].iter().all(|b| *b));
                        }
                        Accepted::Refused => prop_assert!(false),
                    }
                }
            }
            // The last pieces may stop short at a block's end.
            for at in (0..len).step_by(50_000) {
                let end = (at + 50_000).min(len);
                let middle = (at / BLOCK_LEN + 1) * BLOCK_LEN;
                for part in [at..end.min(middle), middle.min(end)..end] {
                    if !part.is_empty() {
                        receiver.accept(part, &mut connection).unwrap();
                    }
                }
            }
            prop_assert!(receiver.is_done());
            prop_assert!(receiver.open.is_empty());
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Chunk(u64, u64),
        Keep(u64, u64),
        Again(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => (any::<u64>(), 1u64..300_000).prop_map(|(at, size)| Step::Chunk(at, size)),
            1 => (0u64..4, 1u64..3).prop_map(|(at, count)| Step::Keep(at, count)),
            1 => (0u64..4).prop_map(Step::Again),
        ]
    }

    proptest! {
        /// Whatever is kept and wanted again: each byte is charged once, when it comes first, and only bytes that are wanted are
        /// handed out; the body is done when each byte is present (`docs/hostile-input.md`, row 59).
        #[test]
        fn what_is_kept_and_wanted_again_is_accounted_for(
            len in 1u64..4 * BLOCK_LEN, steps in prop::collection::vec(step(), 0..60),
        ) {
            let mut receiver = body(BodyLen::Known(len));
            let mut connection = plenty();
            // What ever came, and what is wanted no more.
            let (mut came, mut present) = (RangeSet::new(), RangeSet::new());
            let mut settled = 0;
            let blocks = |at: u64, count: u64| {
                (at * BLOCK_LEN).min(len)..((at + count) * BLOCK_LEN).min(len)
            };
            let rest = (0..len).step_by(1 << 18).map(|at| Step::Chunk(at, 1 << 18));
            let rest: Vec<_> = rest.collect();
            for step in steps.into_iter().chain(rest) {
                match step {
                    Step::Keep(at, _) | Step::Again(at) if at * BLOCK_LEN >= len => {}
                    Step::Keep(at, count) => {
                        prop_assert!(receiver.keep(&blocks(at, count)));
                        present.insert(blocks(at, count));
                    }
                    Step::Again(at) => {
                        receiver.again(&blocks(at, 1));
                        present.remove(blocks(at, 1));
                    }
                    Step::Chunk(at, size) => {
                        let at = at % len;
                        let chunk = at..(at + size).min(len).min((at / BLOCK_LEN + 1) * BLOCK_LEN);
                        let wanted: u64 = present.missing(chunk.clone()).map(|r| r.end - r.start).sum();
                        let new = came.insert(chunk.clone());
                        match receiver.accept(chunk.clone(), &mut connection).unwrap() {
                            Accepted::Write { range, fresh, charged } => {
                                prop_assert!(range.start >= chunk.start && range.end <= chunk.end);
                                prop_assert_eq!((fresh, charged), (wanted, new));
                            }
                            accepted => {
                                prop_assert_eq!((accepted, wanted), (Accepted::Known, 0));
                                // It was kept, and is settled.
                                settled += new;
                            }
                        }
                        present.insert(chunk);
                    }
                }
                prop_assert_eq!(receiver.charged(), came.total());
                prop_assert_eq!(connection.left(), (u64::MAX >> 2) - came.total());
                prop_assert_eq!(receiver.present, present.total());
                prop_assert_eq!(receiver.is_done(), present.covers(&(0..len)));
            }
            prop_assert!(receiver.is_done());
            // The limit has risen by what was settled at once.
            connection.set_window(u64::MAX >> 2);
            prop_assert_eq!(connection.update(), (u64::MAX >> 2) + settled);
        }
    }

    #[test]
    fn only_whole_blocks_are_kept() {
        let len = 2 * BLOCK_LEN + 5;
        let mut receiver = body(BodyLen::Known(len));
        for (start, end) in [(0, 1), (1, BLOCK_LEN), (0, BLOCK_LEN + 1), (0, len + 1)] {
            assert!(!receiver.keep(&(start..end)), "{start} {end}");
        }
        assert!(!receiver.keep(&(0..3 * BLOCK_LEN)));
        assert!(receiver.keep(&(BLOCK_LEN..len)) && receiver.keep(&(0..BLOCK_LEN)));
        assert!(receiver.is_done());
        assert!(!body(BodyLen::Open).keep(&(0..BLOCK_LEN)));
    }

    #[test]
    fn keeping_costs_no_memory_for_what_never_comes() {
        let len = 1 << 60;
        let mut receiver = body(BodyLen::Known(len));
        assert!(receiver.keep(&(0..len)));
        assert!(receiver.is_done() && receiver.open.is_empty() && receiver.kept.len() == 1);
        receiver.again(&(0..1 << 50));
        assert!(!receiver.is_done() && receiver.kept.len() == 1);
        assert!(receiver.keep(&(0..1 << 50)) && receiver.is_done());
    }

    #[test]
    fn one_byte_fragments_are_bounded() {
        let mut receiver = body(BodyLen::Known(1 << 40));
        let mut connection = plenty();
        let refused = (0..5000u64)
            .filter(|i| {
                let at = i * 2;
                receiver.accept(at..at + 1, &mut connection) == Ok(Accepted::Refused)
            })
            .count();
        assert_eq!(refused, 5000 - MAX_GAPS);
        let blocks = (1..1000u64)
            .filter(|i| {
                let at = i * BLOCK_LEN;
                receiver.accept(at..at + 1, &mut connection) == Ok(Accepted::Refused)
            })
            .count();
        assert_eq!(blocks, 1000 - MAX_OPEN_BLOCKS);
        // What fills a gap is still taken.
        assert!(matches!(receiver.accept(1..2, &mut connection), Ok(Accepted::Write { .. })));
    }

    #[test]
    fn ends_and_credit_hold() {
        let mut connection = RecvCredit::new(150, 150);
        let mut receiver = body(BodyLen::Known(1000));
        assert_eq!(receiver.accept(900..1001, &mut connection), Err(ChunkError::BeyondEnd));
        assert_eq!(receiver.accept(5..5, &mut connection), Err(ChunkError::CrossesBlock));
        assert!(receiver.accept(0..150, &mut connection).is_ok());
        assert_eq!(receiver.accept(0..150, &mut connection), Ok(Accepted::Known));
        assert_eq!(receiver.accept(150..151, &mut connection), Err(ChunkError::OverCredit));
        let mut open = body(BodyLen::Open);
        let across = BLOCK_LEN - 1..BLOCK_LEN + 1;
        assert_eq!(open.accept(across, &mut plenty()), Err(ChunkError::CrossesBlock));
        open.accept(0..10, &mut plenty()).unwrap();
        assert!(!open.end(9));
        assert!(open.end(10) && open.is_done() && open.open.is_empty());
    }
}
