//! A body that we send: which of its bytes go next.

use alloc::vec::Vec;
use core::ops::Range;

use crate::{BLOCK_LEN, BodyId, BodyLen, ranges::RangeSet};

/// The sender is told what it need not keep any more in steps of so many bytes: often enough for a progress bar.
const RELEASE_STEP: u64 = 64 * 1024;

/// A body that we send.
///
/// Bytes below `frontier` are acknowledged, lost, renewed, or under way. Those beyond are new, but for what is skipped.
#[derive(Debug)]
pub(crate) struct SendBody {
    pub(crate) id: BodyId,
    len: BodyLen,
    /// New bytes begin here.
    frontier: u64,
    /// Bytes sent for the first time so far.
    charged: u64,
    lost: RangeSet,
    /// Bytes that were skipped, and are to be sent after all, for the first time.
    renewed: RangeSet,
    /// Bytes that the receiver has: acknowledged, or skipped.
    acked: RangeSet,
    /// Bytes that were skipped before they were ever sent.
    skipped: RangeSet,
    released: u64,
    /// How many bytes the receiver lets us send for the first time.
    limit: u64,
    /// New bytes from here on wait until the receiver has said what it holds.
    held_from: u64,
    /// The source had no bytes at the last try.
    pub(crate) parked: bool,
}

impl SendBody {
    pub(crate) const fn new(id: BodyId, len: BodyLen, limit: u64, held_from: u64) -> Self {
        Self {
            id,
            len,
            frontier: 0,
            charged: 0,
            lost: RangeSet::new(),
            renewed: RangeSet::new(),
            acked: RangeSet::new(),
            skipped: RangeSet::new(),
            released: 0,
            limit,
            held_from,
            parked: false,
        }
    }

    /// Takes in a limit; limits never shrink.
    pub(crate) fn raise_limit(&mut self, limit: u64) {
        self.limit = self.limit.max(limit);
    }

    /// Lets new bytes go further.
    pub(crate) fn hold_from(&mut self, offset: u64) {
        self.held_from = self.held_from.max(offset);
    }

    /// How long it is.
    pub(crate) const fn len(&self) -> BodyLen {
        self.len
    }

    /// Settles the length of an open body, or confirms that of another. False: it is another, or too short.
    pub(crate) fn end(&mut self, len: u64) -> bool {
        match self.len {
            BodyLen::Known(known) => known == len,
            BodyLen::Open if len < self.frontier => false,
            BodyLen::Open => {
                self.len = BodyLen::Known(len);
                true
            }
        }
    }

    /// Bytes sent for the first time so far, which is what was charged.
    pub(crate) const fn charged(&self) -> u64 {
        self.charged
    }

    /// Bytes that the receiver has.
    pub(crate) const fn acked(&self) -> u64 {
        self.acked.total()
    }

    /// Whether everything was sent and acknowledged, or skipped.
    pub(crate) fn is_done(&self) -> bool {
        match self.len {
            BodyLen::Known(len) => self.acked.covers(&(0..len)),
            BodyLen::Open => false,
        }
    }

    /// Whether there is anything to send, room and the connection's credit aside.
    pub(crate) fn wants(&self) -> bool {
        let may_send_new = self.charged < self.limit && self.next_new().is_some();
        !self.parked && (!self.lost.is_empty() || may_send_new)
    }

    /// Whether it is the receiver's limit for this body that keeps new bytes back.
    pub(crate) fn is_over_limit(&self) -> bool {
        self.charged >= self.limit && self.next_new().is_some()
    }

    /// The next bytes that were never sent.
    fn next_new(&self) -> Option<Range<u64>> {
        let end = match self.len {
            BodyLen::Known(len) => len.min(self.held_from),
            BodyLen::Open => self.held_from,
        };
        self.renewed.first().or_else(|| self.acked.missing(self.frontier..end).next())
    }

