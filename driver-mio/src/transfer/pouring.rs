//! Files that are received into what can be written only once and in order, such as a pipe.

use std::{collections::BTreeMap, ops::Range};

use gannet_protocol::{BLOCK_LEN, BodyId, BodyLen, End, Meta, Note, Status, Ticket, Write};

use super::{
    Output, Progress, Received,
    checks::Checks,
    holes::Holes,
    job::{Group, Poured, Sink, Work},
    outbox::Outbox,
};

/// Bytes of groups that wait before their sender has to: the next group and the one that is being written have room in any case.
const LEAST_HELD: u64 = 4 << 20;
/// The longest group that is held in memory: that of a file of 1 TiB.
const MAX_GROUP: u64 = 64 << 20;
/// Most blocks beyond those that are held by right: the sender's window, each in a block of its own.
const MAX_SPARE_BLOCKS: u64 = 256;

/// All files that are received so.
#[derive(Debug, Default)]
pub(super) struct Pourings(BTreeMap<BodyId, Pouring>);

/// A file whose groups are written in order, each when it is whole and verified.
#[derive(Debug)]
struct Pouring {
    body: BodyId,
    meta: Meta,
    group_len: u64,
    /// Nothing while it is being written to, and once all is over.
    sink: Option<Sink>,
    /// Blocks of groups that are not being written yet, and how much of each arrived.
    blocks: BTreeMap<u64, (Vec<u8>, u64)>,
    /// The group that is written next.
    next: u64,
    /// Bytes in memory.
    held: u64,
    arrived: u64,
    ticket: Option<Ticket>,
    checks: Checks,
    holes: Holes,
    end: Option<End>,
    is_over: bool,
}

impl Pourings {
    /// Starts to receive what `meta` tells into `sink`.
    pub(super) fn add(&mut self, body: BodyId, meta: &Meta, sink: Sink, out: &mut Outbox) {
        let mut pouring = Pouring {
            body,
            meta: *meta,
            group_len: meta.len.group_len(),
            sink: Some(sink),
            blocks: BTreeMap::new(),
            next: 0,
            held: 0,
            arrived: 0,
            ticket: None,
            checks: Checks::new(meta.len),
            holes: Holes::default(),
            end: None,
            is_over: false,
        };
        if pouring.group_len > MAX_GROUP {
            pouring.fail(Status::TooLarge, out);
        }
        self.0.insert(body, pouring);
    }

    pub(super) fn knows(&self, body: BodyId) -> bool {
        self.0.contains_key(&body)
    }

    pub(super) fn progress(&self, body: BodyId) -> Option<Progress> {
        self.0.get(&body).map(Pouring::progress)
    }

    pub(super) fn write(&mut self, write: Write<'_>, out: &mut Outbox) {
        match self.0.get_mut(&write.body).filter(|pouring| !pouring.is_over) {
            Some(pouring) => pouring.write(write, out),
            None => out.settle(write.ticket),
        }
    }

    pub(super) fn note(&mut self, body: BodyId, note: Note, out: &mut Outbox) {
        if let Some(pouring) = self.0.get_mut(&body).filter(|pouring| !pouring.is_over) {
            match pouring.note(note) {
                Ok(()) => pouring.pour(out),
                Err(status) => pouring.fail(status, out),
            }
        }
    }

    pub(super) fn on_done(
        &mut self,
        body: BodyId,
        poured: Result<Poured, Status>,
        out: &mut Outbox,
    ) {
        if let Some(pouring) = self.0.get_mut(&body).filter(|pouring| !pouring.is_over) {
            match poured.and_then(|poured| pouring.on_poured(poured)) {
                Ok(()) => pouring.pour(out),
                Err(status) => pouring.fail(status, out),
            }
        }
    }

    pub(super) fn on_drained(
        &mut self,
        body: BodyId,
        drained: Result<(), Status>,
        out: &mut Outbox,
    ) {
        if let Some(pouring) = self.0.get_mut(&body).filter(|pouring| !pouring.is_over) {
            match drained {
                Ok(()) => pouring.finish(out),
                Err(status) => pouring.fail(status, out),
            }
        }
    }

    /// Gives back the tickets of what came, unless what is written is behind: then its senders have to wait.
    pub(super) fn settle(&mut self, out: &mut Outbox) {
        self.0.values_mut().for_each(|pouring| pouring.settle(out));
    }

