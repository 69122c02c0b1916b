//! What goes into packets, and what becomes of those.

use alloc::vec::Vec;
use core::ops::Range;

use super::{
    super::{Piece, SendBody},
    CHUNKS_PER_TURN, Exchanges, Outbox,
};
use crate::{
    BodyId, Event, Status,
    recovery::{Chunk, Repeat},
    wire::{
        cursor::Writer,
        frame::{Credit, Reset, write_message},
    },
};

/// A chunk to send.
#[derive(Debug)]
pub(crate) struct NextChunk {
    pub(crate) exchange: u64,
    pub(crate) body: BodyId,
    pub(crate) range: Range<u64>,
    /// The message that has to go before it in the same packet.
    pub(crate) opening: Option<Piece>,
    /// How often its group was asked for again: what becomes of chunks of former times says nothing.
    pub(crate) generation: u8,
}

impl Exchanges {
    /// Whether there is anything to send besides acknowledgements.
    pub(crate) fn has_work(&self) -> bool {
        self.credit_due
            || !self.resets_due.is_empty()
            || !self.body_credits_due.is_empty()
            || !self.talkers.is_empty()
            || !self.senders.is_empty()
    }

    /// The limits to tell, if they are due.
    pub(crate) fn credit_to_tell(&mut self) -> Option<Credit> {
        core::mem::take(&mut self.credit_due).then(|| Credit {
            body: self.recv_bodies.update(),
            exchanges: self.recv_exchanges.update(),
            messages: self.recv_messages.update(),
        })
    }

    /// The limits have to be told again.
    pub(crate) fn repeat_credit(&mut self) {
        self.credit_due = true;
    }

    /// The next limit of a body to tell: its exchange and the limit.
    pub(crate) fn body_credit_to_tell(&mut self) -> Option<(u64, u64)> {
        loop {
            let number = self.body_credits_due.pop_front()?;
            if let Some(exchange) = self.live.get_mut(&number)
                && let Some(body) = exchange.recv_body.as_mut().filter(|body| !body.is_done())
            {
                return Some((number, body.credit.update()));
            }
        }
    }

    /// The next RESET to tell.
    pub(crate) fn reset_to_tell(&mut self) -> Option<Reset> {
        loop {
            let number = self.resets_due.pop_front()?;
            if let Some(ended) = self.ended.get(&number).filter(|ended| !ended.reset_acked) {
                return Some(ended.reset);
            }
        }
    }

    /// The next piece of a message stream to send, of at most `room` bytes with its exchange's number.
    pub(crate) fn next_piece(&mut self, room: u64) -> Option<(u64, Piece)> {
        let credit = self.send_messages.available();
        for _ in 0..self.talkers.len() {
            let number = self.talkers.front().copied()?;
            let Some(exchange) = self.live.get_mut(&number) else {
                self.talkers.pop_front();
                continue;
            };
            if let Some(piece) = exchange.send.next_piece(room, credit) {
                return Some((number, piece));
            }
            self.talkers.pop_front();
            if exchange.send.next_piece(1, 1).is_some() {
                // Held up by credit, which the others may not need.
                self.talkers.push_back(number);
            } else {
                exchange.talking = false;
            }
        }
        None
    }

    /// The bytes of a piece.
    pub(crate) fn piece_bytes(&self, number: u64, piece: &Piece) -> &[u8] {
        self.live.get(&number).map_or(&[], |exchange| exchange.send.bytes(&piece.range))
    }

    /// Takes in that a piece is in a packet.
    pub(crate) fn on_piece_sent(&mut self, number: u64, piece: &Piece) {
        if let Some(exchange) = self.live.get_mut(&number) {
            let first_time = exchange.send.on_sent(piece);
            self.send_messages.spend(first_time);
        }
    }

    /// The next chunk to send. `room` tells how long it may be, given its exchange, its offset and the length of the
    /// message that has to go before it.
    pub(crate) fn next_chunk(&mut self, room: impl Fn(u64, u64, u64) -> u64) -> Option<NextChunk> {
        let credit = self.send_bodies.available();
        if self.turn == 0 {
            self.turn = CHUNKS_PER_TURN;
            self.senders.rotate_left(usize::from(!self.senders.is_empty()));
        }
        for _ in 0..self.senders.len() {
            let number = self.senders.front().copied()?;
            let Some(exchange) = self.live.get_mut(&number) else {
                self.senders.pop_front();
                continue;
            };
            let opening = exchange.send.opening();
            let may_send = exchange.send.has_opened() && !exchange.send.opens_in_pieces();
            if let Some(body) = exchange.send_body.as_ref().filter(|_| may_send) {
                let opening_len = opening.as_ref().map_or(0, |piece| piece.range.end);
                let room = room(number, body.next_offset(), opening_len);
                if let Some(range) = body.next_chunk(room, credit) {
                    let generation = exchange.telling.generation(range.start);
                    let body = body.id;
                    return Some(NextChunk { exchange: number, body, range, opening, generation });
                }
            }
            self.senders.pop_front();
            self.turn = CHUNKS_PER_TURN;
            if exchange.send_body.as_ref().is_some_and(SendBody::wants) {
                self.senders.push_back(number);
            } else {
                exchange.sending = false;
            }
        }
        None
    }

