//! A file that is received.

mod here;
mod hollow;

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    ops::Range,
};

use gannet_protocol::{
    BLOCK_LEN, BodyId, BodyLen, End, Hash, Instant, MAX_BODY, Meta, Note, Status, Ticket, Write,
};

use super::{
    Output, Progress, Received,
    basing::Basing,
    buffers::{BLOCK, Buffer, Pool},
    checks::Checks,
    holes::{Holes, Zeros},
    job::Work,
    outbox::Outbox,
    recording::Recording,
    stage::{Block, Means},
};
use crate::{
    files::{Partial, Whole},
    hash::Hashed,
};

/// Most blocks that are not whole. Every loss leaves one for as long as it takes to repair it, so this allows for 4 GiB to be
/// sent in that time; a hostile sender can make us remember as many blocks.
const MAX_BLOCKS: usize = 4096;

/// A file that is received into a partial one, and put in place once it is whole and verified.
#[derive(Debug)]
pub(super) struct Receiving {
    body: BodyId,
    meta: Meta,
    state: State,
    /// Blocks that are not written yet, by their numbers, and when they were touched last.
    blocks: BTreeMap<u64, (u64, Block)>,
    /// Bytes that came.
    arrived: u64,
    /// What was not told to the sender yet.
    ticket: Option<Ticket>,
    checks: Checks,
    /// Bytes that were there before.
    kept: u64,
    recording: Option<Recording>,
    basing: Option<Basing>,
    /// Groups that an earlier transfer had verified.
    was_kept: BTreeSet<u64>,
    /// How often groups had to come again.
    again: BTreeMap<u64, u8>,
    end: Option<End>,
    /// What the sender said need not come, unless it has to come after all.
    holes: Holes,
    /// Bytes of them.
    hollow: u64,
    /// Those that the partial file has yet to have: before it is open, and while that is being done.
    unpunched: Vec<Range<u64>>,
    punching: Holes,
    /// Groups that have to come again once that is done.
    again_then: Vec<u64>,
    zeros: Zeros,
    /// Whether groups that lie in holes altogether are hashed, too.
    hashing: Hashing,
    /// Whether the sender has begun to say what groups hash to: it has told of its holes before.
    has_begun: bool,
    /// Whether nothing is missing but for a sync to end.
    is_whole: bool,
}

#[derive(Debug)]
enum State {
    /// Its partial file is being created.
    Opening,
    Open(Partial),
    /// It is whole and verified, and its partial file is being put in place; so many of its bytes may have to be synced.
    Publishing(Received, u64),
    /// It is in place, or failed.
    Over,
}

/// Whether groups that lie in holes altogether are hashed, too: nobody needs that but to tell the hash of the whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Hashing {
    Unwanted,
    Wanted,
    Begun,
}

/// The accounts that all files that are received share.
#[derive(Debug)]
pub(super) struct Accounts {
    /// Pieces of blocks for which there was no buffer.
    pub(super) loose: Pool,
    /// Bytes on their way to the disk.
    pub(super) backlog: Pool,
}

impl Receiving {
    /// Waits for the bytes of what `meta` tells, and for [`Self::open`].
    pub(super) fn new(body: BodyId, meta: &Meta) -> Self {
        Self {
            body,
            meta: *meta,
            state: State::Opening,
            blocks: BTreeMap::new(),
            arrived: 0,
            ticket: None,
            checks: Checks::new(meta.len),
            kept: 0,
            recording: None,
            basing: None,
            was_kept: BTreeSet::new(),
            again: BTreeMap::new(),
            end: None,
            holes: Holes::default(),
            hollow: 0,
            unpunched: Vec::new(),
            punching: Holes::default(),
            again_then: Vec::new(),
            zeros: Zeros::default(),
            hashing: Hashing::Unwanted,
            has_begun: false,
            is_whole: false,
        }
    }

