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
#[derive(Debug)]
pub(crate) struct RecvBody {
    pub(crate) id: BodyId,
    len: BodyLen,
    /// Blocks that are begun, by index, and which of their bytes are here.
    open: Vec<(u64, RangeSet)>,
    /// Blocks that are whole.
    closed: RangeSet,
    /// Sets of former blocks, kept for their memory.
    spare: Vec<RangeSet>,
    /// Bytes that are here.
    received: u64,
    /// The greatest end of a chunk.
    reach: u64,
    pub(crate) credit: RecvCredit,
}

/// What to do with a chunk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Accepted {
    /// These bytes hold all that are new, `fresh` of them.
    Write { range: Range<u64>, fresh: u64 },
    /// All of it was here before.
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
            spare: Vec::new(),
            received: 0,
            reach: 0,
            credit,
        }
    }

    /// Takes in a chunk; `connection` is charged for what is new, as is this body.
    pub(crate) fn accept(
        &mut self,
        chunk: Range<u64>,
        connection: &mut RecvCredit,
    ) -> Result<Accepted, ChunkError> {
        if matches!(self.len, BodyLen::Known(len) if chunk.end > len) {
            return Err(ChunkError::BeyondEnd);
        }
        let block = chunk.start / BLOCK_LEN;
        if chunk.is_empty() || chunk.end > block.saturating_add(1).saturating_mul(BLOCK_LEN) {
            return Err(ChunkError::CrossesBlock);
        }
        if self.closed.contains(block) {
            return Ok(Accepted::Known);
        }
        let Some(index) = self.open_block(block) else { return Ok(Accepted::Refused) };
        let Some((_, here)) = self.open.get_mut(index) else { return Ok(Accepted::Refused) };
        let mut news = here.missing(chunk.clone());
        let Some(first) = news.next() else { return Ok(Accepted::Known) };
        let range = first.start..news.last().map_or(first.end, |last| last.end);
        if here.len() >= MAX_GAPS && !here.intersects(&widened(&range)) {
            return Ok(Accepted::Refused);
        }
        let before = here.total();
        here.insert(range.clone());
        let fresh = here.total().saturating_sub(before);
        if self.credit.charge(fresh).is_err() || connection.charge(fresh).is_err() {
            return Err(ChunkError::OverCredit);
        }
        self.received = self.received.saturating_add(fresh);
        self.reach = self.reach.max(chunk.end);
        self.close_if_whole(index);
        Ok(Accepted::Write { range, fresh })
    }

    fn open_block(&mut self, block: u64) -> Option<usize> {
        match self.open.binary_search_by_key(&block, |(number, _)| *number) {
            Ok(index) => Some(index),
            Err(index) if self.open.len() < MAX_OPEN_BLOCKS => {
                let set = self.spare.pop().unwrap_or_default();
                self.open.insert(index, (block, set));
                Some(index)
            }
            Err(_) => None,
        }
    }

    fn close_if_whole(&mut self, index: usize) {
        let Some((block, here)) = self.open.get(index) else { return };
        let start = block.saturating_mul(BLOCK_LEN);
        let end = match self.len {
            BodyLen::Known(len) => len.min(start.saturating_add(BLOCK_LEN)),
            BodyLen::Open => start.saturating_add(BLOCK_LEN),
        };
        if here.covers(&(start..end)) {
            let (block, mut set) = self.open.remove(index);
            set.clear();
            self.spare.push(set);
            self.closed.insert(block..block.saturating_add(1));
        }
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

    /// Bytes received so far.
    pub(crate) const fn received(&self) -> u64 {
        self.received
    }

    /// Whether all of it is here.
    pub(crate) fn is_done(&self) -> bool {
        self.len == BodyLen::Known(self.received)
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
                        Accepted::Write { range, fresh } => {
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
