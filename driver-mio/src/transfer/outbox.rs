//! What transfers want done and have to tell.

use std::collections::VecDeque;

use gannet_protocol::{BodyId, FileDone, Note, Status, Ticket};

use super::{
    Output,
    job::{Job, Work},
};

/// Jobs for the disk and outputs for the event loop, in the order of their coming.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    jobs: VecDeque<Job>,
    outputs: VecDeque<Output>,
}

impl Outbox {
    pub(super) fn job(&mut self, body: BodyId, work: Work) {
        self.jobs.push_back(Job { body, work });
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
        self.jobs.pop_front()
    }

    pub(super) fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}
