//! Message streams: a small, ordered, reliable stream of bytes in each direction of an exchange
//! (docs/protocol.md, "Message streams").

use alloc::vec::Vec;
use core::ops::Range;

use crate::{
    MAX_MESSAGE,
    message::Message,
    ranges::RangeSet,
    wire::cursor::{Malformed, Reader},
};

/// Most bytes of a stream that are sent and not acknowledged, and so most that a receiver has to hold. It is four
/// messages of the greatest length.
pub(crate) const STREAM_WINDOW: u64 = 64 * 1024;

/// Most gaps in what is received of a stream. Whoever sends pieces of 64 bytes and loses every other leaves half as many;
/// more would only be there to make each further piece slow to sort in.
const MAX_GAPS: usize = 1_024;

/// The sending end.
#[derive(Debug, Default)]
pub(crate) struct SendStream {
    /// Bytes from `base` on.
    bytes: Vec<u8>,
    base: u64,
    /// Bytes up to here were sent at least once.
    sent: u64,
    lost: RangeSet,
    acked: RangeSet,
    /// Length of the message that opens a body, until it is acknowledged: it goes along with the body's chunks.
    opening: u64,
    fin: Fin,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Fin {
    /// More will be said.
    #[default]
    Open,
    /// All is said, and this is yet to be told.
    Unsent,
    Sent,
    Acked,
}

/// A piece of a stream to send.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Piece {
    pub(crate) range: Range<u64>,
    pub(crate) fin: bool,
}

impl SendStream {
    /// Appends a message.
    pub(crate) fn push(&mut self, message: &Message) {
        message.encode(&mut self.bytes);
    }

    /// Takes all said so far as what opens a body.
    pub(crate) fn mark_opening(&mut self) {
        self.opening = self.end();
    }