    /// The hash of all of it is wanted.
    pub(super) fn want_hash(&mut self) {
        self.hashing = Hashing::Wanted;
    }

    /// How far it is.
    pub(super) fn progress(&self) -> Progress {
        let all = self.arrived.saturating_add(self.kept);
        let done = match self.meta.len {
            // Some may have come before it was known that they are here.
            BodyLen::Known(len) => all.min(len),
            BodyLen::Open => all,
        };
        let unsynced = match self.state {
            State::Publishing(_, left) => Some(left),
            _ => self.unsynced().filter(|_| self.is_whole),
        };
        // The last group is shorter than it is counted.
        let unsynced = unsynced.map(|left| left.min(done));
        Progress { done, travelled: self.arrived.saturating_sub(self.hollow), unsynced }
    }

    /// Verified bytes that are not known to be durable.
    fn unsynced(&self) -> Option<u64> {
        self.recording.as_ref().map(Recording::left)
    }

    /// Whether the bytes at `offset` were there before, or are a hole's, and have to stay.
    pub(super) fn is_kept(&self, offset: u64) -> bool {
        self.checks.is_kept(offset)
            || self.holes.contains(offset)
            || self.basing.as_ref().is_some_and(|base| base.is_taken(offset))
    }

    /// Whether nothing more can come of it.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Whether a buffer is needed before bytes at `offset` can be taken, and how long it has to be.
    pub(super) fn lacks_block(&self, offset: u64) -> Option<usize> {
        let index = offset / BLOCK_LEN;
        if self.blocks.contains_key(&index) { None } else { Some(self.block_len(index)) }
    }

    /// Starts the block of `offset` with a buffer, or without if there is none.
    pub(super) fn begin(&mut self, offset: u64, buffer: Option<Buffer>, out: &mut Outbox) {
        if self.blocks.len() >= MAX_BLOCKS {
            return self.fail(Status::Overloaded, out);
        }
        let index = offset / BLOCK_LEN;
        let len = self.block_len(index) as u64;
        self.blocks.insert(index, (0, Block::new(index * BLOCK_LEN, len, buffer)));
    }

    /// Takes bytes of a block that was begun. Tells whether their ticket is the first that waits.
    pub(super) fn write(
        &mut self,
        write: Write<'_>,
        now: u64,
        accounts: &Accounts,
        out: &mut Outbox,
    ) -> bool {
        let is_first = self.keep(write.ticket, out);
        let index = write.offset / BLOCK_LEN;
        let at = (write.offset % BLOCK_LEN) as usize;
        let fresh = write.fresh as u64;
        self.arrived = self.arrived.saturating_add(fresh);
        let means = means(&self.state, accounts);
        if let Some((touched, block)) = self.blocks.get_mut(&index) {
            *touched = now;
            match block.write(at, write.data, fresh, &means) {
                Ok(()) => {
                    if let Some(work) = block.next_work(&means) {
                        out.job(self.body, work);
                    }
                }
                Err(status) => self.fail(status, out),
            }
        }
        is_first
    }

    fn keep(&mut self, ticket: Ticket, out: &mut Outbox) -> bool {
        match &mut self.ticket {
            Some(kept) => {
                if let Err(stray) = kept.merge(ticket) {
                    out.settle(stray);
                }
                false
            }
            none => {
                *none = Some(ticket);
                true
            }
        }
    }

    /// Tells the sender of the bytes that came, unless they wait for the file to be opened.
    pub(super) fn settle(&mut self, out: &mut Outbox) {
        if !matches!(self.state, State::Opening)
            && let Some(ticket) = self.ticket.take()
        {
            out.settle(ticket);
        }
    }

