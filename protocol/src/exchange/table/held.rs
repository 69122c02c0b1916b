//! What of a body need not travel, because its receiver holds it.

use alloc::vec::Vec;
use core::ops::Range;

use super::{Exchanges, Outbox};
use crate::{Event, Held, Misuse, Note, exchange::Exchange, recovery::Chunk};

impl Exchanges {
    /// Says something of a body that we send.
    pub(crate) fn note(
        &mut self,
        number: u64,
        note: Note,
        outbox: &mut Outbox,
    ) -> Result<(), Misuse> {
        self.live.get_mut(&number).ok_or(Misuse::Over)?.note(note)?;
        if let Note::Hole { offset, len } = note {
            self.take_held(number, &[offset..offset.saturating_add(len)], outbox);
        }
        self.wake(number);
        Ok(())
    }

    /// Says something of what we hold of a body that we receive.
    pub(crate) fn held(&mut self, number: u64, held: Held) -> Result<(), Misuse> {
        self.live.get_mut(&number).ok_or(Misuse::Over)?.held(held)?;
        self.wake(number);
        Ok(())
    }

    /// The receiver of a body that we send has these bytes.
    pub(crate) fn skip(
        &mut self,
        number: u64,
        range: &Range<u64>,
        outbox: &mut Outbox,
    ) -> Result<(), Misuse> {
        let exchange = self.live.get(&number).ok_or(Misuse::Over)?;
        let body = exchange.send_body.as_ref().ok_or(Misuse::OutOfPlace)?;
        body.len().blocks(range).ok_or(Misuse::OutOfPlace)?;
        self.take_held(number, core::slice::from_ref(range), outbox);
        self.wake(number);
        self.finish_if_done(number, outbox);
        Ok(())
    }

    /// We have these bytes of a body that we receive.
    pub(crate) fn keep(
        &mut self,
        number: u64,
        range: &Range<u64>,
        outbox: &mut Outbox,
    ) -> Result<(), Misuse> {
        let exchange = self.live.get_mut(&number).ok_or(Misuse::Over)?;
        let body = exchange.recv_body.as_mut().ok_or(Misuse::OutOfPlace)?;
        if !body.keep(range) {
            return Err(Misuse::OutOfPlace);
        }
        self.finish_if_done(number, outbox);
        Ok(())
    }

    /// These bytes of a body need not travel, whichever way it goes.
    pub(super) fn take_held(&mut self, number: u64, ranges: &[Range<u64>], outbox: &mut Outbox) {
        let Some(exchange) = self.live.get_mut(&number) else { return };
        let mut released = None;
        for range in ranges {
            if let Some(body) = &mut exchange.send_body {
                released = body.skip(range).or(released);
            }
            if let Some(body) = &mut exchange.recv_body {
                body.keep(range);
            }
        }
        if let Some(below) = released
            && let Some(body) = &exchange.send_body
        {
            outbox.events.push_back(Event::Released { body: body.id, below });
        }
    }

    /// Takes in what the receiver of a body that we send says of what it holds.
    pub(super) fn on_held(&mut self, number: u64, held: Held, outbox: &mut Outbox) {
        let id = self.id(number);
        let Some(exchange) = self.live.get_mut(&number) else { return };
        let Exchange { telling, send_body: Some(body), .. } = &mut **exchange else { return };
        body.hold_from(telling.limit());
        let mut ranges = Vec::new();
        match &held {
            Held::Groups(have) => ranges.extend(have.groups.bytes(body.len())),
            Held::Again(index) => body.again(&telling.range(*index, body.len())),
            // Who reads and hashes what it holds moves as much, though little of it travels.
            Held::Hashes { first, hashes } => {
                let last = first.saturating_add(hashes.len() as u64);
                let bytes = telling.range(last, body.len()).start;
                let before = telling.range(*first, body.len()).start;
                self.progress.on_moved(bytes.saturating_sub(before));
            }
            Held::Nothing => {}
        }
        let body = body.id;
        outbox.events.push_back(Event::Held { exchange: id, body, held });
        self.take_held(number, &ranges, outbox);
        self.wake(number);
    }
}

impl Exchange {
    /// Whether what becomes of a chunk still says something: not if its group was asked for again since.
    pub(super) fn is_current(&self, chunk: &Chunk) -> bool {
        chunk.generation == self.telling.generation(chunk.offset)
    }
}
