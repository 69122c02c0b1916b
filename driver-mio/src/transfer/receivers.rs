//! All files that are received, and the memory that they share.

use std::collections::BTreeMap;

use gannet_protocol::{BodyId, Instant, Meta, Note, Status, Write};

use super::{
    Limits, Progress,
    buffers::{Buffer, Pool},
    job::{Outcome, Published},
    outbox::Outbox,
    receiving::{Accounts, Receiving},
};
use crate::files::Partial;

/// All files that are received.
#[derive(Debug)]
pub(super) struct Receivers {
    receiving: BTreeMap<BodyId, Receiving>,
    memory: Pool,
    overdraft: u64,
    accounts: Accounts,
    /// Bodies that have a ticket to give back.
    unsettled: Vec<BodyId>,
    /// Counts the writes.
    now: u64,
}

impl Receivers {
    pub(super) fn new(limits: &Limits) -> Self {
        let accounts =
            Accounts { loose: Pool::new(limits.loose), backlog: Pool::new(limits.backlog) };
        Self {
            receiving: BTreeMap::new(),
            memory: Pool::new(limits.receiving),
            overdraft: limits.overdraft,
            accounts,
            unsettled: Vec::new(),
            now: 0,
        }
    }

    pub(super) fn add(&mut self, body: BodyId, meta: &Meta) {
        self.receiving.insert(body, Receiving::new(body, meta));
    }

    /// The hash of all of a file is wanted, that of its holes too.
    pub(super) fn want_hash(&mut self, body: BodyId) {
        if let Some(receiving) = self.receiving.get_mut(&body) {
            receiving.want_hash();
        }
    }

    pub(super) fn progress(&self, body: BodyId) -> Option<Progress> {
        self.receiving.get(&body).map(Receiving::progress)
    }

    /// Takes the partial file of a body, or the reason that there is none. Gives the file back if the body is not known.
    pub(super) fn open(
        &mut self,
        body: BodyId,
        partial: Result<Partial, Status>,
        now: Instant,
        out: &mut Outbox,
    ) -> Option<Partial> {
        let Some(receiving) = self.receiving.get_mut(&body) else { return partial.ok() };
        match partial {
            Ok(partial) => {
                receiving.open(partial, now, &self.accounts, out);
                self.unsettled.push(body);
            }
            Err(status) => receiving.fail(status, out),
        }
        None
    }

    /// Takes bytes of a body; those of an unknown one, or of one that is over, are discarded.
    pub(super) fn write(&mut self, write: Write<'_>, out: &mut Outbox) {
        let (body, offset) = (write.body, write.offset);
        self.now += 1;
        let lacking = match self.receiving.get(&body) {
            Some(receiving) if !receiving.is_over() && !receiving.is_kept(offset) => {
                receiving.lacks_block(offset)
            }
            _ => return out.settle(write.ticket),
        };
        if lacking.is_some() && write.fresh == 0 {
            // All of it is in a block that is whole already.
            return out.settle(write.ticket);
        }
        let buffer = lacking.and_then(|len| self.buffer(len, out));
        let Some(receiving) = self.receiving.get_mut(&body) else { return };
        if lacking.is_some() {
            receiving.begin(offset, buffer, out);
        }
        if receiving.write(write, self.now, &self.accounts, out) {
            self.unsettled.push(body);
        }
        if receiving.is_over() {
            receiving.settle(out);
        }
    }

    /// Memory for a block. When it is short the block that was written to least recently gives up its own, and until that
    /// is written there may be a little more.
    fn buffer(&mut self, len: usize, out: &mut Outbox) -> Option<Buffer> {
        if let Some(buffer) = self.memory.take(len) {
            return Some(buffer);
        }
        let candidates = self.receiving.iter();
        let oldest = candidates.filter_map(|(body, receiving)| Some((receiving.oldest()?, *body)));
        if let Some(((_, index), body)) = oldest.min()
            && let Some(receiving) = self.receiving.get_mut(&body)
        {
            receiving.scatter(index, &self.accounts, out);
        }
        self.memory.take_beyond(len, self.overdraft)
    }

    pub(super) fn note(&mut self, body: BodyId, note: Note, now: Instant, out: &mut Outbox) {
        if let Some(receiving) = self.receiving.get_mut(&body) {
            receiving.note(note, &self.accounts, out);
            receiving.record(now, out);
        }
    }

    /// Gives back the tickets of what came, unless the disk is behind: then its senders have to wait.
    pub(super) fn settle(&mut self, out: &mut Outbox) {
        let behind = self.accounts.backlog.used().saturating_add(self.accounts.loose.used());
        if behind > self.accounts.backlog.cap() {
            return;
        }
        for body in self.unsettled.drain(..) {
            if let Some(receiving) = self.receiving.get_mut(&body) {
                receiving.settle(out);
            }
        }
    }

    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn memory_used(&self) -> [u64; 3] {
        [self.memory.used(), self.accounts.loose.used(), self.accounts.backlog.used()]
    }

    /// Takes note that files are in place.
    pub(super) fn on_published(&mut self, published: Published, out: &mut Outbox) {
        out.on_published(&published);
        for (body, result) in published.files {
            if let Some(receiving) = self.receiving.get_mut(&body) {
                receiving.on_published(result, out);
            }
        }
    }

    pub(super) fn on_done(
        &mut self,
        body: BodyId,
        outcome: &Outcome,
        now: Instant,
        out: &mut Outbox,
    ) {
        let Some(receiving) = self.receiving.get_mut(&body) else { return };
        match outcome {
            &Outcome::Written { start, len, hashed } => {
                receiving.on_written(start, len, hashed, out);
            }
            &Outcome::PiecesWritten { start, written } => {
                receiving.on_pieces_written(start, written, &self.accounts, out);
            }
            Outcome::Punched { range, punched } => receiving.on_punched(range, *punched, out),
            Outcome::Zeros(blocks) => receiving.on_zeros(blocks, out),
            &Outcome::RoomMade(made) => receiving.on_room(made, out),
            Outcome::Recorded => receiving.on_recorded(),
            Outcome::Synced(synced) => receiving.on_synced(*synced, out),
            &Outcome::BaseHashed { index, hashed } => receiving.on_base_hashed(index, hashed, out),
            Outcome::Copied { index, copied } => receiving.on_copied(*index, copied, out),
            _ => {}
        }
        receiving.record(now, out);
    }

    pub(super) fn forget(&mut self, body: BodyId, out: &mut Outbox) {
        if let Some(mut receiving) = self.receiving.remove(&body) {
            receiving.end_all(out);
        }
    }
}