    /// Takes the partial file to write to, and what is in it.
    pub(super) fn open(
        &mut self,
        mut partial: Partial,
        now: Instant,
        accounts: &Accounts,
        out: &mut Outbox,
    ) {
        if !matches!(self.state, State::Opening) {
            return out.job(self.body, Work::Discard { partial, verified: Vec::new() });
        }
        self.recording = Recording::of(&partial, self.meta.len.group_len(), now);
        self.take_kept(&mut partial, out);
        self.state = State::Open(partial);
        self.make_room(out);
        mem::take(&mut self.unpunched).into_iter().for_each(|hole| self.punch(hole, out));
        if let Some(basing) = &mut self.basing {
            basing.begin(self.body, out);
            basing.groups().for_each(|index| self.take_from_base(index, out));
        }
        while let Some(index) = self.checks.wrongly_kept() {
            self.want_again(index, out);
        }
        if self.is_over() {
            return;
        }
        let means = means(&self.state, accounts);
        for (_, block) in self.blocks.values_mut() {
            if let Some(work) = block.next_work(&means) {
                out.job(self.body, work);
            }
        }
        self.publish_if_whole(out);
    }

    /// When the buffer that was touched least recently was, and in which block it is; only of those that can be given up.
    pub(super) fn oldest(&self) -> Option<(u64, u64)> {
        if !matches!(self.state, State::Open(_)) {
            return None;
        }
        let candidates = self.blocks.iter().filter(|(_, (_, block))| block.can_scatter());
        candidates.map(|(index, (touched, _))| (*touched, *index)).min()
    }

    /// Gives a block's buffer up.
    pub(super) fn scatter(&mut self, index: u64, accounts: &Accounts, out: &mut Outbox) {
        let means = means(&self.state, accounts);
        if let Some((_, block)) = self.blocks.get_mut(&index) {
            block.scatter();
            if let Some(work) = block.next_work(&means) {
                out.job(self.body, work);
            }
        }
    }

    /// Takes what the sender says.
    pub(super) fn note(&mut self, note: Note, accounts: &Accounts, out: &mut Outbox) {
        let taken = match note {
            _ if self.is_over() => return,
            Note::Group { index, hash } => self.take_group(index, hash, out),
            Note::Hole { offset, len } => self.take_hole(offset..offset.saturating_add(len), out),
            Note::End(end) => self.take_end(end, accounts, out),
        };
        match taken {
            Ok(()) => self.publish_if_whole(out),
            Err(status) => self.fail(status, out),
        }
    }

    fn take_group(&mut self, index: u64, hash: Hash, out: &mut Outbox) -> Result<(), Status> {
        self.has_begun = true;
        self.make_room(out);
        let verdict = self.checks.expect(index, hash)?;
        self.judge(verdict, out);
        self.take_from_base(index, out);
        Ok(())
    }

    fn take_end(&mut self, end: End, accounts: &Accounts, out: &mut Outbox) -> Result<(), Status> {
        if !end.stable || end.identity != self.meta.identity {
            return Err(Status::Changed);
        }
        let is_longer = self
            .blocks
            .keys()
            .next_back()
            .is_some_and(|&last| last.saturating_mul(BLOCK_LEN) >= end.len);
        match self.meta.len {
            BodyLen::Known(len) if len != end.len => return Err(Status::Changed),
            BodyLen::Open if is_longer || self.arrived > end.len => return Err(Status::Corrupt),
            _ => self.end = Some(end),
        }
        if self.meta.len == BodyLen::Open {
            let verdict = self.checks.end(end.len);
            self.judge(verdict, out);
            let index = end.len / BLOCK_LEN;
            if let Some((_, block)) = self.blocks.get_mut(&index) {
                block.settle_len(end.len % BLOCK_LEN);
                if let Some(work) = block.next_work(&means(&self.state, accounts)) {
                    out.job(self.body, work);
                }
            }
        }
        Ok(())
    }