    /// Nothing more will be said.
    pub(crate) fn finish(&mut self) {
        if self.fin == Fin::Open {
            self.fin = Fin::Unsent;
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.fin != Fin::Open
    }

    /// Whether all was said and acknowledged.
    pub(crate) fn is_done(&self) -> bool {
        self.fin == Fin::Acked && self.bytes.is_empty()
    }

    fn end(&self) -> u64 {
        self.base.saturating_add(self.bytes.len() as u64)
    }

    /// Bytes sent for the first time so far, which is what was charged.
    pub(crate) const fn charged(&self) -> u64 {
        self.sent
    }

    /// The next piece to send, of at most `room` bytes; `credit` more bytes may be sent for the first time.
    pub(crate) fn next_piece(&self, room: u64, credit: u64) -> Option<Piece> {
        let range = match self.lost.first() {
            Some(lost) => lost.start..lost.end.min(lost.start.saturating_add(room)),
            None => {
                let allowed = self.base.saturating_add(STREAM_WINDOW);
                let allowed = allowed.min(self.sent.saturating_add(credit.min(room)));
                self.sent..self.end().min(allowed).max(self.sent)
            }
        };
        let fin = self.fin == Fin::Unsent && range.end == self.end();
        (!range.is_empty() || fin).then_some(Piece { range, fin })
    }

    /// What is not known to have arrived of a stream that was sent whole, or has only to be told its end.
    pub(crate) fn unheard(&self) -> Option<Piece> {
        let is_said = self.is_finished() && self.sent == self.end() && !self.is_done();
        is_said.then(|| Piece { range: self.base..self.end(), fin: true })
    }

    /// Whether the message that opens the body was sent at least once, and so was charged.
    pub(crate) const fn has_opened(&self) -> bool {
        self.sent >= self.opening
    }

    /// Whether the opening message went in pieces of which some are acknowledged and not all: chunks have to wait for the
    /// others, for it cannot go along any more.
    pub(crate) fn opens_in_pieces(&self) -> bool {
        self.base > 0 && !self.acked.covers(&(0..self.opening))
    }

    /// The opening message, while it has to go along with chunks; all of it or none.
    pub(crate) fn opening(&self) -> Option<Piece> {
        let whole = 0..self.opening;
        let needed = self.opening > 0 && !self.acked.covers(&whole) && self.base == 0;
        needed.then_some(Piece { range: whole, fin: false })
    }

    /// The bytes of a piece.
    pub(crate) fn bytes(&self, range: &Range<u64>) -> &[u8] {
        let from = usize::try_from(range.start.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let to = usize::try_from(range.end.saturating_sub(self.base)).unwrap_or(usize::MAX);
        self.bytes.get(from..to).unwrap_or_default()
    }

    /// Takes in that a piece is on its way; gives how many of its bytes are sent for the first time.
    pub(crate) fn on_sent(&mut self, piece: &Piece) -> u64 {
        self.lost.remove(piece.range.clone());
        let first_time = piece.range.end.saturating_sub(self.sent);
        self.sent = self.sent.max(piece.range.end);
        if piece.fin && self.fin == Fin::Unsent {
            self.fin = Fin::Sent;
        }
        first_time
    }

    pub(crate) fn on_acked(&mut self, piece: &Piece) {
        if piece.fin {
            self.fin = Fin::Acked;
        }
        self.lost.remove(piece.range.clone());
        self.acked.insert(piece.range.clone());
        if let Some(first) = self.acked.first().filter(|first| first.start <= self.base) {
            let done = first.end.saturating_sub(self.base);
            let done = usize::try_from(done).unwrap_or(usize::MAX).min(self.bytes.len());
            self.bytes.drain(..done);
            self.base = self.base.saturating_add(done as u64);
        }
    }

    pub(crate) fn on_lost(&mut self, piece: &Piece) {
        for missing in self.acked.missing(piece.range.clone()) {
            self.lost.insert(missing);
        }
        if piece.fin && self.fin == Fin::Sent {
            self.fin = Fin::Unsent;
        }
    }
}

/// The receiving end.
#[derive(Debug, Default)]
pub(crate) struct RecvStream {
    /// Bytes from `base` on, as far as any was received.
    bytes: Vec<u8>,
    base: u64,
    received: RangeSet,
    end: Option<u64>,
}

/// Why bytes of a stream are refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum StreamError {
    /// Bytes beyond the window, or too many gaps before them.
    Window,
    /// Bytes beyond the end, or an end that moved.
    End,
    /// A message that cannot be decoded.
    Malformed,
    /// A message over [`MAX_MESSAGE`].
    TooLong,
}

impl RecvStream {
    /// Takes in a piece; gives how much further the stream reaches than before.
    pub(crate) fn receive(
        &mut self,
        offset: u64,
        fin: bool,
        piece: &[u8],
    ) -> Result<u64, StreamError> {
        let end = offset.saturating_add(piece.len() as u64);
        if end > self.base.saturating_add(self.contiguous()).saturating_add(STREAM_WINDOW) {
            return Err(StreamError::Window);
        }
        let reach = self.reach();
        if self.end.is_some_and(|known| end > known || (fin && end != known))
            || (fin && end < reach)
        {
            return Err(StreamError::End);
        }
        if fin {
            self.end = Some(end);
        }
        let known = usize::try_from(self.base.saturating_sub(offset)).unwrap_or(usize::MAX);
        let Some(news) = piece.get(known..).filter(|news| !news.is_empty()) else { return Ok(0) };
        let start = offset.max(self.base);
        let from = usize::try_from(start.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let to = from.saturating_add(news.len());
        if self.bytes.len() < to {
            self.bytes.resize(to, 0);
        }
        if let Some(place) = self.bytes.get_mut(from..to) {
            place.copy_from_slice(news);
        }
        self.received.insert(start..end);
        if self.received.len() > MAX_GAPS {
            return Err(StreamError::Window);
        }
        Ok(end.saturating_sub(reach))
    }

    /// How far the stream was received, gaps included: what the sender was charged for, as far as we know.
    pub(crate) fn reach(&self) -> u64 {
        self.base.saturating_add(self.bytes.len() as u64)
    }

    /// Bytes that were received, or skipped by a gap, and not read.
    pub(crate) fn unread(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Bytes from `base` on that were received without a gap: less than a message, once all messages are read. The
    /// sender counts its window from there, for it knows nothing of messages that are not whole.
    fn contiguous(&self) -> u64 {
        let first = self.received.first().filter(|first| first.start <= self.base);
        first.map_or(0, |first| first.end.saturating_sub(self.base))
    }

    /// The next message, if it is whole, and the bytes of the stream that it took.
    pub(crate) fn next_message(&mut self) -> Result<Option<(Message, u64)>, StreamError> {
        let whole = usize::try_from(self.contiguous()).unwrap_or(usize::MAX);
        let mut reader = Reader::new(self.bytes.get(..whole).unwrap_or_default());
        let Ok(len) = reader.varint() else { return self.none_left() };
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len > MAX_MESSAGE {
            return Err(StreamError::TooLong);
        }
        let Ok(bytes) = reader.bytes(len) else { return self.none_left() };
        let message = Message::decode(bytes).map_err(|Malformed| StreamError::Malformed)?;
        let used = whole.saturating_sub(reader.remaining());
        self.bytes.drain(..used);
        self.base = self.base.saturating_add(used as u64);
        self.received.remove_below(self.base);
        Ok(Some((message, used as u64)))
    }

    /// A stream must not end within a message.
    fn none_left<T>(&self) -> Result<Option<T>, StreamError> {
        let all_here =
            self.end.is_some_and(|end| end > self.base && self.received.covers(&(self.base..end)));
        if all_here { Err(StreamError::Malformed) } else { Ok(None) }
    }

    /// Whether all of it was received and read.
    pub(crate) fn is_done(&self) -> bool {
        self.end == Some(self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Note, message::Reply};
    use alloc::vec;
    use proptest::prelude::*;

    fn messages(count: u8) -> Vec<Message> {
        (0..count)
            .map(|i| Message::Note(Note::Group { index: u64::from(i), hash: [i; 32] }))
            .collect()
    }

    proptest! {
        /// Whatever is lost, doubled or reordered, the messages arrive once each and in order, and the receiver is charged
        /// what the sender charges itself.
        #[test]
        fn messages_arrive_in_order(
            count in 1u8..60, room in 1u64..100, fates in prop::collection::vec(0u8..4, 1..40),
        ) {
            let sent = messages(count);
            let mut from = SendStream::default();
            let mut to = RecvStream::default();
            sent.iter().for_each(|m| from.push(m));
            from.finish();
            let mut got = vec![];
            let mut charged = (0, 0);
            let mut flight: Vec<Piece> = vec![];
            for step in 0..100_000 {
                if from.is_done() {
                    break;
                }
                if let Some(piece) = from.next_piece(room, u64::MAX) {
                    charged.0 += from.on_sent(&piece);
                    flight.push(piece);
                } else if flight.is_empty() {
                    panic!("stuck");
                }
                let at = step * 7 % flight.len().max(1);
                match fates[step % fates.len()] {
                    // Fates cycle, so the fourth kind has to arrive in the end.
                    0 if step % 3 > 0 => from.on_lost(&flight.swap_remove(at)),
                    1 if step % 5 > 0 => {}
                    _ => {
                        let piece = flight.swap_remove(at);
                        let bytes = from.bytes(&piece.range).to_vec();
                        if bytes.len() as u64 == piece.range.end - piece.range.start {
                            charged.1 += to.receive(piece.range.start, piece.fin, &bytes).unwrap();
                            while let Some((message, _)) = to.next_message().unwrap() {
                                got.push(message);
                            }
                        }
                        from.on_acked(&piece);
                    }
                }
            }
            prop_assert!(from.is_done() && to.is_done());
            prop_assert_eq!(charged.0, charged.1);
            prop_assert_eq!(got, sent);
        }
    }

    #[test]
    fn an_end_within_a_message_is_malformed() {
        let mut bytes = vec![];
        Message::Reply(Reply::Done).encode(&mut bytes);
        let mut stream = RecvStream::default();
        stream.receive(0, true, &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(stream.next_message(), Err(StreamError::Malformed));
    }

    #[test]
    fn the_window_and_the_end_hold() {
        let mut stream = RecvStream::default();
        assert_eq!(stream.receive(STREAM_WINDOW, false, b"x"), Err(StreamError::Window));
        assert_eq!(stream.receive(10, false, b"x"), Ok(11));
        assert_eq!(stream.receive(0, true, b"short"), Err(StreamError::End));
        assert_eq!(stream.receive(0, true, &[0; 20]), Ok(9));
        assert_eq!(stream.receive(20, false, b"x"), Err(StreamError::End));
    }

    #[test]
    fn the_gaps_in_a_stream_are_bounded() {
        let mut stream = RecvStream::default();
        let refused = (1..).step_by(2).find(|at| stream.receive(*at, false, b"x").is_err());
        assert_eq!(refused, Some(2 * MAX_GAPS as u64 + 1));
        let mut stream = RecvStream::default();
        for at in (1..60_000).step_by(60) {
            stream.receive(at, false, &[0; 59]).unwrap();
        }
    }

    /// A message of which a part was received and acknowledged does not count against the sender's window.
    #[test]
    fn the_window_begins_behind_a_part_of_a_message() {
        let mut from = SendStream::default();
        (0..3000).for_each(|index| from.push(&Message::Note(Note::Group { index, hash: [0; 32] })));
        let mut to = RecvStream::default();
        let part = from.next_piece(20, u64::MAX).unwrap();
        from.on_sent(&part);
        to.receive(0, false, from.bytes(&part.range)).unwrap();
        from.on_acked(&part);
        let lost = from.next_piece(20, u64::MAX).unwrap();
        from.on_sent(&lost);
        let rest = from.next_piece(u64::MAX, u64::MAX).unwrap();
        assert_eq!(rest.range, 40..20 + STREAM_WINDOW);
        assert!(to.receive(rest.range.start, false, from.bytes(&rest.range)).is_ok());
    }

    #[test]
    fn a_message_over_the_cap_is_refused_before_it_is_held() {
        let mut stream = RecvStream::default();
        stream.receive(0, false, &[0x80, 0x01, 0, 0]).unwrap();
        assert_eq!(stream.next_message(), Err(StreamError::TooLong));
    }

    #[test]
    fn chunks_wait_for_an_opening_that_goes_in_pieces() {
        let mut stream = SendStream::default();
        stream.push(&Message::Note(Note::Group { index: 0, hash: [0; 32] }));
        stream.mark_opening();
        let mut pieces: Vec<_> = Vec::new();
        while let Some(piece) = stream.next_piece(20, u64::MAX) {
            stream.on_sent(&piece);
            pieces.push(piece);
        }
        assert!(stream.has_opened() && stream.opening().is_some() && !stream.opens_in_pieces());
        stream.on_acked(&pieces[0]);
        assert!(stream.opening().is_none() && stream.opens_in_pieces());
        stream.on_acked(&pieces[1]);
        assert!(stream.opening().is_none() && !stream.opens_in_pieces());
    }

    #[test]
    fn the_opening_goes_along_until_it_is_acknowledged() {
        let mut stream = SendStream::default();
        stream.push(&Message::Reply(Reply::Listing));
        stream.mark_opening();
        let piece = stream.opening().unwrap();
        stream.on_sent(&piece);
        assert_eq!(stream.opening(), Some(piece.clone()));
        stream.on_acked(&piece);
        assert_eq!(stream.opening(), None);
    }
}
