//! What is here of a file that is received: from before, or to be kept for later.

use std::ops::Range;

use gannet_protocol::{BLOCK_LEN, BodyLen, Have, Held, Instant, MAX_AGAIN, Status, Version};

use super::{Receiving, State};
use crate::{
    files::Partial,
    transfer::{
        Output, Received,
        basing::{Basing, HashedBase},
        checks::Verdict,
        job::Copied,
        outbox::Outbox,
        twin::Compared,
    },
};

impl Receiving {
    /// Takes what is there already, and tells the sender.
    pub(super) fn take_kept(&mut self, partial: &mut Partial, out: &mut Outbox) {
        let BodyLen::Known(len) = self.meta.len else { return };
        if let Some(base) = partial.take_base() {
            let version = Version { len, modified: self.meta.modified };
            self.basing = Some(Basing::new(base, partial.file(), version));
            return;
        }
        self.kept = partial.kept().keys().map(|index| self.bytes_of(*index)).sum();
        self.checks.keep(partial.kept());
        self.was_kept = partial.kept().keys().copied().collect();
        let checks = &self.checks;
        self.blocks.retain(|index, _| !checks.is_kept(index.saturating_mul(BLOCK_LEN)));
        let identity = self.meta.identity;
        let groups = partial.kept().keys().map(|&index| index..index.saturating_add(1));
        let held = match partial.kept().is_empty() {
            true => Held::Nothing,
            false => Held::Groups(Have { identity, groups: groups.collect() }),
        };
        out.tell(Output::Held { body: self.body, held });
    }

    /// Which bytes a group has.
    fn range_of(&self, index: u64) -> Range<u64> {
        let start = index.saturating_mul(self.meta.len.group_len());
        start..start.saturating_add(self.bytes_of(index))
    }

    /// Bytes of a group.
    fn bytes_of(&self, index: u64) -> u64 {
        let group_len = self.meta.len.group_len();
        match self.meta.len {
            BodyLen::Known(len) => {
                len.saturating_sub(index.saturating_mul(group_len)).min(group_len)
            }
            BodyLen::Open => group_len,
        }
    }

    /// Takes a group from the file's former state, if it is the same there.
    pub(super) fn take_from_base(&mut self, index: u64, out: &mut Outbox) {
        if self.punching.touches(&self.range_of(index)) {
            return;
        }
        if let (State::Open(partial), Some(basing)) = (&self.state, &mut self.basing)
            && let Some(expected) = self.checks.expected(index)
            && let Some(range) = basing.take(self.body, index, expected, partial.file(), out)
        {
            self.kept = self.kept.saturating_add(range.end.saturating_sub(range.start));
            self.checks.restart(index);
            self.blocks.retain(|block, _| !range.contains(&block.saturating_mul(BLOCK_LEN)));
        }
    }

    /// Takes note of what a group of the file's former state hashes to.
    pub(in crate::transfer) fn on_base_hashed(
        &mut self,
        index: u64,
        hashed: Option<HashedBase>,
        out: &mut Outbox,
    ) {
        if self.is_over() {
            return;
        }
        if let Some(basing) = &mut self.basing {
            basing.on_hashed(self.body, index, hashed, out);
        }
        self.take_from_base(index, out);
        self.publish_if_whole(out);
    }

    /// Whether what stands under the name is another file, and the sender was told all that is of use of it. If it is the very
    /// one that was to be received, it is left, and this is over. Called once the sender has said all.
    pub(super) fn may_replace(&mut self, len: u64, out: &mut Outbox) -> bool {
        let (State::Open(partial), Some(basing)) = (&self.state, &mut self.basing) else {
            return true;
        };
        if !basing.is_told() {
            return false;
        }
        match basing.twin().map_or(Compared::Other, |twin| twin.compare()) {
            Compared::Other => {
                basing.part(self.body, partial.file(), out);
                true
            }
            Compared::Same(hash) => {
                self.kept = len;
                self.end_all(out);
                let received = Received { len, hash, kept: len, holes: 0, unchanged: true };
                out.tell(Output::Stored { body: self.body, received });
                false
            }
        }
    }

    /// Takes note that a group was taken from the file's former state.
    pub(in crate::transfer) fn on_copied(
        &mut self,
        index: u64,
        copied: &Result<Vec<Copied>, Status>,
        out: &mut Outbox,
    ) {
        if self.is_over() {
            return;
        }
        match copied {
            Ok(blocks) => {
                for &Copied { start, len, hashed } in blocks {
                    let verdict = self.checks.add(start, len, hashed);
                    self.judge(verdict, out);
                }
                self.publish_if_whole(out);
            }
            // It has become shorter.
            Err(Status::Changed) => self.want_again(index, out),
            Err(status) => self.fail(*status, out),
        }
    }

    /// Takes what is known of a group now.
    pub(super) fn judge(&mut self, verdict: Verdict, out: &mut Outbox) {
        match verdict {
            Verdict::Open => {}
            Verdict::Right(group) => {
                if let Some(recording) = &mut self.recording {
                    recording.add(group);
                }
            }
            Verdict::Wrong(index) => self.want_again(index, out),
        }
    }

    /// Has a group come again that is not what it must be, unless it did so too often.
    pub(super) fn want_again(&mut self, index: u64, out: &mut Outbox) {
        let range = self.range_of(index);
        if self.punching.touches(&range) {
            return self.again_then.push(index);
        }
        // Its holes come as zeros.
        self.holes.remove(&range);
        let count = self.again.entry(index).or_default();
        *count = count.saturating_add(1);
        if *count > MAX_AGAIN {
            return self.fail(Status::Corrupt, out);
        }
        let bytes = self.bytes_of(index);
        let was_taken = self.basing.as_mut().is_some_and(|basing| basing.give_up(index));
        if was_taken || self.was_kept.remove(&index) {
            self.kept = self.kept.saturating_sub(bytes);
        } else {
            self.arrived = self.arrived.saturating_sub(bytes);
        }
        out.tell(Output::Held { body: self.body, held: Held::Again(index) });
    }

    /// Has written down, and made durable, what is due.
    pub(in crate::transfer) fn record(&mut self, now: Instant, out: &mut Outbox) {
        if let Some(recording) = &mut self.recording {
            recording.advance(self.body, now, out);
        }
    }

    /// Takes note that groups are written down.
    pub(in crate::transfer) fn on_recorded(&mut self) {
        if let Some(recording) = &mut self.recording {
            recording.on_recorded();
        }
    }

    /// Takes note that what was written is durable, or may be lost.
    pub(in crate::transfer) fn on_synced(&mut self, synced: Result<(), Status>, out: &mut Outbox) {
        let Some(recording) = &mut self.recording else { return };
        recording.on_synced();
        if let Err(status) = synced {
            // What is not written down yet may be lost, too.
            recording.take();
            self.fail(status, out);
        }
        self.publish_if_whole(out);
    }
}
