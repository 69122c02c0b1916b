//! Holes of a file that is sent.

use std::sync::Arc;

use gannet_protocol::Note;

use super::Sending;
use crate::transfer::{
    holes::hashed_parts,
    job::{Copied, Work},
    outbox::Outbox,
};

impl Sending {
    /// Tells where the file's holes are. Nobody reads them.
    pub(super) fn tell_holes(&mut self, out: &mut Outbox) {
        let file = Arc::clone(&self.file);
        for hole in file.holes() {
            let (offset, len) = (hole.start, hole.end - hole.start);
            out.note(self.body, Note::Hole { offset, len });
            self.known.skip(hole.clone());
            hashed_parts(hole, self.len).for_each(|part| self.zeros.add(part));
        }
        self.next = self.known.next_to_read(self.next);
        self.hash_zeros(out);
        self.end_if_read(out);
    }

    fn hash_zeros(&mut self, out: &mut Outbox) {
        if let Some(range) = self.zeros.next() {
            out.job(self.body, Work::Zeros { range });
        }
    }

    /// Takes what zeros of holes hash to.
    pub(in crate::transfer) fn on_zeros(&mut self, blocks: &[Copied], out: &mut Outbox) {
        self.zeros.on_hashed();
        if self.failed.is_some() {
            return;
        }
        for &Copied { start, len, hashed } in blocks {
            self.add(start, len, hashed, out);
        }
        self.hash_zeros(out);
        self.wake(out);
        self.end_if_read(out);
    }

    /// Whether a hole is at `offset`.
    pub(super) fn is_hole(&self, offset: u64) -> bool {
        let holes = self.file.holes();
        let after = holes.partition_point(|hole| hole.end <= offset);
        holes.get(after).is_some_and(|hole| hole.start <= offset)
    }
}
