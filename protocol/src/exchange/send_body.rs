//! A body that we send: which of its bytes go next.

use core::ops::Range;

use crate::{BLOCK_LEN, BodyId, BodyLen, ranges::RangeSet};

/// The sender is told what it need not keep any more in steps of so many bytes: often enough for a progress bar.
const RELEASE_STEP: u64 = 64 * 1024;

/// A body that we send.
#[derive(Debug)]
pub(crate) struct SendBody {
    pub(crate) id: BodyId,
    len: BodyLen,
    /// Bytes up to here were sent at least once.
    sent: u64,
    lost: RangeSet,
    acked: RangeSet,
    released: u64,
    /// How far the receiver lets it go.
    limit: u64,
    /// The source had no bytes at the last try.
    pub(crate) parked: bool,
}

impl SendBody {
    pub(crate) const fn new(id: BodyId, len: BodyLen, limit: u64) -> Self {
        Self {
            id,
            len,
            sent: 0,
            lost: RangeSet::new(),
            acked: RangeSet::new(),
            released: 0,
            limit,
            parked: false,
        }
    }

    /// Takes in a limit; limits never shrink.
    pub(crate) fn raise_limit(&mut self, limit: u64) {
        self.limit = self.limit.max(limit);
    }

    /// Settles the length of an open body, or confirms that of another. False: it is another, or too short.
    pub(crate) fn end(&mut self, len: u64) -> bool {
        match self.len {
            BodyLen::Known(known) => known == len,
            BodyLen::Open if len < self.sent => false,
            BodyLen::Open => {
                self.len = BodyLen::Known(len);
                true
            }
        }
    }

    /// Bytes sent for the first time so far, which is what was charged.
    pub(crate) const fn charged(&self) -> u64 {
        self.sent
    }

    /// Bytes acknowledged so far.
    pub(crate) const fn acked(&self) -> u64 {
        self.acked.total()
    }

    /// Whether everything was sent and acknowledged.
    pub(crate) fn is_done(&self) -> bool {
        match self.len {
            BodyLen::Known(len) => self.acked.covers(&(0..len)),
            BodyLen::Open => false,
        }
    }

    /// Whether there is anything to send, room and credit aside.
    pub(crate) fn wants(&self) -> bool {
        !self.parked && (!self.lost.is_empty() || self.sent < self.end_of_new())
    }

    fn end_of_new(&self) -> u64 {
        match self.len {
            BodyLen::Known(len) => len.min(self.limit),
            BodyLen::Open => self.limit,
        }
    }

    /// Where the next chunk begins.
    pub(crate) fn next_offset(&self) -> u64 {
        self.lost.first().map_or(self.sent, |lost| lost.start)
    }

    /// The next chunk, of at most `room` bytes and within one block; `credit` more bytes may be sent for the first time.
    pub(crate) fn next_chunk(&self, room: u64, credit: u64) -> Option<Range<u64>> {
        if self.parked {
            return None;
        }
        let available = match self.lost.first() {
            Some(lost) => lost,
            None => self.sent..self.end_of_new().min(self.sent.saturating_add(credit)),
        };
        let block_end = (available.start / BLOCK_LEN).saturating_add(1).saturating_mul(BLOCK_LEN);
        let end = available.end.min(block_end).min(available.start.saturating_add(room));
        (available.start < end).then_some(available.start..end)
    }

    /// Takes in that a chunk is on its way; gives how many of its bytes are sent for the first time.
    pub(crate) fn on_sent(&mut self, chunk: &Range<u64>) -> u64 {
        if chunk.start < self.sent {
            self.lost.remove(chunk.clone());
        }
        let first_time = chunk.end.saturating_sub(self.sent);
        self.sent = self.sent.max(chunk.end);
        first_time
    }

    /// Takes in that a chunk arrived; gives up to where the bytes need not be kept any more, if that is news.
    pub(crate) fn on_acked(&mut self, chunk: &Range<u64>) -> Option<u64> {
        self.acked.insert(chunk.clone());
        self.lost.remove(chunk.clone());
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
            let mut body = SendBody::new(BodyId::unowned(0), BodyLen::Known(len), u64::MAX);
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
                prop_assert_eq!(body.sent, body.acked.total() + body.lost.total() + in_flight);
            }
            prop_assert_eq!((charged, released), (len, len));
        }
    }

    #[test]
    fn neither_limit_nor_credit_holds_up_what_was_lost() {
        let mut body = SendBody::new(BodyId::unowned(0), BodyLen::Known(10_000), 3000);
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
        let mut body = SendBody::new(BodyId::unowned(0), BodyLen::Open, u64::MAX);
        assert_eq!(body.next_chunk(100, u64::MAX), Some(0..100));
        body.on_sent(&(0..100));
        assert!(!body.end(99));
        assert_eq!(body.next_chunk(100, u64::MAX), Some(100..200));
        assert!(body.end(150));
        assert_eq!(body.next_chunk(100, u64::MAX), Some(100..150));
        assert!(!body.end(151));
    }
}
