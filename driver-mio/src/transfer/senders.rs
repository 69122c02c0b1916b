//! All files that are sent, and the memory that they share.

use std::collections::{BTreeMap, VecDeque};

use gannet_protocol::{BodyId, Held, Unread};

use super::{
    Limits, Progress,
    buffers::{Buffer, Pool},
    job::Outcome,
    outbox::Outbox,
    sending::{Need, Sending},
};
use crate::files::SourceFile;

/// How often in a row nobody can be given memory until spans that were asked for are let go of all the same: those of
/// connections that are dead.
const PATIENCE: u32 = 16;

/// All files that are sent.
///
/// Each may hold an equal share of the memory. Those that were asked for bytes and find no memory left wait in a queue. The
/// first of it gets all that it needs, out of what was touched least recently: but nobody loses what it was asked for and is
/// about to be asked for again, unless it stands in the queue itself and so cannot go on anyway.
#[derive(Debug)]
pub(super) struct Senders {
    sending: BTreeMap<BodyId, Sending>,
    memory: Pool,
    /// Bodies that wait for memory.
    queue: VecDeque<BodyId>,
    /// How often in a row the first of them got none.
    vain: u32,
    /// Counts the reads.
    now: u64,
}

impl Senders {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            sending: BTreeMap::new(),
            memory: Pool::new(limits.sending),
            queue: VecDeque::new(),
            vain: 0,
            now: 0,
        }
    }

    pub(super) fn add(
        &mut self,
        body: BodyId,
        file: SourceFile,
        is_awaited: bool,
        out: &mut Outbox,
    ) {
        self.sending.insert(body, Sending::new(body, file, is_awaited, out));
        self.pump(body, out);
    }

    /// Takes what the receiver of a body says of what it has.
    pub(super) fn held(&mut self, body: BodyId, held: Held, out: &mut Outbox) {
        if let Some(sending) = self.sending.get_mut(&body) {
            sending.held(held, out);
            self.pump(body, out);
            self.serve(out);
        }
    }

    pub(super) fn knows(&self, body: BodyId) -> bool {
        self.sending.contains_key(&body)
    }

    pub(super) fn progress(&self, body: BodyId) -> Option<Progress> {
        self.sending.get(&body).map(Sending::progress)
    }

    /// Fills `buf` from a body; nothing if it is not known.
    pub(super) fn read(
        &mut self,
        body: BodyId,
        offset: u64,
        buf: &mut [u8],
        out: &mut Outbox,
    ) -> Option<Result<(), Unread>> {
        let sending = self.sending.get_mut(&body)?;
        self.now += 1;
        let read = sending.read(offset, buf, self.now);
        if sending.may_need() {
            self.pump(body, out);
        }
        Some(read)
    }

    /// Hands bytes of a body to `take`, if they are in memory in one piece.
    pub(super) fn lend<R>(
        &mut self,
        body: BodyId,
        (offset, len): (u64, usize),
        take: impl FnOnce(&[u8]) -> R,
        out: &mut Outbox,
    ) -> Option<R> {
        let sending = self.sending.get_mut(&body)?;
        self.now += 1;
        let lent = sending.lend(offset, len, self.now, take);
        if sending.may_need() {
            self.pump(body, out);
        }
        lent
    }

    pub(super) fn release(&mut self, body: BodyId, below: u64, out: &mut Outbox) {
        if let Some(sending) = self.sending.get_mut(&body) {
            sending.release(below);
            self.pump(body, out);
            self.serve(out);
        }
    }

    pub(super) fn on_done(&mut self, body: BodyId, outcome: Outcome, out: &mut Outbox) {
        if let Some(sending) = self.sending.get_mut(&body) {
            match outcome {
                Outcome::Read { start, read } => sending.on_read(start, read, self.now, out),
                Outcome::ReadAgain { start, read } => {
                    sending.on_read_again(start, read, self.now, out);
                }
                Outcome::End(end) => sending.on_end(end, out),
                Outcome::Zeros(blocks) => sending.on_zeros(&blocks, out),
                _ => {}
            }
            self.pump(body, out);
        }
        self.serve(out);
    }

    pub(super) fn forget(&mut self, body: BodyId, out: &mut Outbox) {
        if self.sending.remove(&body).is_some() {
            self.serve(out);
        }
    }

    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn memory_used(&self) -> u64 {
        self.memory.used()
    }

    #[cfg(test)]
    pub(super) fn memory_cap(&self) -> u64 {
        self.memory.cap()
    }

    /// Starts the reads that a body needs, as far as there is memory.
    fn pump(&mut self, body: BodyId, out: &mut Outbox) {
        loop {
            let share = self.share();
            let Some(sending) = self.sending.get_mut(&body) else { return };
            let Some(need) = sending.need(share) else { return };
            let is_first = self.queue.front().is_none_or(|first| *first == body);
            let buffer = if is_first { self.memory_for(body, need) } else { None };
            match buffer {
                Some(buffer) => self.start(body, need, buffer, out),
                None => return self.queue_up(body, need),
            }
        }
    }

    fn queue_up(&mut self, body: BodyId, need: Need) {
        if let Some(sending) = self.sending.get_mut(&body)
            && need.is_urgent
            && !sending.is_queued
        {
            sending.is_queued = true;
            self.queue.push_back(body);
        }
    }

    /// Gives memory to those that wait for it, in their order, as long as there is some.
    pub(super) fn serve(&mut self, out: &mut Outbox) {
        while let Some(&body) = self.queue.front() {
            let share = self.share();
            if let Some(sending) = self.sending.get_mut(&body) {
                if let Some(need) = sending.need(share).filter(|need| need.is_urgent) {
                    let Some(buffer) = self.memory_for(body, need) else { return self.vain += 1 };
                    self.start(body, need, buffer, out);
                    continue;
                }
                sending.is_queued = false;
            }
            self.queue.pop_front();
        }
    }

    fn start(&mut self, body: BodyId, need: Need, buffer: Buffer, out: &mut Outbox) {
        self.vain = 0;
        if let Some(sending) = self.sending.get_mut(&body) {
            let work = sending.start(need, buffer, self.now);
            out.job(body, work);
        }
    }

    fn share(&self) -> u64 {
        self.memory.cap() / (self.sending.len() as u64).max(1)
    }

    /// Memory for a read; for what was asked for others have to give theirs up.
    fn memory_for(&mut self, taker: BodyId, need: Need) -> Option<Buffer> {
        loop {
            let buffer = self.memory.take(need.len());
            if buffer.is_some() || !need.is_urgent {
                return buffer;
            }
            let is_late = self.vain >= PATIENCE;
            let oldest = |(body, other): (&BodyId, &Sending)| {
                let all = is_late || (other.is_queued && *body != taker);
                Some((other.oldest(all)?, *body))
            };
            let ((_, start), body) = self.sending.iter().filter_map(oldest).min()?;
            self.sending.get_mut(&body)?.drop_span(start);
        }
    }
}
