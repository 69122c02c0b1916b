//! A body that a host receives.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use gannet_protocol::{
    BLOCK_LEN, BodyLen, End, ExchangeId, Hash, Have, Held, Identity, MAX_HASHES, Note, Status,
};

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
    /// Groups that are here from before, if they turn out to be of the same content.
    held: BTreeMap<u64, Vec<u8>>,
    /// Groups that are begun.
    open: BTreeMap<u64, OpenGroup>,
    /// Groups that are whole.
    whole: BTreeMap<u64, GroupHash>,
    /// Groups that are whole, and need no hash to check them by: they were before, or are holes.
    trusted: BTreeSet<u64>,
    /// Groups that were found to be spoilt from before.
    doubted: BTreeSet<u64>,
    /// What groups must hash to.
    told: BTreeMap<u64, Hash>,
    /// Groups that did not match.
    spoilt: Vec<u64>,
    end: Option<End>,
    kept: Vec<u8>,
    /// Bytes that were here from before.
    pub kept_bytes: u64,
    /// Whether it has holes.
    pub has_holes: bool,
    /// Bytes that are not written yet.
    pub unsettled: u64,
}

#[derive(Debug, Default)]
struct OpenGroup {
    bytes: Vec<u8>,
    fresh: u64,
}

/// What a host has of a file from before.
#[derive(Clone, Debug)]
pub struct Partial {
    /// Of which state of the source.
    pub identity: Identity,
    /// Where the bytes are from.
    pub content: Content,
    /// Which groups it has.
    pub groups: Vec<u64>,
}

impl Partial {
    /// What to say of it.
    #[must_use]
    pub fn have(&self) -> Have {
        let groups = self.groups.iter().map(|index| *index..*index + 1).collect();
        Have { identity: self.identity, groups }
    }
}

