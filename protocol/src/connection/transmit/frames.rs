//! What a packet is filled with, in the order of its importance.

use super::{Connection, Draft, Written};
use crate::{
    Instant, Source, Unread,
    connection::{packet::PacketBuilder, path::Challenge},
    exchange::{NextChunk, Outbox, Piece},
    recovery::{Chunk, Repeat},
    wire::frame,
};

/// Less room than this is left for the next packet rather than filled with a sliver of a body.
const MIN_CHUNK: usize = 64;

impl Connection {
    pub(super) fn write_acks(
        &mut self,
        now: Instant,
        builder: &mut PacketBuilder<'_>,
        draft: &mut Draft,
    ) {
        if self.acks.due().is_some_and(|due| due <= now) {
            let room = builder.room();
            let mut span = None;
            builder.frame(|w| span = self.acks.write(now, w, room));
            draft.contents.acked = span.map(|span| (*span.start(), *span.end()));
        }
    }

    pub(super) fn write_path_frames(&mut self, builder: &mut PacketBuilder<'_>, draft: &mut Draft) {
        const LEN: usize = 9;
        while builder.room() >= LEN
            && let Some(token) = self.path.next_response()
        {
            draft.eliciting |= builder.frame(|w| frame::write_path_response(w, token));
        }
        if let Challenge::Due(token) = self.path.challenge
            && builder.frame(|w| frame::write_path_challenge(w, token))
        {
            draft.eliciting = true;
            self.path.challenge = Challenge::Sent(token);
            self.repeats.note(self.recovery.next_number(), Repeat::Challenge);
        }
    }

    /// Writes limits and RESETs.
    pub(super) fn write_limits(&mut self, builder: &mut PacketBuilder<'_>, draft: &mut Draft) {
        /// The longest of these frames: a RESET with four integers and two single bytes.
        const LONGEST: usize = 34;
        let number = self.recovery.next_number();
        if builder.room() >= LONGEST
            && let Some(credit) = self.exchanges.credit_to_tell()
        {
            draft.contents.credit = builder.frame(|w| frame::write_credit(w, &credit));
            draft.eliciting = true;
        }
        while builder.room() >= LONGEST
            && let Some((exchange, limit)) = self.exchanges.body_credit_to_tell()
        {
            draft.eliciting |= builder.frame(|w| frame::write_body_credit(w, exchange, limit));
            self.repeats.note(number, Repeat::BodyCredit { exchange });
        }
        while builder.room() >= LONGEST
            && let Some(reset) = self.exchanges.reset_to_tell()
        {
            draft.eliciting |= builder.frame(|w| frame::write_reset(w, &reset));
            self.repeats.note(number, Repeat::Reset { exchange: reset.exchange });
        }
    }

    pub(super) fn write_messages(&mut self, builder: &mut PacketBuilder<'_>, draft: &mut Draft) {
        const OVERHEAD: usize = 21;
        while let Some(room) = builder.room().checked_sub(OVERHEAD).filter(|room| *room > 0)
            && let Some((exchange, piece)) = self.exchanges.next_piece(room as u64)
        {
            if !self.write_piece(exchange, &piece, builder) {
                break;
            }
            draft.eliciting = true;
            if piece.range.start == 0 {
                draft.opened = Some(exchange);
            }
        }
    }

    fn write_piece(
        &mut self,
        exchange: u64,
        piece: &Piece,
        builder: &mut PacketBuilder<'_>,
    ) -> bool {
        let bytes = self.exchanges.piece_bytes(exchange, piece);
        let (offset, fin) = (piece.range.start, piece.fin);
        let Ok(len) = u32::try_from(bytes.len()) else { return false };
        if !builder.frame(|w| frame::write_message(w, exchange, offset, fin, bytes)) {
            return false;
        }
        self.exchanges.on_piece_sent(exchange, piece);
        let repeat = Repeat::Message { exchange, offset, len, fin };
        self.repeats.note(self.recovery.next_number(), repeat);
        true
    }

    /// Fills the rest of the packet with body bytes. Those that its source lends are sealed from where they are.
    pub(super) fn write_chunk<'b>(
        &mut self,
        source: &mut impl Source,
        mut builder: PacketBuilder<'b>,
        draft: &mut Draft,
        outbox: &mut Outbox,
    ) -> Written<'b> {
        let room = builder.room();
        let opened = draft.opened;
        let fits = |exchange: u64, offset: u64, opening: u64| {
            let opening = match opening {
                0 => 0,
                _ if opened == Some(exchange) => 0,
                len => usize::try_from(len)
                    .unwrap_or(usize::MAX)
                    .saturating_add(frame::message_overhead(exchange, 0)),
            };
            let taken = frame::data_overhead(exchange, offset).saturating_add(opening);
            let left = room.saturating_sub(taken);
            if left < MIN_CHUNK { 0 } else { left as u64 }
        };
        while let Some(next) = self.exchanges.next_chunk(fits) {
            let mark = builder.mark();
            let exchange = next.exchange;
            let opening = next.opening.as_ref().filter(|_| opened != Some(exchange));
            let bytes = opening.map(|piece| self.exchanges.piece_bytes(exchange, piece));
            if let Some(bytes) = bytes {
                builder.frame(|w| frame::write_message(w, exchange, 0, false, bytes));
            }
            builder.frame(|w| frame::write_data_header(w, exchange, next.range.start));
            let (start, len) = (next.range.start, next.range.end - next.range.start);
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            if len > builder.room() {
                builder.rewind(mark);
                break;
            }
            let (mut open, protection) = (Some(builder), &mut self.protection);
            let seal = |bytes: &[u8]| open.take()?.seal_with(protection, bytes);
            let sealed = source.lend(next.body, start, len, seal);
            let Some(mut unsealed) = open else {
                self.note_chunk(&next, draft);
                return Written::Sealed(sealed.flatten());
            };
            match unsealed.fill(len, |buf| source.read(next.body, start, buf)) {
                Ok(()) => {
                    self.note_chunk(&next, draft);
                    return Written::Open(unsealed);
                }
                Err(Some(Unread::Pending)) => self.exchanges.park(exchange),
                Err(Some(Unread::Failed(status))) => {
                    self.exchanges.source_failed(exchange, status, outbox);
                }
                Err(None) => {
                    unsealed.rewind(mark);
                    return Written::Open(unsealed);
                }
            }
            unsealed.rewind(mark);
            builder = unsealed;
        }
        Written::Open(builder)
    }

    /// Takes in that a chunk is in the packet.
    fn note_chunk(&mut self, next: &NextChunk, draft: &mut Draft) {
        let exchange = next.exchange;
        let again = self.exchanges.on_chunk_sent(exchange, &next.range);
        if let Some(piece) = next.opening.as_ref().filter(|_| draft.opened != Some(exchange)) {
            let len = u32::try_from(piece.range.end).unwrap_or(u32::MAX);
            let repeat = Repeat::Message { exchange, offset: 0, len, fin: false };
            self.repeats.note(self.recovery.next_number(), repeat);
        }
        let (offset, bytes) = (next.range.start, next.range.end - next.range.start);
        let (len, generation) = (bytes as u16, next.generation);
        draft.contents.chunk = Some(Chunk { exchange, offset, len, generation });
        draft.chunk = Some((bytes, again));
        draft.eliciting = true;
    }
}
