//! Groups of a file's former state that may be those of the new one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    ops::Range,
    sync::Arc,
};

use gannet_protocol::{BodyId, BodyLen, Hash, Held, MAX_HASHES, Version};

use super::{Output, job::Work, outbox::Outbox, twin::Twin};
use crate::files::Base;

/// What a group of a file's former state hashes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct HashedBase {
    pub(super) hash: Hash,
    /// As a body of its own, if it is one block from the start.
    pub(super) whole: Option<Hash>,
}

/// Tells the sender what groups of a file's former state hash to, and takes those from there that are still the same.
#[derive(Debug)]
pub(super) struct Basing {
    file: Arc<File>,
    /// Whether it is the partial file itself.
    is_here: bool,
    len: u64,
    group_len: u64,
    /// Bytes of the former state that can be of use.
    end: u64,
    /// What its groups hash to, as far as that is known.
    hashes: BTreeMap<u64, Hash>,
    /// Whether the sender was told all of them.
    is_told: bool,
    /// Those that are taken from it.
    taken: BTreeSet<u64>,
    /// While it may be the very file that is received: nothing is copied until it is known not to be.
    twin: Option<Twin>,
}

impl Basing {
    /// Of a body of this version whose partial file is `partial`.
    pub(super) fn new(base: Base, partial: &Arc<File>, version: Version) -> Self {
        let len = version.len;
        let group_len = BodyLen::Known(len).group_len();
        let (file, is_here, end, hashes, twin) = match base {
            Base::Here(hashes) => (Arc::clone(partial), true, 0, hashes, None),
            // The last group of either is shorter than the others.
            Base::Target(file, before) if before.len == len => {
                let twin = (before == version).then(|| Twin::new(len));
                (file, false, len, BTreeMap::new(), twin)
            }
            Base::Target(file, before) => {
                let end = before.len.min(len);
                (file, false, end - end % group_len, BTreeMap::new(), None)
            }
        };
        let (is_told, taken) = (false, BTreeSet::new());
        Self { file, is_here, len, group_len, end, hashes, is_told, taken, twin }
    }

    /// Tells what is known, or has it found out.
    pub(super) fn begin(&mut self, body: BodyId, out: &mut Outbox) {
        if !self.is_here {
            return self.hash(body, 0, out);
        }
        let mut waiting = self.hashes.iter().peekable();
        while let Some((&first, &hash)) = waiting.next() {
            let mut hashes = vec![hash];
            while hashes.len() < MAX_HASHES
                && let next = first.saturating_add(hashes.len() as u64)
                && let Some((_, hash)) = waiting.next_if(|(index, _)| **index == next)
            {
                hashes.push(*hash);
            }
            out.tell(Output::Held { body, held: Held::Hashes { first, hashes } });
        }
        self.conclude(body, out);
    }

    fn conclude(&mut self, body: BodyId, out: &mut Outbox) {
        self.is_told = true;
        out.tell(Output::Held { body, held: Held::Nothing });
    }

    /// Whether the sender was told all that there is: it waits for that.
    pub(super) fn is_told(&self) -> bool {
        self.is_told
    }

    /// Has a group hashed, if there is one.
    fn hash(&mut self, body: BodyId, index: u64, out: &mut Outbox) {
        let range = self.range(index);
        if range.start >= self.end {
            return self.conclude(body, out);
        }
        out.job(body, Work::HashBase { file: Arc::clone(&self.file), index, range });
    }

    /// Takes what a group hashes to.
    pub(super) fn on_hashed(
        &mut self,
        body: BodyId,
        index: u64,
        hashed: Option<HashedBase>,
        out: &mut Outbox,
    ) {
        if let Some(HashedBase { hash, whole }) = hashed {
            self.hashes.insert(index, hash);
            if let Some(twin) = &mut self.twin {
                twin.add_base(index, hash, whole);
            }
            let held = Held::Hashes { first: index, hashes: vec![hash] };
            out.tell(Output::Held { body, held });
        }
        self.hash(body, index.saturating_add(1), out);
    }

    /// The groups whose hashes are known.
    pub(super) fn groups(&self) -> impl Iterator<Item = u64> + use<> {
        self.hashes.keys().copied().collect::<Vec<_>>().into_iter()
    }

    /// Takes a group, if it is what the sender says. It tells its bytes.
    pub(super) fn take(
        &mut self,
        body: BodyId,
        index: u64,
        expected: Hash,
        partial: &Arc<File>,
        out: &mut Outbox,
    ) -> Option<Range<u64>> {
        if *self.hashes.get(&index)? != expected {
            self.part(body, partial, out);
            return None;
        }
        if !self.taken.insert(index) {
            return None;
        }
        let range = self.range(index);
        match &mut self.twin {
            Some(twin) => twin.add(index, expected),
            None => self.copy(body, index, partial, out),
        }
        out.tell(Output::Keep { body, range: range.clone() });
        Some(range)
    }

    fn copy(&self, body: BodyId, index: u64, partial: &Arc<File>, out: &mut Outbox) {
        let to = (!self.is_here).then(|| Arc::clone(partial));
        let (from, range) = (Arc::clone(&self.file), self.range(index));
        out.job(body, Work::Copy { from, to, index, range });
    }

    /// While it may be the very file that is received: what is known of that.
    pub(super) fn twin(&mut self) -> Option<&mut Twin> {
        self.twin.as_mut()
    }

    /// It is not: what is taken from it has to be copied.
    pub(super) fn part(&mut self, body: BodyId, partial: &Arc<File>, out: &mut Outbox) {
        if self.twin.take().is_some() {
            self.taken.iter().for_each(|index| self.copy(body, *index, partial, out));
        }
    }

    /// Whether the bytes at `offset` are taken from it.
    pub(super) fn is_taken(&self, offset: u64) -> bool {
        self.taken.contains(&(offset / self.group_len))
    }

    /// A group is not what it was, after all: it has to come from the sender.
    pub(super) fn give_up(&mut self, index: u64) -> bool {
        self.hashes.remove(&index);
        self.taken.remove(&index)
    }

    fn range(&self, index: u64) -> Range<u64> {
        let start = index.saturating_mul(self.group_len).min(self.len);
        start..start.saturating_add(self.group_len).min(self.len)
    }
}