/// What a body came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Received {
    /// How long it is.
    pub len: u64,
    /// The BLAKE3 hash of the whole.
    pub hash: Hash,
    /// How many of the bytes were here before.
    pub kept: u64,
    /// Whether nobody would know the hash but for this test, since there are holes.
    pub has_holes: bool,
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
            held: BTreeMap::new(),
            open: BTreeMap::new(),
            whole: BTreeMap::new(),
            trusted: BTreeSet::new(),
            doubted: BTreeSet::new(),
            told: BTreeMap::new(),
            spoilt: Vec::new(),
            end: None,
            kept: Vec::new(),
            kept_bytes: 0,
            has_holes: false,
            unsettled: 0,
        }
    }

    /// The bytes of a group of a body of known length.
    fn range(&self, index: u64) -> Range<u64> {
        match self.len {
            BodyLen::Known(len) => self.groups.range(index, len),
            BodyLen::Open => self.groups.range(index, u64::MAX),
        }
    }

    /// The groups of `partial` are of this very state of the source.
    pub fn adopt_all(&mut self, partial: &Partial) {
        for index in &partial.groups {
            let range = self.range(*index);
            if !range.is_empty() {
                let bytes = read(&partial.content, range);
                self.adopt(*index, &bytes);
            }
        }
    }

    fn adopt(&mut self, index: u64, bytes: &[u8]) {
        self.open.remove(&index);
        self.trusted.insert(index);
        self.kept_bytes += bytes.len() as u64;
        self.fill_group(index, bytes);
    }

    /// The groups of `partial` are of another state: what to say of them.
    pub fn compare_all(&mut self, partial: &Partial) -> Vec<Held> {
        let mut said: Vec<Held> = Vec::new();
        for index in &partial.groups {
            let range = self.range(*index);
            if range.is_empty() || range.end > partial.content.len() {
                continue;
            }
            let bytes = read(&partial.content, range.clone());
            let hash = self.groups.hash(range.start, &bytes).subtree;
            self.held.insert(*index, bytes);
            match said.last_mut() {
                Some(Held::Hashes { first, hashes })
                    if *first + hashes.len() as u64 == *index && hashes.len() < MAX_HASHES =>
                {
                    hashes.push(hash);
                }
                _ => said.push(Held::Hashes { first: *index, hashes: vec![hash] }),
            }
        }
        said.push(Held::Nothing);
        said
    }

    /// Takes in bytes.
    ///
    /// # Panics
    /// If they belong to a group that is whole, cross groups, or are not as new as they are said to be.
    pub fn write(&mut self, offset: u64, data: &[u8], fresh: usize) {
        let index = self.groups.index(offset);
        let end = offset + data.len() as u64;
        assert!(!data.is_empty() && (1..=data.len()).contains(&fresh), "{fresh} new bytes");
        assert_eq!(index, self.groups.index(end - 1), "a write across groups");
        assert!(!self.whole.contains_key(&index), "a write into a verified group");
        let from = offset - self.groups.range(index, u64::MAX).start;
        self.put(index, from, data, fresh as u64);
    }

    fn put(&mut self, index: u64, from: u64, data: &[u8], fresh: u64) {
        let group = self.open.entry(index).or_default();
        let from = usize::try_from(from).expect("within a group");
        if group.bytes.len() < from + data.len() {
            group.bytes.resize(from + data.len(), 0);
        }
        group.bytes[from..from + data.len()].copy_from_slice(data);
        group.fresh += fresh;
        self.close_if_whole(index);
    }

    /// Takes in what the sender says; gives the bytes that need not come because they are here.
    ///
    /// # Errors
    /// [`Status::Changed`] if the source is another now.
    pub fn note(&mut self, note: Note) -> Result<Option<Range<u64>>, Status> {
        match note {
            Note::Group { index, hash } => {
                self.told.insert(index, hash);
                let range = self.range(index);
                if let Some(bytes) = self.held.remove(&index)
                    && self.groups.hash(range.start, &bytes).subtree == hash
                {
                    self.adopt(index, &bytes);
                    return Ok(Some(range));
                }
                self.verify(index);
            }
            Note::Hole { offset, len } => self.hole(offset..offset + len),
            Note::End(end) => {
                if !end.stable || self.identity.is_some_and(|identity| identity != end.identity) {
                    return Err(Status::Changed);
                }
                self.len = BodyLen::Known(end.len);
                self.end = Some(end);
                let open: Vec<_> = self.open.keys().copied().collect();
                open.into_iter().for_each(|index| self.close_if_whole(index));
            }
        }
        Ok(None)
    }

    fn hole(&mut self, hole: Range<u64>) {
        self.has_holes = true;
        let zeros = vec![0; BLOCK_LEN as usize];
        let mut at = hole.start;
        while at < hole.end {
            let index = self.groups.index(at);
            let group = self.range(index);
            let end = hole.end.min((at / BLOCK_LEN + 1) * BLOCK_LEN);
            if hole.start <= group.start && group.end <= hole.end {
                self.trusted.insert(index);
                if self.is_long() {
                    self.whole.insert(index, GroupHash { subtree: [0; 32], root: None, len: 0 });
                    at = group.end;
                    continue;
                }
            }
            let part = &zeros[..usize::try_from(end - at).expect("a block")];
            self.put(index, at - group.start, part, part.len() as u64);
            at = end;
        }
    }

    /// Whether it is too long for its holes to be hashed.
    fn is_long(&self) -> bool {
        matches!(self.len, BodyLen::Known(len) if len > MAX_KEPT)
    }

    fn close_if_whole(&mut self, index: u64) {
        let range = self.range(index);
        let Some(group) = self.open.get(&index) else { return };
        assert!(group.fresh <= group.bytes.len() as u64, "bytes counted as new twice");
        if group.fresh < range.end - range.start {
            return;
        }
        let bytes = self.open.remove(&index).map(|group| group.bytes).unwrap_or_default();
        assert_eq!(bytes.len() as u64, range.end - range.start, "a whole group's bytes");
        self.fill_group(index, &bytes);
        self.verify(index);
    }

    fn fill_group(&mut self, index: u64, bytes: &[u8]) {
        let start = self.range(index).start;
        self.whole.insert(index, self.groups.hash(start, bytes));
        let end = start + bytes.len() as u64;
        if end <= MAX_KEPT {
            let (start, end) = (start as usize, end as usize);
            if self.kept.len() < end {
                self.kept.resize(end, 0);
            }
            self.kept[start..end].copy_from_slice(bytes);
        }
    }

    fn verify(&mut self, index: u64) {
        if let (Some(is), Some(must)) = (self.whole.get(&index), self.told.get(&index))
            && is.subtree != *must
        {
            self.spoilt.push(index);
        }
    }

    /// The next group that did not match: it is to come again.
    pub fn take_spoilt(&mut self) -> Option<u64> {
        let index = self.spoilt.pop()?;
        self.whole.remove(&index);
        self.trusted.remove(&index);
        Some(index)
    }

    /// Whether a group is taken for what it should be, though nobody told its hash.
    #[must_use]
    pub fn trusts(&self, index: u64) -> bool {
        self.trusted.contains(&index)
    }

    /// A group that was here before is not what it should be: its hash is known from then.
    ///
    /// # Panics
    /// If it was not here.
    pub fn doubt(&mut self, index: u64) {
        assert!(self.trusts(index), "no group to doubt");
        let range = self.range(index);
        self.told.insert(index, self.whole[&index].subtree);
        self.kept_bytes -= range.end - range.start;
        self.doubted.insert(index);
        self.spoilt.push(index);
    }

    /// Whether bytes that came before it was told what is here are not wanted.
    #[must_use]
    pub fn is_void(&self, offset: u64) -> bool {
        let index = self.groups.index(offset);
        self.whole.contains_key(&index) || self.doubted.contains(&index)
    }

    /// What it came to, once all of it is here, verified and written.
    #[must_use]
    pub fn finish(&self) -> Option<Received> {
        let end = self.end?;
        let count = end.len.div_ceil(self.groups.len());
        let checked = |index| self.told.contains_key(index) || self.trusted.contains(index);
        let all = self.whole.len() as u64 == count && self.whole.keys().all(checked);
        if !all || !self.spoilt.is_empty() || self.unsettled > 0 {
            return None;
        }
        let mut root = RootHash::default();
        self.whole.values().for_each(|group| root.push(*group));
        let unknown = self.has_holes && self.is_long();
        Some(Received {
            len: end.len,
            hash: if unknown { [0; 32] } else { root.finish() },
            kept: self.kept_bytes,
            has_holes: self.has_holes,
            bytes: (end.len <= MAX_KEPT).then(|| self.kept.clone()),
        })
    }
}

fn read(content: &Content, range: Range<u64>) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(range.end - range.start).expect("a group fits")];
    content.fill(range.start, &mut bytes);
    bytes
}