    /// Takes note that the block at `start` is written.
    pub(super) fn on_written(
        &mut self,
        start: u64,
        len: u64,
        hashed: Result<Hashed, Status>,
        out: &mut Outbox,
    ) {
        if self.is_over() {
            return;
        }
        self.blocks.remove(&(start / BLOCK_LEN));
        match hashed {
            // It came before it was known that it is here.
            Ok(_) if self.is_kept(start) => {}
            Ok(hashed) => {
                let verdict = self.checks.add(start, len, hashed);
                self.judge(verdict, out);
                self.publish_if_whole(out);
            }
            Err(status) => self.fail(status, out),
        }
    }

    /// Takes note that pieces of the block at `start` are written.
    pub(super) fn on_pieces_written(
        &mut self,
        start: u64,
        written: Result<(), Status>,
        accounts: &Accounts,
        out: &mut Outbox,
    ) {
        if let Err(status) = written {
            return self.fail(status, out);
        }
        let means = means(&self.state, accounts);
        if let Some((_, block)) = self.blocks.get_mut(&(start / BLOCK_LEN)) {
            block.on_pieces_written();
            if let Some(work) = block.next_work(&means) {
                out.job(self.body, work);
            }
        }
    }

    fn publish_if_whole(&mut self, out: &mut Outbox) {
        let Some(end) = self.end else { return };
        if !matches!(self.state, State::Open(_)) || !self.punching.is_empty() {
            return;
        }
        let is_settled = self.has_hashed_holes(out) && self.may_replace(end.len, out);
        if !is_settled || !self.checks.is_whole() {
            return;
        }
        // The system tells only once that a sync has failed: not to two that run side by side.
        if self.recording.as_ref().is_some_and(Recording::is_syncing) {
            self.is_whole = true;
            return;
        }
        let (hash, kept, holes) = (self.checks.root(), self.kept, self.skipped());
        let received = Received { len: end.len, hash, kept, holes, unchanged: false };
        let publishing = State::Publishing(received, self.unsynced().unwrap_or(end.len));
        if let State::Open(partial) = mem::replace(&mut self.state, publishing) {
            self.recording = None;
            let (mode, modified) = (self.meta.mode, self.meta.modified);
            out.publish(self.body, Whole { partial, len: end.len, mode, modified }, end.len);
        }
    }

    /// Takes note that the file is in place.
    pub(super) fn on_published(&mut self, published: Result<(), Status>, out: &mut Outbox) {
        let State::Publishing(received, _) = self.state else { return };
        match published {
            Ok(()) => {
                self.state = State::Over;
                out.tell(Output::Stored { body: self.body, received });
            }
            Err(status) => self.fail(status, out),
        }
    }

    /// Gives it up, unless it is over, and tells why.
    pub(super) fn fail(&mut self, status: Status, out: &mut Outbox) {
        if !self.is_over() {
            self.end_all(out);
            out.fail(self.body, status);
        }
    }

    /// Lets go of all that it holds.
    pub(super) fn end_all(&mut self, out: &mut Outbox) {
        let verified = self.recording.take().map(|mut recording| recording.take());
        if let State::Open(partial) = mem::replace(&mut self.state, State::Over) {
            let verified = verified.unwrap_or_default();
            out.job(self.body, Work::Discard { partial, verified });
        }
        self.blocks.clear();
        self.settle(out);
    }

    /// Bytes of a block, as far as that is known.
    fn block_len(&self, index: u64) -> usize {
        let len = match (self.meta.len, self.end) {
            (BodyLen::Known(len), _) => len,
            (BodyLen::Open, Some(end)) => end.len,
            (BodyLen::Open, None) => MAX_BODY,
        };
        let rest = len.saturating_sub(index.saturating_mul(BLOCK_LEN));
        usize::try_from(rest).unwrap_or(BLOCK).min(BLOCK)
    }
}

fn means<'a>(state: &'a State, accounts: &'a Accounts) -> Means<'a> {
    let file = match state {
        State::Open(partial) => Some(partial.file()),
        _ => None,
    };
    Means { file, loose: &accounts.loose, backlog: &accounts.backlog }
}
