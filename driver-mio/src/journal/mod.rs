//! What is there of a file that is being received, in a file of its own (docs/journal.md).
//!
//! This is the format, without a file: a [`Header`] and [`Record`]s become bytes to append, [`Journal::decode`] tells what the
//! bytes of a file are worth.

mod cursor;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use gannet_protocol::{BodyLen, Hash, Identity, Name};

use cursor::{Reader, Writer};

/// Most bytes of a journal: what a body of a tebibyte in groups of 1 MiB needs. A longer one is not read.
pub(crate) const MAX_JOURNAL: u64 = 64 << 20;

const MAGIC: &[u8; 8] = b"gannetj1";
const GROUP: u8 = 1;
const SYNCED: u8 = 2;

/// Which run of the system it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BootId {
    /// This one.
    Known([u8; 16]),
    /// The system does not tell: it counts as another each time.
    Unknown,
}

/// Which file a journal is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Header {
    /// The run of the system in which it was written.
    pub(crate) boot: BootId,
    /// How long the body is.
    pub(crate) len: BodyLen,
    /// The source that it is read from.
    pub(crate) identity: Identity,
    /// The name that the file is for: one component.
    pub(crate) name: Name,
}

/// What is appended to a journal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Record {
    /// This group is written and verified, and its chaining value is this.
    Group { index: u64, hash: Hash },
    /// What the records say that end at this offset, or before, is durable, as of this run of the system.
    Synced { boot: BootId, until: u64 },
}

/// What a journal says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Journal {
    pub(crate) header: Header,
    /// The groups that are there and verified.
    pub(crate) groups: BTreeMap<u64, Hash>,
    /// Bytes from its start that count: cut what is behind them.
    pub(crate) keep: u64,
    /// The same, and how many groups, of what is durable.
    pub(crate) durable: (u64, u64),
    /// Whether the system has started anew since: append a [`Record::Synced`], since what counts is durable.
    pub(crate) rebooted: bool,
}

/// A file that is no journal of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NoJournal;

impl BootId {
    const fn bytes(self) -> [u8; 16] {
        match self {
            Self::Known(id) => id,
            Self::Unknown => [0; 16],
        }
    }

    const fn from_bytes(bytes: [u8; 16]) -> Self {
        if u128::from_be_bytes(bytes) == 0 { Self::Unknown } else { Self::Known(bytes) }
    }

    /// Whether the system still runs that ran then.
    fn is_still(self, then: Self) -> bool {
        self == then && self != Self::Unknown
    }
}

impl Header {
    /// The bytes that a journal starts with.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut w = Writer::at(0);
        w.bytes(MAGIC);
        w.bytes(&self.boot.bytes());
        w.u64(match self.len {
            BodyLen::Open => 0,
            BodyLen::Known(len) => len.saturating_add(1),
        });
        w.u64(self.len.group_len());
        w.bytes(&self.identity.0);
        let name = self.name.as_bytes();
        // A component has at most 255 bytes.
        w.u8(name.len() as u8);
        w.bytes(name);
        w.finish()
    }

    fn decode(r: &mut Reader<'_>) -> Option<Self> {
        if r.array()? != *MAGIC {
            return None;
        }
        let boot = BootId::from_bytes(r.array()?);
        let len = match r.u64()?.checked_sub(1) {
            None => BodyLen::Open,
            Some(len) if len <= gannet_protocol::MAX_BODY => BodyLen::Known(len),
            Some(_) => return None,
        };
        if r.u64()? != len.group_len() {
            return None;
        }
        let identity = Identity(r.array()?);
        let name_len = r.u8()?;
        let name = Name::parse(r.take(name_len.into())?).ok()?;
        let is_leaf = name.components().count() == 1;
        (r.check() && is_leaf).then_some(Self { boot, len, identity, name })
    }
}

