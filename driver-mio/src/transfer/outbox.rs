//! What transfers want done and have to tell.

use std::collections::VecDeque;

use gannet_protocol::{BLOCK_LEN, BodyId, FileDone, Note, Status, Ticket};

use super::{
    Output,
    job::{Batch, Job, Published, Work},
};
use crate::files::{Durability, Whole};

/// Bytes of a file up to which it is put in place with others: they do not wait long for each other.
const MAX_COMMON: u64 = BLOCK_LEN;
/// Most files that are put in place at a time: half a second's work of a slow disk.
const MAX_BATCH: usize = 128;

/// Jobs for the disk and outputs for the event loop, in the order of their coming.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    jobs: VecDeque<Job>,
    outputs: VecDeque<Output>,
    pub(super) durability: Durability,
    /// Small files that are whole.
    whole: VecDeque<(BodyId, Whole)>,
    /// Whether small files are being put in place.
    is_publishing: bool,
}

impl Outbox {
    pub(super) fn job(&mut self, body: BodyId, work: Work) {
        self.jobs.push_back(Job { body, work });
    }

    /// Has a file of `len` bytes put in place; a small one together with others that are whole by the time that those before it
    /// are in place.
    pub(super) fn publish(&mut self, body: BodyId, file: Whole, len: u64) {
        if len <= MAX_COMMON {
            self.whole.push_back((body, file));
        } else {
            let (files, durability) = (vec![(body, file)], self.durability);
            self.job(body, Work::Publish(Batch { files, durability, is_common: false }));
        }
    }

    /// Takes note that some files are in place.
    pub(super) fn on_published(&mut self, published: &Published) {
        self.is_publishing &= !published.is_common;
    }

    fn next_batch(&mut self) -> Option<Job> {
        let &(body, _) = self.whole.front().filter(|_| !self.is_publishing)?;
        self.is_publishing = true;
        let files = self.whole.drain(..self.whole.len().min(MAX_BATCH)).collect();
        let batch = Batch { files, durability: self.durability, is_common: true };
        Some(Job { body, work: Work::Publish(batch) })
    }

    pub(super) fn tell(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(super) fn note(&mut self, body: BodyId, note: Note) {
        self.tell(Output::Note { body, note });
    }

    pub(super) fn readable(&mut self, body: BodyId) {
        self.tell(Output::File(FileDone::Readable(body)));
    }

    pub(super) fn settle(&mut self, ticket: Ticket) {
        self.tell(Output::File(FileDone::Settled(ticket)));
    }

    pub(super) fn fail(&mut self, body: BodyId, status: Status) {
        self.tell(Output::Failed { body, status });
    }

    pub(super) fn next_job(&mut self) -> Option<Job> {
        self.jobs.pop_front().or_else(|| self.next_batch())
    }

    pub(super) fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}
