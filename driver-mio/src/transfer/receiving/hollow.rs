//! Holes of a file that is received.

use std::{ops::Range, sync::Arc};

use gannet_protocol::{BodyLen, Status};

use super::{Hashing, Receiving, State};
use crate::{
    hash::{GroupHash, Hashed},
    transfer::{
        basing::Basing,
        holes::hashed_parts,
        job::{Copied, Work},
        outbox::Outbox,
    },
};

/// Most bytes in holes that are hashed by wish, 256 GiB: a few minutes of one core. Who asks may be a stranger, and the hash of
/// zeros cannot be known beforehand: BLAKE3 counts the chunks.
const MAX_HASHED_HOLES: u64 = 256 << 30;

impl Receiving {
    /// Takes a hole. Of groups that lie in it altogether nothing else is needed; of others its zeros count as if they had come.
    pub(super) fn take_hole(&mut self, hole: Range<u64>, out: &mut Outbox) -> Result<(), Status> {
        self.checks.hole(hole.clone())?;
        let len = hole.end.saturating_sub(hole.start);
        self.arrived = self.arrived.saturating_add(len);
        self.hollow = self.hollow.saturating_add(len);
        self.holes.add(hole.clone());
        let holes = &self.holes;
        self.blocks.retain(|index, _| !holes.contains(index.saturating_mul(super::BLOCK_LEN)));
        self.punch(hole, out);
        Ok(())
    }

    /// Has the partial file have a hole, whatever stood there.
    pub(super) fn punch(&mut self, range: Range<u64>, out: &mut Outbox) {
        let State::Open(partial) = &self.state else { return self.unpunched.push(range) };
        let file = Arc::clone(partial.file());
        self.punching.add(range.clone());
        out.job(self.body, Work::Punch { file, range });
    }

    /// Takes note that it has.
    pub(in crate::transfer) fn on_punched(
        &mut self,
        range: &Range<u64>,
        punched: Result<(), Status>,
        out: &mut Outbox,
    ) {
        let BodyLen::Known(len) = self.meta.len else { return };
        if self.is_over() {
            return;
        }
        if let Err(status) = punched {
            return self.fail(status, out);
        }
        self.punching.remove(range);
        for part in hashed_parts(range, len) {
            let index = part.start / self.meta.len.group_len();
            if !self.checks.is_hollow(index) {
                self.zeros.add(part);
            }
            self.take_from_base(index, out);
        }
        let waiting = std::mem::take(&mut self.again_then);
        waiting.into_iter().for_each(|index| self.want_again(index, out));
        self.hash_zeros(out);
        self.publish_if_whole(out);
    }

    fn hash_zeros(&mut self, out: &mut Outbox) {
        if let Some(range) = self.zeros.next() {
            out.job(self.body, Work::Zeros { range });
        }
    }

    /// Takes what zeros of holes hash to.
    pub(in crate::transfer) fn on_zeros(&mut self, blocks: &[Copied], out: &mut Outbox) {
        self.zeros.on_hashed();
        for &Copied { start, len, hashed } in blocks {
            if self.is_over() {
                return;
            }
            if self.hashing == Hashing::Begun && self.take_hollow(start, len, hashed) {
                continue;
            }
            // It may have become known that they are here from before, or have to come after all.
            let is_taken = self.basing.as_ref().is_some_and(|basing| basing.is_taken(start));
            if self.holes.contains(start) && !self.checks.is_kept(start) && !is_taken {
                let verdict = self.checks.add(start, len, hashed);
                self.judge(verdict, out);
            }
        }
        self.hash_zeros(out);
        self.publish_if_whole(out);
    }

    /// Takes what zeros hash to of a group that lies in a hole altogether; false if it does not.
    fn take_hollow(&mut self, start: u64, len: u64, hashed: Hashed) -> bool {
        if !self.checks.is_hollow(start / self.meta.len.group_len()) {
            return false;
        }
        if let Some(GroupHash { index, hash }) = self.checks.add_hollow(start, len, hashed)
            && let Some(twin) = self.basing.as_mut().and_then(Basing::twin)
        {
            twin.add(index, hash);
        }
        true
    }

    /// Whether groups that lie in holes altogether are hashed as far as they have to be. Called once all holes are told.
    pub(super) fn has_hashed_holes(&mut self, out: &mut Outbox) -> bool {
        let BodyLen::Known(len) = self.meta.len else { return true };
        if self.hashing == Hashing::Wanted && self.zeros.is_done() {
            let hollow = self.checks.hollow(len);
            let bytes = hollow.iter().map(|range| range.end.saturating_sub(range.start)).sum();
            self.hashing = if (1..=MAX_HASHED_HOLES).contains(&bytes) {
                hollow.into_iter().for_each(|range| self.zeros.add(range));
                self.hash_zeros(out);
                Hashing::Begun
            } else {
                Hashing::Unwanted
            };
        }
        match self.hashing {
            Hashing::Unwanted => true,
            Hashing::Wanted => false,
            Hashing::Begun => self.zeros.is_done(),
        }
    }

    /// Bytes of holes that neither came nor were there before.
    pub(super) fn skipped(&self) -> u64 {
        let BodyLen::Known(len) = self.meta.len else { return 0 };
        let is_here = |part: &Range<u64>| {
            let is_taken = |basing: &Basing| basing.is_taken(part.start);
            self.checks.is_kept(part.start) || self.basing.as_ref().is_some_and(is_taken)
        };
        // Groups that lie in a hole altogether are never taken from what was here.
        let parts = self.holes.ranges().iter().flat_map(|hole| hashed_parts(hole, len));
        let here = parts.filter(is_here).map(|part| part.end.saturating_sub(part.start)).sum();
        self.holes.bytes().saturating_sub(here)
    }

    /// Sees that there is room for all but the holes, which the sender tells first.
    pub(super) fn make_room(&mut self, out: &mut Outbox) {
        if let State::Open(partial) = &mut self.state
            && self.has_begun
            && let Some(room) = partial.take_room()
        {
            out.job(self.body, Work::MakeRoom { room, holes: self.hollow });
        }
    }

    /// Takes note whether there is.
    pub(in crate::transfer) fn on_room(&mut self, made: Result<(), Status>, out: &mut Outbox) {
        if let (State::Open(_), Err(status)) = (&self.state, made) {
            self.fail(status, out);
        }
    }
}