impl Record {
    /// The bytes of a record that will stand at `offset`.
    pub(crate) fn encode(&self, offset: u64) -> Vec<u8> {
        let mut w = Writer::at(offset);
        match self {
            Self::Group { index, hash } => {
                w.u8(GROUP);
                w.u64(*index);
                w.bytes(hash);
            }
            Self::Synced { boot, until } => {
                w.u8(SYNCED);
                w.bytes(&boot.bytes());
                w.u64(*until);
            }
        }
        w.finish()
    }

    /// Nothing at a torn tail.
    fn decode(r: &mut Reader<'_>) -> Option<Self> {
        r.begin();
        let record = match r.u8()? {
            GROUP => Self::Group { index: r.u64()?, hash: r.array()? },
            SYNCED => Self::Synced { boot: BootId::from_bytes(r.array()?), until: r.u64()? },
            _ => return None,
        };
        r.check().then_some(record)
    }
}

impl Journal {
    /// How long the whole body is, in bytes; nothing if that was open.
    pub(crate) fn len(&self) -> Option<u64> {
        match self.header.len {
            BodyLen::Known(len) => Some(len),
            BodyLen::Open => None,
        }
    }

    /// Bytes of the groups that are there.
    pub(crate) fn kept(&self) -> u64 {
        let group_len = self.header.len.group_len();
        let rest = |index: &u64| match self.len() {
            Some(len) => len.saturating_sub(index.saturating_mul(group_len)),
            None => group_len,
        };
        self.groups.keys().map(|index| rest(index).min(group_len)).fold(0, u64::saturating_add)
    }

    /// Reads a journal, in a run of the system that is `boot`.
    ///
    /// # Errors
    /// [`NoJournal`]: its header is not right, or a group is beyond the file.
    pub(crate) fn decode(bytes: &[u8], boot: BootId) -> Result<Self, NoJournal> {
        let mut r = Reader::new(bytes);
        let header = Header::decode(&mut r).ok_or(NoJournal)?;
        let groups = match header.len {
            BodyLen::Open => u64::MAX,
            BodyLen::Known(len) => len.div_ceil(header.len.group_len()),
        };
        let mut last_boot = header.boot;
        let mut durable = Durable { groups: BTreeMap::new(), until: r.offset(), end: r.offset() };
        // What stands behind that, and where each of it ends.
        let mut fresh = VecDeque::new();
        let mut end = r.offset();
        while let Some(record) = Record::decode(&mut r) {
            match record {
                Record::Group { index, hash } if index < groups => {
                    fresh.push_back((r.offset(), index, hash));
                }
                Record::Group { .. } => return Err(NoJournal),
                // It can tell neither of what comes after it, nor less than another one before.
                Record::Synced { until, .. } if until > end || until < durable.until => break,
                Record::Synced { boot, until } => {
                    last_boot = boot;
                    durable.advance(until, r.offset(), &mut fresh);
                }
            }
            end = r.offset();
        }
        let rebooted = !boot.is_still(last_boot);
        let Durable { mut groups, end: mut keep, .. } = durable;
        let durable = (keep, groups.len() as u64);
        if !rebooted {
            groups.extend(fresh.into_iter().map(|(_, index, hash)| (index, hash)));
            keep = end;
        }
        Ok(Self { header, groups, keep, durable, rebooted })
    }
}

/// What a journal says is durable.
struct Durable {
    groups: BTreeMap<u64, Hash>,
    /// Up to where that is told.
    until: u64,
    /// Where the journal can be cut without losing any of it.
    end: u64,
}

impl Durable {
    /// Takes the word of a record, which ends at `end`, that all is durable up to `until`.
    fn advance(&mut self, until: u64, end: u64, fresh: &mut VecDeque<(u64, u64, Hash)>) {
        self.until = until;
        while let Some((group_end, index, hash)) = fresh.pop_front_if(|(end, ..)| *end <= until) {
            self.groups.insert(index, hash);
            self.end = group_end;
        }
        if fresh.is_empty() {
            self.end = end;
        }
    }
}