    pub(super) fn forget(&mut self, body: BodyId, out: &mut Outbox) {
        if let Some(mut pouring) = self.0.remove(&body) {
            pouring.end_all(out);
        }
    }
}

impl Pouring {
    fn progress(&self) -> Progress {
        let travelled = self.arrived.saturating_sub(self.holes.bytes());
        Progress { done: self.arrived, travelled, unsynced: None }
    }

    fn write(&mut self, write: Write<'_>, out: &mut Outbox) {
        let Write { offset, data, fresh, ticket, .. } = write;
        match &mut self.ticket {
            Some(kept) => {
                if let Err(stray) = kept.merge(ticket) {
                    out.settle(stray);
                }
            }
            none => *none = Some(ticket),
        }
        // What is not new may belong to a group that was written already.
        if fresh > 0 {
            match self.keep(offset, data, fresh as u64) {
                Ok(()) => self.pour(out),
                Err(status) => self.fail(status, out),
            }
        }
    }

    fn keep(&mut self, offset: u64, data: &[u8], fresh: u64) -> Result<(), Status> {
        let index = offset / BLOCK_LEN;
        if self.is_poured(offset) {
            return Err(Status::Corrupt);
        }
        let len = self.block_len(index);
        if !self.blocks.contains_key(&index) {
            let by_right = 2 * (self.group_len / BLOCK_LEN).max(1) + LEAST_HELD / BLOCK_LEN;
            if self.blocks.len() as u64 >= by_right + MAX_SPARE_BLOCKS {
                return Err(Status::Overloaded);
            }
            let len = usize::try_from(len).map_err(|_| Status::TooLarge)?;
            self.blocks.insert(index, (vec![0; len], 0));
        }
        let at = usize::try_from(offset % BLOCK_LEN).map_err(|_| Status::TooLarge)?;
        let Some((bytes, arrived)) = self.blocks.get_mut(&index) else { return Ok(()) };
        let end = at.checked_add(data.len()).ok_or(Status::Corrupt)?;
        bytes.get_mut(at..end).ok_or(Status::Corrupt)?.copy_from_slice(data);
        *arrived = arrived.saturating_add(fresh);
        self.arrived = self.arrived.saturating_add(fresh);
        self.held = self.held.saturating_add(fresh);
        Ok(())
    }

    fn is_poured(&self, offset: u64) -> bool {
        offset / self.group_len < self.next
    }

    fn note(&mut self, note: Note) -> Result<(), Status> {
        match note {
            Note::Group { index, hash } => self.checks.expect(index, hash)?.is_right(),
            Note::Hole { offset, len } => self.take_hole(offset..offset.saturating_add(len)),
            Note::End(end) if !end.stable || end.identity != self.meta.identity => {
                Err(Status::Changed)
            }
            Note::End(end) => match self.meta.len {
                BodyLen::Known(len) if len != end.len => Err(Status::Changed),
                BodyLen::Known(_) => {
                    self.end = Some(end);
                    Ok(())
                }
                BodyLen::Open => self.settle_len(end),
            },
        }
    }

    /// Takes a hole: its zeros are written on when it is their turn.
    fn take_hole(&mut self, hole: Range<u64>) -> Result<(), Status> {
        self.checks.hole(hole.clone())?;
        let blocks = hole.start / BLOCK_LEN..hole.end.div_ceil(BLOCK_LEN);
        self.blocks.retain(|index, (_, arrived)| {
            let stays = !blocks.contains(index);
            if !stays {
                self.held = self.held.saturating_sub(*arrived);
            }
            stays
        });
        self.arrived = self.arrived.saturating_add(hole.end.saturating_sub(hole.start));
        self.holes.add(hole);
        Ok(())
    }

    /// Takes the end of a body of open length.
    fn settle_len(&mut self, end: End) -> Result<(), Status> {
        self.end = Some(end);
        self.checks.end(end.len).is_right()?;
        let beyond = self.blocks.keys().next_back().is_some_and(|&last| self.block_len(last) == 0);
        if beyond || self.arrived > end.len {
            return Err(Status::Corrupt);
        }
        let last = end.len / BLOCK_LEN;
        let len = usize::try_from(self.block_len(last)).unwrap_or(usize::MAX);
        if let Some((bytes, _)) = self.blocks.get_mut(&last) {
            bytes.truncate(len);
        }
        Ok(())
    }

