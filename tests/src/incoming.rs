//! A body that a host receives.

use std::collections::BTreeMap;

use gannet_protocol::{BodyLen, End, ExchangeId, Hash, Identity, Note, Status};

use crate::{
    content::Content,
    groups::{GroupHash, Groups, RootHash},
};

/// Longest body that is kept whole; of longer ones only the hash is.
const MAX_KEPT: u64 = 16 << 20;

/// A body that a host receives: it checks each group when that is whole.
#[derive(Debug)]
pub struct Incoming {
    /// The exchange that it belongs to.
    pub exchange: ExchangeId,
    len: BodyLen,
    identity: Option<Identity>,
    groups: Groups,
    /// Groups that are begun.
    open: BTreeMap<u64, OpenGroup>,
    /// Groups that are whole.
    whole: BTreeMap<u64, GroupHash>,
    /// What groups must hash to.
    told: BTreeMap<u64, Hash>,
    end: Option<End>,
    kept: Vec<u8>,
    /// Bytes that are not written yet.
    pub unsettled: u64,
}

#[derive(Debug, Default)]
struct OpenGroup {
    bytes: Vec<u8>,
    fresh: u64,
}

/// What a body came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Received {
    /// How long it is.
    pub len: u64,
    /// The BLAKE3 hash of the whole.
    pub hash: Hash,
    /// Its bytes, unless there are too many.
    pub bytes: Option<Vec<u8>>,
}

impl Received {
    /// What `content` comes to.
    #[must_use]
    pub fn is(&self, content: &Content) -> bool {
        self.len == content.len() && self.hash == content.root()
    }
}

impl Incoming {
    /// Expects a body of that length, read from a source of that identity where there is one.
    #[must_use]
    pub fn new(exchange: ExchangeId, len: BodyLen, identity: Option<Identity>) -> Self {
        Self {
            exchange,
            len,
            identity,
            groups: Groups::of(len),
            open: BTreeMap::new(),
            whole: BTreeMap::new(),
            told: BTreeMap::new(),
            end: None,
            kept: Vec::new(),
            unsettled: 0,
        }
    }

    /// Takes in bytes.
    ///
    /// # Errors
    /// [`Status::Corrupt`] if a group does not verify.
    ///
    /// # Panics
    /// If they belong to a group that is whole, cross groups, or are not as new as they are said to be.
    pub fn write(&mut self, offset: u64, data: &[u8], fresh: usize) -> Result<(), Status> {
        let index = self.groups.index(offset);
        let end = offset + data.len() as u64;
        assert!(!data.is_empty() && (1..=data.len()).contains(&fresh), "{fresh} new bytes");
        assert_eq!(index, self.groups.index(end - 1), "a write across groups");
        assert!(!self.whole.contains_key(&index), "a write into a verified group");
        let group = self.open.entry(index).or_default();
        let from = usize::try_from(offset - index * self.groups.len()).expect("within a group");
        if group.bytes.len() < from + data.len() {
            group.bytes.resize(from + data.len(), 0);
        }
        group.bytes[from..from + data.len()].copy_from_slice(data);
        group.fresh += fresh as u64;
        self.close_if_whole(index)
    }

    /// Takes in what the sender says.
    ///
    /// # Errors
    /// [`Status::Corrupt`] if a group does not verify, [`Status::Changed`] if the source is another now.
    pub fn note(&mut self, note: Note) -> Result<(), Status> {
        match note {
            Note::Group { index, hash } => {
                self.told.insert(index, hash);
                self.verify(index)
            }
            Note::End(end) => {
                if !end.stable || self.identity.is_some_and(|identity| identity != end.identity) {
                    return Err(Status::Changed);
                }
                self.len = BodyLen::Known(end.len);
                self.end = Some(end);
                self.open
                    .keys()
                    .copied()
                    .collect::<Vec<_>>()
                    .into_iter()
                    .try_for_each(|index| self.close_if_whole(index))
            }
        }
    }

    fn close_if_whole(&mut self, index: u64) -> Result<(), Status> {
        let start = index * self.groups.len();
        let end = match self.len {
            BodyLen::Known(len) => self.groups.range(index, len).end,
            BodyLen::Open => start + self.groups.len(),
        };
        let Some(group) = self.open.get(&index) else { return Ok(()) };
        assert!(group.fresh <= group.bytes.len() as u64, "bytes counted as new twice");
        if group.fresh < end - start {
            return Ok(());
        }
        let bytes = self.open.remove(&index).map(|group| group.bytes).unwrap_or_default();
        assert_eq!(bytes.len() as u64, end - start, "a whole group's bytes");
        self.whole.insert(index, self.groups.hash(start, &bytes));
        self.keep(start, &bytes);
        self.verify(index)
    }

    fn keep(&mut self, start: u64, bytes: &[u8]) {
        let end = start + bytes.len() as u64;
        if end <= MAX_KEPT {
            let (start, end) = (start as usize, end as usize);
            if self.kept.len() < end {
                self.kept.resize(end, 0);
            }
            self.kept[start..end].copy_from_slice(bytes);
        }
    }

    fn verify(&self, index: u64) -> Result<(), Status> {
        match (self.whole.get(&index), self.told.get(&index)) {
            (Some(is), Some(must)) if is.subtree != *must => Err(Status::Corrupt),
            _ => Ok(()),
        }
    }

    /// What it came to, once all of it is here, verified and written.
    #[must_use]
    pub fn finish(&self) -> Option<Received> {
        let end = self.end?;
        let count = end.len.div_ceil(self.groups.len());
        let all = |held: usize| held as u64 == count;
        if !all(self.whole.len()) || !all(self.told.len()) || self.unsettled > 0 {
            return None;
        }
        let mut root = RootHash::default();
        self.whole.values().for_each(|group| root.push(*group));
        let bytes = (end.len <= MAX_KEPT).then(|| self.kept.clone());
        Some(Received { len: end.len, hash: root.finish(), bytes })
    }
}