    /// Where the next chunk begins.
    pub(crate) fn next_offset(&self) -> u64 {
        let next = self.lost.first().or_else(|| self.next_new());
        next.map_or(self.frontier, |range| range.start)
    }

    /// The next chunk, of at most `room` bytes and within one block; `credit` more bytes may be sent for the first time.
    pub(crate) fn next_chunk(&self, room: u64, credit: u64) -> Option<Range<u64>> {
        if self.parked {
            return None;
        }
        let available = match self.lost.first() {
            Some(lost) => lost,
            None => {
                let new = self.next_new()?;
                let credit = credit.min(self.limit.saturating_sub(self.charged));
                new.start..new.end.min(new.start.saturating_add(credit))
            }
        };
        let block_end = (available.start / BLOCK_LEN).saturating_add(1).saturating_mul(BLOCK_LEN);
        let end = available.end.min(block_end).min(available.start.saturating_add(room));
        (available.start < end).then_some(available.start..end)
    }

    /// Takes in that the chunk that [`Self::next_chunk`] gave is on its way; gives how many of its bytes are sent for the
    /// first time: all or none.
    pub(crate) fn on_sent(&mut self, chunk: &Range<u64>) -> u64 {
        if chunk.start >= self.frontier {
            self.frontier = chunk.end;
        } else if self.renewed.contains(chunk.start) {
            self.renewed.remove(chunk.clone());
        } else {
            self.lost.remove(chunk.clone());
            return 0;
        }
        let first_time = chunk.end.saturating_sub(chunk.start);
        self.charged = self.charged.saturating_add(first_time);
        first_time
    }

    /// Takes in that a chunk arrived; gives up to where the bytes need not be kept any more, if that is news.
    pub(crate) fn on_acked(&mut self, chunk: &Range<u64>) -> Option<u64> {
        self.acked.insert(chunk.clone());
        self.lost.remove(chunk.clone());
        self.release()
    }

    fn release(&mut self) -> Option<u64> {
        let below = self.acked.first().filter(|first| first.start == 0)?.end;
        let step = below.saturating_sub(self.released);
        let news = step >= RELEASE_STEP || (step > 0 && self.len == BodyLen::Known(below));
        news.then(|| {
            self.released = below;
            below
        })
    }

    /// Takes in that a chunk is to be sent again.
    pub(crate) fn on_lost(&mut self, chunk: &Range<u64>) {
        for missing in self.acked.missing(chunk.clone()) {
            self.lost.insert(missing);
        }
    }

    /// The receiver has these bytes: what was not sent yet never is. What was stays as it is, so that both sides charge the same.
    /// Gives the same as [`Self::on_acked`].
    pub(crate) fn skip(&mut self, range: &Range<u64>) -> Option<u64> {
        let ahead = range.start.max(self.frontier)..range.end;
        let renewed: Vec<_> = self.renewed.overlap(range).collect();
        let ahead: Vec<_> = self.acked.missing(ahead).collect();
        for part in renewed.into_iter().chain(ahead) {
            self.renewed.remove(part.clone());
            self.acked.insert(part.clone());
            self.skipped.insert(part);
        }
        self.parked = false;
        self.release()
    }

    /// The receiver has lost these bytes: they are sent again, and those that were skipped for the first time.
    pub(crate) fn again(&mut self, range: &Range<u64>) {
        let sent = range.start..range.end.min(self.frontier);
        for part in self.skipped.overlap(&sent) {
            self.renewed.insert(part);
        }
        for part in self.renewed.missing(sent) {
            self.lost.insert(part);
        }
        self.acked.remove(range.clone());
        self.skipped.remove(range.clone());
        self.parked = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};
    use proptest::prelude::*;