    /// Bytes of a block, as far as that is known.
    fn block_len(&self, index: u64) -> u64 {
        let rest = self.len().map(|len| len.saturating_sub(index.saturating_mul(BLOCK_LEN)));
        rest.unwrap_or(BLOCK_LEN).min(BLOCK_LEN)
    }

    fn len(&self) -> Option<u64> {
        match self.meta.len {
            BodyLen::Known(len) => Some(len),
            BodyLen::Open => self.end.map(|end| end.len),
        }
    }

    /// Writes the next group if it is here and its hash was told, or ends when all is written.
    fn pour(&mut self, out: &mut Outbox) {
        if self.sink.is_none() {
            return;
        }
        let start = self.next.saturating_mul(self.group_len);
        if self.end.is_some_and(|end| start >= end.len) {
            if self.checks.is_whole()
                && let Some(sink) = self.sink.take()
            {
                out.job(self.body, Work::Drain { sink });
            }
            return;
        }
        if self.checks.is_hollow(self.next) {
            return self.pour_zeros(out);
        }
        let Some(expected) = self.checks.told(self.next) else {
            // All hashes are told before the end.
            if self.end.is_some() {
                self.fail(Status::Corrupt, out);
            }
            return;
        };
        let end = start.saturating_add(self.group_len).min(self.len().unwrap_or(u64::MAX));
        let range = start / BLOCK_LEN..end.div_ceil(BLOCK_LEN);
        let is_whole = |(bytes, arrived): &(Vec<u8>, u64)| *arrived == bytes.len() as u64;
        let is_hole = |index: u64| self.holes.contains(index.saturating_mul(BLOCK_LEN));
        let is_here = |index| is_hole(index) || self.blocks.get(&index).is_some_and(is_whole);
        if !range.clone().all(is_here) {
            return;
        }
        if let Some(sink) = self.sink.take() {
            let blocks = range.filter_map(|index| self.take_block(index)).collect();
            let group = Group { index: self.next, len: self.group_len, expected, blocks };
            self.next += 1;
            out.job(self.body, Work::Pour { sink, group });
        }
    }

    /// The bytes of a block that is here, or of a hole.
    fn take_block(&mut self, index: u64) -> Option<Vec<u8>> {
        if self.holes.contains(index.saturating_mul(BLOCK_LEN)) {
            let len = self.block_len(index);
            self.held = self.held.saturating_add(len);
            return Some(vec![0; usize::try_from(len).ok()?]);
        }
        Some(self.blocks.remove(&index)?.0)
    }

    /// Writes a group that is all hole.
    fn pour_zeros(&mut self, out: &mut Outbox) {
        let start = self.next.saturating_mul(self.group_len);
        let len = self.len().unwrap_or(start).saturating_sub(start).min(self.group_len);
        if let Some(sink) = self.sink.take() {
            self.next += 1;
            out.job(self.body, Work::PourZeros { sink, len });
        }
    }

    fn on_poured(&mut self, poured: Poured) -> Result<(), Status> {
        self.sink = Some(poured.sink);
        for (start, len, hashed) in poured.pieces {
            self.held = self.held.saturating_sub(len);
            self.checks.add(start, len, hashed).is_right()?;
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Outbox) {
        if let Some(end) = self.end.filter(|_| self.checks.is_whole()) {
            let hash = self.checks.root();
            self.end_all(out);
            let (len, holes) = (end.len, self.holes.bytes());
            let received = Received { len, hash, kept: 0, holes, unchanged: false };
            out.tell(Output::Stored { body: self.body, received });
        }
    }

    fn settle(&mut self, out: &mut Outbox) {
        let bound = LEAST_HELD.max(2 * self.group_len);
        if self.held <= bound
            && let Some(ticket) = self.ticket.take()
        {
            out.settle(ticket);
        }
    }

    fn fail(&mut self, status: Status, out: &mut Outbox) {
        self.end_all(out);
        out.fail(self.body, status);
    }

    fn end_all(&mut self, out: &mut Outbox) {
        self.is_over = true;
        self.blocks.clear();
        self.held = 0;
        self.sink = None;
        if let Some(ticket) = self.ticket.take() {
            out.settle(ticket);
        }
    }
}