    /// Takes in that a chunk is in a packet; tells whether it went before.
    pub(crate) fn on_chunk_sent(&mut self, number: u64, chunk: &Range<u64>) -> bool {
        self.turn = self.turn.saturating_sub(1);
        let Some(exchange) = self.live.get_mut(&number) else { return false };
        let Some(body) = &mut exchange.send_body else { return false };
        let first_time = body.on_sent(chunk);
        self.send_bodies.spend(first_time);
        first_time == 0
    }

    /// Takes in that the source had no bytes for the first sender.
    pub(crate) fn park(&mut self, number: u64) {
        if let Some(exchange) = self.live.get_mut(&number)
            && let Some(body) = &mut exchange.send_body
        {
            body.parked = true;
        }
    }

    /// Takes in that the source will never have them.
    pub(crate) fn source_failed(&mut self, number: u64, status: Status, outbox: &mut Outbox) {
        if self.fail(number, status, 0, outbox).is_ok() {
            let exchange = self.id(number);
            outbox.events.push_back(Event::Failed { exchange, status, detail: 0 });
        }
    }

    /// The ends of streams that we finished, as far as the peer is not known to have them: as MESSAGE frames, as many as fit `room` bytes.
    pub(crate) fn last_words(&self, room: usize) -> Vec<u8> {
        let mut frames = alloc::vec![0; room];
        let mut len = 0;
        for (number, exchange) in &self.live {
            let Some(piece) = exchange.send.unheard() else { continue };
            let mut w = Writer::new(frames.get_mut(len..).unwrap_or_default());
            let bytes = exchange.send.bytes(&piece.range);
            write_message(&mut w, *number, piece.range.start, piece.fin, bytes);
            len = w.finish().map_or(len, |written| len.saturating_add(written));
        }
        frames.truncate(len);
        frames
    }

    /// Takes in that a chunk arrived.
    pub(crate) fn on_chunk_acked(&mut self, chunk: &Chunk, outbox: &mut Outbox) {
        let Some(exchange) = self.live.get_mut(&chunk.exchange) else { return };
        if !exchange.is_current(chunk) {
            return;
        }
        let Some(body) = &mut exchange.send_body else { return };
        let before = body.acked();
        let released = body.on_acked(&chunk.range());
        self.progress.on_moved(body.acked().saturating_sub(before));
        if let Some(below) = released {
            outbox.events.push_back(Event::Released { body: body.id, below });
        }
        self.finish_if_done(chunk.exchange, outbox);
    }

    /// Takes in that a chunk is to be sent again.
    pub(crate) fn on_chunk_lost(&mut self, chunk: &Chunk) {
        if let Some(exchange) = self.live.get_mut(&chunk.exchange)
            && exchange.is_current(chunk)
            && let Some(body) = &mut exchange.send_body
        {
            body.on_lost(&chunk.range());
            self.wake(chunk.exchange);
        }
    }

    /// Takes in that a frame arrived.
    pub(crate) fn on_repeat_acked(&mut self, repeat: Repeat, outbox: &mut Outbox) {
        match repeat {
            Repeat::Message { exchange: number, .. } => {
                let Some(exchange) = self.live.get_mut(&number) else { return };
                if let Some(piece) = repeat.piece() {
                    exchange.send.on_acked(&piece);
                }
                self.wake(number);
                self.finish_if_done(number, outbox);
            }
            Repeat::Reset { exchange } => {
                if let Some(ended) = self.ended.get_mut(&exchange) {
                    ended.reset_acked = true;
                }
                self.forget_if_over(exchange);
            }
            Repeat::BodyCredit { .. } | Repeat::Challenge | Repeat::FormerChallenge => {}
        }
    }

    /// Takes in that a frame is to be sent again.
    pub(crate) fn on_repeat_lost(&mut self, repeat: Repeat) {
        match repeat {
            Repeat::Message { exchange: number, .. } => {
                let Some(exchange) = self.live.get_mut(&number) else { return };
                if let Some(piece) = repeat.piece() {
                    exchange.send.on_lost(&piece);
                }
                self.wake(number);
            }
            Repeat::Reset { exchange } => self.resets_due.push_back(exchange),
            Repeat::BodyCredit { exchange } => {
                if !self.body_credits_due.contains(&exchange) {
                    self.body_credits_due.push_back(exchange);
                }
            }
            Repeat::Challenge | Repeat::FormerChallenge => {}
        }
    }
}

impl Chunk {
    fn range(&self) -> Range<u64> {
        self.offset..self.offset.saturating_add(u64::from(self.len))
    }
}

impl Repeat {
    fn piece(&self) -> Option<Piece> {
        match *self {
            Self::Message { offset, len, fin, .. } => {
                Some(Piece { range: offset..offset.saturating_add(u64::from(len)), fin })
            }
            _ => None,
        }
    }
}
