//! A body that is received into memory.

use std::{collections::BTreeMap, mem};

use gannet_protocol::{BLOCK_LEN, BodyId, BodyLen, Note, Status, Write};

use super::{
    Output, Progress,
    checks::{Checks, Verdict},
    job::{Outcome, Work},
    outbox::Outbox,
};
use crate::hash::Hashed;

/// The longest body that is received into memory: a listing of about five million names.
const MAX_COLLECTED: u64 = 256 << 20;

/// All bodies that are received into memory. Their tickets are given back at once: what bounds them is [`MAX_COLLECTED`].
#[derive(Debug, Default)]
pub(super) struct Collectors(BTreeMap<BodyId, Collecting>);

#[derive(Debug)]
struct Collecting {
    bytes: Vec<u8>,
    arrived: u64,
    len: Option<u64>,
    checks: Checks,
    is_over: bool,
}

impl Collectors {
    pub(super) fn add(&mut self, body: BodyId) {
        let collecting = Collecting {
            bytes: Vec::new(),
            arrived: 0,
            len: None,
            checks: Checks::new(BodyLen::Open),
            is_over: false,
        };
        self.0.insert(body, collecting);
    }

    pub(super) fn knows(&self, body: BodyId) -> bool {
        self.0.contains_key(&body)
    }

    pub(super) fn progress(&self, body: BodyId) -> Option<Progress> {
        self.0.get(&body).map(|collecting| Progress::of_all(collecting.arrived))
    }

    pub(super) fn write(&mut self, write: Write<'_>, out: &mut Outbox) {
        let Write { body, offset, data, fresh, ticket } = write;
        out.settle(ticket);
        if let Some(collecting) = self.0.get_mut(&body).filter(|one| !one.is_over) {
            match collecting.write(offset, data, fresh as u64) {
                Ok(()) => collecting.hash_if_whole(body, out),
                Err(status) => collecting.fail(body, status, out),
            }
        }
    }

    pub(super) fn note(&mut self, body: BodyId, note: Note, out: &mut Outbox) {
        if let Some(collecting) = self.0.get_mut(&body).filter(|one| !one.is_over) {
            match collecting.note(note) {
                Ok(()) => collecting.hash_if_whole(body, out),
                Err(status) => collecting.fail(body, status, out),
            }
        }
    }

    pub(super) fn on_done(&mut self, body: BodyId, outcome: Outcome, out: &mut Outbox) {
        if let Some(collecting) = self.0.get_mut(&body)
            && let Outcome::Hashed { bytes, hashes } = outcome
        {
            match collecting.check(&bytes, &hashes) {
                Ok(()) => out.tell(Output::Collected { body, bytes }),
                Err(status) => out.fail(body, status),
            }
        }
    }

    pub(super) fn forget(&mut self, body: BodyId) {
        self.0.remove(&body);
    }
}

impl Collecting {
    fn write(&mut self, offset: u64, data: &[u8], fresh: u64) -> Result<(), Status> {
        let end = offset.checked_add(data.len() as u64).ok_or(Status::TooLarge)?;
        if end > MAX_COLLECTED {
            return Err(Status::TooLarge);
        }
        let (Ok(start), Ok(end)) = (usize::try_from(offset), usize::try_from(end)) else {
            return Err(Status::TooLarge);
        };
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        if let Some(place) = self.bytes.get_mut(start..end) {
            place.copy_from_slice(data);
        }
        self.arrived += fresh;
        Ok(())
    }

    fn note(&mut self, note: Note) -> Result<(), Status> {
        match note {
            Note::Group { index, hash } => {
                self.checks.expect(index, hash).and_then(Verdict::is_right)
            }
            Note::Hole { .. } => Err(Status::Unsupported),
            Note::End(end) if !end.stable => Err(Status::Changed),
            Note::End(end) => {
                self.len = Some(end.len);
                self.checks.end(end.len).is_right()
            }
        }
    }

    /// The sender said all of it before the end, so once both are there it can be judged.
    fn hash_if_whole(&mut self, body: BodyId, out: &mut Outbox) {
        match self.len {
            Some(len) if self.arrived > len || self.bytes.len() as u64 > len => {
                self.fail(body, Status::Corrupt, out);
            }
            Some(len) if self.arrived == len => {
                self.is_over = true;
                out.job(body, Work::Hash { bytes: mem::take(&mut self.bytes) });
            }
            _ => {}
        }
    }

    fn check(&mut self, bytes: &[u8], hashes: &[Hashed]) -> Result<(), Status> {
        for ((start, block), hashed) in
            (0..).step_by(BLOCK_LEN as usize).zip(bytes.chunks(BLOCK_LEN as usize)).zip(hashes)
        {
            self.checks.add(start, block.len() as u64, *hashed).is_right()?;
        }
        self.checks.root().map(drop).ok_or(Status::Corrupt)
    }

    fn fail(&mut self, body: BodyId, status: Status, out: &mut Outbox) {
        self.is_over = true;
        self.bytes = Vec::new();
        out.fail(body, status);
    }
}
