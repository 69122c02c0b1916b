//! A body that we receive: which of its bytes are here.

#[cfg(test)]
mod tests;

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
        // A group of an open body can turn out to lie beyond its end.
        if range.is_empty() {
            return;
        }
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