    proptest! {
        /// sent = acknowledged + lost + in flight; chunks stay within blocks; credit is spent once a byte.
        #[test]
        fn every_byte_is_accounted_for(
            len in 0u64..3 * BLOCK_LEN, room in 500u64..9000, fates in prop::collection::vec(0u8..4, 1..50),
        ) {
            let mut body = SendBody::new(BodyId::unowned(0), BodyLen::Known(len), u64::MAX, u64::MAX);
            let mut flight: Vec<Range<u64>> = vec![];
            let (mut charged, mut released) = (0, 0);
            for step in 0usize.. {
                if body.is_done() {
                    break;
                }
                if let Some(chunk) = body.next_chunk(room, u64::MAX) {
                    prop_assert_eq!(chunk.start / BLOCK_LEN, (chunk.end - 1) / BLOCK_LEN);
                    charged += body.on_sent(&chunk);
                    flight.push(chunk);
                }
                if flight.is_empty() {
                    continue;
                }
                let at = step * 13 % flight.len();
                let chunk = flight.swap_remove(at);
                if fates[step % fates.len()] == 0 && step % 2 == 0 {
                    body.on_lost(&chunk);
                } else if let Some(below) = body.on_acked(&chunk) {
                    prop_assert!(below > released);
                    released = below;
                }
                let in_flight: u64 = flight.iter().map(|c| c.end - c.start).sum();
                prop_assert_eq!(body.frontier, body.acked.total() + body.lost.total() + in_flight);
            }
            prop_assert_eq!((charged, released), (len, len));
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Fate {
        Send,
        Lose(usize),
        Ack(usize),
        Skip(u64, u64),
        Again(u64),
    }

    fn fate() -> impl Strategy<Value = Fate> {
        prop_oneof![
            8 => Just(Fate::Send),
            4 => any::<usize>().prop_map(Fate::Ack),
            2 => any::<usize>().prop_map(Fate::Lose),
            1 => (0u64..6, 1u64..3).prop_map(|(at, count)| Fate::Skip(at, count)),
            1 => (0u64..6).prop_map(Fate::Again),
        ]
    }

    proptest! {
        /// Whatever is skipped and wanted again: each byte below the frontier is acknowledged, lost, renewed or under way; each
        /// byte is charged at most once, and exactly once if it was ever sent; in the end all is there.
        #[test]
        fn what_is_skipped_and_wanted_again_is_accounted_for(
            len in 1u64..5 * BLOCK_LEN, fates in prop::collection::vec(fate(), 1..300),
        ) {
            let mut body = SendBody::new(BodyId::unowned(0), BodyLen::Known(len), u64::MAX, u64::MAX);
            let mut flight: Vec<Range<u64>> = vec![];
            let mut sent = RangeSet::new();
            let mut charged = 0;
            // At the end all that is under way arrives, until nothing is left.
            let rest = core::iter::repeat_n([Fate::Send, Fate::Ack(0)], 3_000).flatten();
            for fate in fates.into_iter().chain(rest) {
                match fate {
                    Fate::Send => {
                        let Some(chunk) = body.next_chunk(9_000, u64::MAX) else { continue };
                        let first_time = body.on_sent(&chunk);
                        prop_assert_eq!(first_time, sent.insert(chunk.clone()), "{:?}", chunk);
                        charged += first_time;
                        flight.push(chunk);
                    }
                    Fate::Lose(at) if !flight.is_empty() => {
                        let chunk = flight.swap_remove(at % flight.len());
                        body.on_lost(&chunk);
                    }
                    Fate::Ack(at) if !flight.is_empty() => {
                        let chunk = flight.swap_remove(at % flight.len());
                        body.on_acked(&chunk);
                    }
                    Fate::Skip(at, count) => {
                        let range = (at * BLOCK_LEN).min(len)..((at + count) * BLOCK_LEN).min(len);
                        body.skip(&range);
                    }
                    Fate::Again(at) => {
                        let range = (at * BLOCK_LEN).min(len)..((at + 1) * BLOCK_LEN).min(len);
                        body.again(&range);
                        // What becomes of former packets says nothing any more.
                        flight.retain(|chunk| !range.contains(&chunk.start));
                    }
                    Fate::Lose(_) | Fate::Ack(_) => {}
                }
                let acked: u64 = body.acked.overlap(&(0..body.frontier)).map(|r| r.end - r.start).sum();
                let in_flight: u64 = flight.iter().map(|c| c.end - c.start).sum();
                let lost = body.lost.total() + body.renewed.total();
                prop_assert_eq!(body.frontier, acked + lost + in_flight);
                prop_assert_eq!(body.charged(), charged);
            }
            prop_assert!(body.is_done() && !body.wants() && flight.is_empty());
            prop_assert!(body.acked.covers(&(0..len)));
            prop_assert_eq!(charged, sent.total());
        }
    }

    #[test]
    fn credit_counts_bytes_and_not_offsets() {
        let len = 4 * BLOCK_LEN;
        let mut body = SendBody::new(BodyId::unowned(0), BodyLen::Known(len), 1_000, u64::MAX);
        assert_eq!(body.skip(&(0..3 * BLOCK_LEN)), Some(3 * BLOCK_LEN));
        assert_eq!(body.next_chunk(9_000, 10), Some(3 * BLOCK_LEN..3 * BLOCK_LEN + 10));
        let chunk = body.next_chunk(9_000, u64::MAX).unwrap();
        assert_eq!(chunk, 3 * BLOCK_LEN..3 * BLOCK_LEN + 1_000);
        assert_eq!((body.on_sent(&chunk), body.wants()), (1_000, false));
        body.raise_limit(1_500);
        assert_eq!(body.next_chunk(9_000, 2_000), Some(chunk.end..chunk.end + 500));
    }

    #[test]
    fn what_the_receiver_may_hold_waits() {
        let len = 4 * BLOCK_LEN;
        let mut body = SendBody::new(BodyId::unowned(0), BodyLen::Known(len), u64::MAX, 1_000);
        assert_eq!(body.on_sent(&body.next_chunk(9_000, u64::MAX).unwrap()), 1_000);
        assert!(!body.wants() && body.next_chunk(9_000, u64::MAX).is_none());
        body.on_lost(&(0..1_000));
        assert_eq!(body.next_chunk(9_000, 0), Some(0..1_000), "what was sent goes on");
        body.on_sent(&(0..1_000));
        body.skip(&(0..2 * BLOCK_LEN));
        assert!(!body.acked.covers(&(0..1_000)) && body.acked.covers(&(1_000..2 * BLOCK_LEN)));
        body.hold_from(3 * BLOCK_LEN);
        let chunk = body.next_chunk(u64::MAX, u64::MAX);
        assert_eq!(chunk, Some(2 * BLOCK_LEN..3 * BLOCK_LEN));
    }

    #[test]
    fn neither_limit_nor_credit_holds_up_what_was_lost() {
        let mut body = SendBody::new(BodyId::unowned(0), BodyLen::Known(10_000), 3000, u64::MAX);
        assert_eq!(body.next_chunk(1400, 500), Some(0..500));
        assert_eq!(body.next_chunk(1400, 0), None);
        for _ in 0..3 {
            let chunk = body.next_chunk(1000, u64::MAX).unwrap();
            body.on_sent(&chunk);
        }
        assert_eq!(body.next_chunk(1400, u64::MAX), None);
        body.on_lost(&(1000..2000));
        assert_eq!(body.next_chunk(1400, 0), Some(1000..2000));
    }

    #[test]
    fn an_open_body_ends_where_it_is_told_to() {
        let mut body = SendBody::new(BodyId::unowned(0), BodyLen::Open, u64::MAX, u64::MAX);
        assert_eq!(body.next_chunk(100, u64::MAX), Some(0..100));
        body.on_sent(&(0..100));
        assert!(!body.end(99));
        assert_eq!(body.next_chunk(100, u64::MAX), Some(100..200));
        assert!(body.end(150));
        assert_eq!(body.next_chunk(100, u64::MAX), Some(100..150));
        assert!(!body.end(151));
    }
}
