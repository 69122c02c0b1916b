//! Groups of a file's former state that may be those of the new one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    ops::Range,
    sync::Arc,
};

use gannet_protocol::{BodyId, BodyLen, Hash, Held, MAX_HASHES};

use super::{Output, job::Work, outbox::Outbox};
use crate::files::Base;

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
    /// Those that are taken from it.
    taken: BTreeSet<u64>,
}

impl Basing {
    /// Of a body of `len` bytes whose partial file is `partial`.
    pub(super) fn new(base: Base, partial: &Arc<File>, len: u64) -> Self {
        let group_len = BodyLen::Known(len).group_len();
        let (file, is_here, end, hashes) = match base {
            Base::Here(hashes) => (Arc::clone(partial), true, 0, hashes),
            // The last group of either is shorter than the others.
            Base::Target(file, before) if before == len => (file, false, len, BTreeMap::new()),
            Base::Target(file, before) => {
                let end = before.min(len);
                (file, false, end - end % group_len, BTreeMap::new())
            }
        };
        Self { file, is_here, len, group_len, end, hashes, taken: BTreeSet::new() }
    }

    /// Tells what is known, or has it found out.
    pub(super) fn begin(&self, body: BodyId, out: &mut Outbox) {
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
        out.tell(Output::Held { body, held: Held::Nothing });
    }

    /// Has a group hashed, if there is one.
    fn hash(&self, body: BodyId, index: u64, out: &mut Outbox) {
        let range = self.range(index);
        if range.start >= self.end {
            return out.tell(Output::Held { body, held: Held::Nothing });
        }
        out.job(body, Work::HashBase { file: Arc::clone(&self.file), index, range });
    }

    /// Takes what a group hashes to.
    pub(super) fn on_hashed(
        &mut self,
        body: BodyId,
        index: u64,
        hash: Option<Hash>,
        out: &mut Outbox,
    ) {
        if let Some(hash) = hash {
            self.hashes.insert(index, hash);
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
        if self.hashes.get(&index) != Some(&expected) || !self.taken.insert(index) {
            return None;
        }
        let range = self.range(index);
        let to = (!self.is_here).then(|| Arc::clone(partial));
        let (from, copied) = (Arc::clone(&self.file), range.clone());
        out.job(body, Work::Copy { from, to, index, range: copied });
        out.tell(Output::Keep { body, range: range.clone() });
        Some(range)
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
