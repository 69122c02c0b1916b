//! A body that a host sends.

use std::{
    collections::{BTreeSet, VecDeque},
    ops::Range,
    time::Duration,
};

use gannet_protocol::{
    BLOCK_LEN, BodyLen, End, ExchangeId, FileTime, Hash, Identity, Instant, Meta, Mode, Note,
    Status, Unread,
};

use crate::{content::Content, directory::File, groups::Groups};

/// What goes wrong when a body is read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SourceFault {
    /// Nothing.
    #[default]
    None,
    /// Bytes from `at` on are there only `wait` after they are asked for first.
    Late {
        /// The first byte that is late.
        at: u64,
        /// How late it is.
        wait: Duration,
    },
    /// Bytes from `at` on cannot be read.
    Fails {
        /// The first byte that cannot.
        at: u64,
        /// Why.
        status: Status,
    },
    /// The byte at `at` is sent as another than was hashed.
    Lies {
        /// The byte.
        at: u64,
    },
    /// The same, but only when it is read for the first time.
    LiesOnce {
        /// The byte.
        at: u64,
    },
    /// When the byte at `at` is read first, the content becomes another of the same length.
    Changes {
        /// The byte.
        at: u64,
    },
}

/// A body that a host sends: it hashes each group as it is read first, and says so.
#[derive(Debug)]
pub struct Outgoing {
    /// The exchange that it belongs to.
    pub exchange: ExchangeId,
    content: Content,
    identity: Identity,
    groups: Groups,
    fault: SourceFault,
    stable: bool,
    /// Groups that the receiver has, and holes: they are not read.
    skipped: BTreeSet<u64>,
    /// Bytes of the group that is being read.
    group: Vec<u8>,
    /// Bytes read for the first time so far: reading anew starts below.
    read: u64,
    released: u64,
    ended: bool,
    /// When late bytes are there.
    ready: Option<Instant>,
    notes: VecDeque<Note>,
}

impl Outgoing {
    /// Sends `file`.
    #[must_use]
    pub fn new(exchange: ExchangeId, file: File, fault: SourceFault) -> Self {
        let groups = Groups::of(BodyLen::Known(file.content.len()));
        Self::start(exchange, file, groups, fault)
    }

    /// Sends bytes that are all there as a body of open length.
    #[must_use]
    pub fn open(exchange: ExchangeId, bytes: &[u8]) -> Self {
        let (identity, modified) = (Identity::default(), FileTime::default());
        let file = File { content: Content::bytes(bytes), identity, modified };
        Self::start(exchange, file, Groups::of(BodyLen::Open), SourceFault::None)
    }

    fn start(exchange: ExchangeId, file: File, groups: Groups, fault: SourceFault) -> Self {
        let File { content, identity, .. } = file;
        let mut outgoing = Self {
            exchange,
            content,
            identity,
            groups,
            fault,
            stable: true,
            skipped: BTreeSet::new(),
            group: Vec::new(),
            read: 0,
            released: 0,
            ended: false,
            ready: None,
            notes: VecDeque::new(),
        };
        outgoing.say_holes();
        outgoing.go_on();
        outgoing
    }

    /// Says where its holes are, of which groups of the least size make one each.
    fn say_holes(&mut self) {
        if !matches!(self.content, Content::Sparse { .. }) {
            return;
        }
        let len = self.content.len();
        let mut block = 0;
        while block * BLOCK_LEN < len {
            let from = block;
            while block * BLOCK_LEN < len && self.content.is_hole(block) {
                block += 1;
            }
            let (first, last) = ((from * BLOCK_LEN).div_ceil(self.groups.len()), block * BLOCK_LEN);
            let end =
                if last < len { last / self.groups.len() } else { len.div_ceil(self.groups.len()) };
            self.skipped.extend(first..end);
            if from < block {
                let (offset, end) = (from * BLOCK_LEN, len.min(block * BLOCK_LEN));
                self.notes.push_back(Note::Hole { offset, len: end - offset });
            }
            block += 1;
        }
    }

    /// The receiver has these groups: they are neither read nor sent.
    pub fn skip(&mut self, groups: Range<u64>) {
        self.skipped.extend(groups);
        self.go_on();
    }

    /// The receiver has these bytes as a group: which of them it is, if they are the same.
    pub fn compare(&mut self, index: u64, hash: Hash) -> Option<Range<u64>> {
        let range = self.groups.range(index, self.content.len());
        let mut bytes = vec![0; usize::try_from(range.end - range.start).expect("a group fits")];
        self.content.fill(range.start, &mut bytes);
        if self.skipped.contains(&index) || self.groups.hash(range.start, &bytes).subtree != hash {
            return None;
        }
        self.notes.push_back(Note::Group { index, hash });
        self.skip(index..index + 1);
        Some(range)
    }

    /// The receiver wants a group once more.
    pub fn again(&mut self, index: u64) {
        self.released = self.released.min(self.groups.range(index, u64::MAX).start);
    }

    /// Goes over what is not to be read, and says so when all is.
    fn go_on(&mut self) {
        let len = self.content.len();
        while self.read < len {
            let block = self.read / BLOCK_LEN;
            if self.skipped.contains(&self.groups.index(self.read)) {
                self.read = self.groups.range(self.groups.index(self.read), len).end;
                self.group.clear();
            } else if self.content.is_hole(block) {
                let end = len.min((block + 1) * BLOCK_LEN);
                let zeros = vec![0; usize::try_from(end - self.read).expect("a block")];
                self.hash_part(&zeros);
            } else {
                break;
            }
        }
        if self.read == len && !self.ended {
            self.ended = true;
            let end = End { len: self.read, identity: self.identity, stable: self.stable };
            self.notes.push_back(Note::End(end));
        }
    }

    /// What a body of `file` is announced with.
    #[must_use]
    pub fn meta(file: &File) -> Meta {
        Meta {
            len: BodyLen::Known(file.content.len()),
            mode: Mode::from_bits(0o644),
            modified: file.modified,
            identity: file.identity,
        }
    }

    /// Reads for the core.
    ///
    /// # Errors
    /// As the fault has it.
    ///
    /// # Panics
    /// If bytes are asked for that do not exist, are released, or cross a block.
    pub fn read(&mut self, now: Instant, offset: u64, buf: &mut [u8]) -> Result<(), Unread> {
        let end = offset + buf.len() as u64;
        assert!(offset >= self.released, "a read of released bytes");
        assert_eq!(offset / BLOCK_LEN, (end - 1) / BLOCK_LEN, "a read across a block");
        assert!(offset <= self.read, "a first read out of order");
        if end > self.content.len() {
            // An open body is asked for more than it has until its end is told.
            return Err(Unread::Pending);
        }
        self.fail_or_wait(now, end)?;
        self.content.fill(offset, buf);
        if end > self.read {
            self.hash_new(offset, buf);
        }
        if let SourceFault::Lies { at } | SourceFault::LiesOnce { at } = self.fault
            && (offset..end).contains(&at)
        {
            if matches!(self.fault, SourceFault::LiesOnce { .. }) {
                self.fault = SourceFault::None;
            }
            buf[usize::try_from(at - offset).expect("within the buffer")] ^= 1;
        }
        Ok(())
    }

    fn fail_or_wait(&mut self, now: Instant, end: u64) -> Result<(), Unread> {
        match self.fault {
            SourceFault::Late { at, wait } if end > at => {
                let ready = *self.ready.get_or_insert(now + wait);
                if ready > now {
                    return Err(Unread::Pending);
                }
            }
            SourceFault::Fails { at, status } if end > at => return Err(Unread::Failed(status)),
            SourceFault::Changes { at } if end > at && self.stable => {
                self.content = Content::pattern(at ^ 0xc4a2, self.content.len());
                self.stable = false;
            }
            _ => {}
        }
        Ok(())
    }

    fn hash_new(&mut self, offset: u64, bytes: &[u8]) {
        let known = usize::try_from(self.read - offset).expect("within the buffer");
        self.hash_part(&bytes[known..]);
        self.go_on();
    }

    fn hash_part(&mut self, bytes: &[u8]) {
        let group = self.groups.range(self.groups.index(self.read), self.content.len());
        self.group.extend_from_slice(bytes);
        self.read += bytes.len() as u64;
        if self.read == group.end {
            let hash = self.groups.hash(group.start, &self.group).subtree;
            self.notes.push_back(Note::Group { index: self.groups.index(group.start), hash });
            self.group.clear();
        }
    }

    /// The receiver needs nothing of it: nothing more is read or said.
    pub fn give_up(&mut self) {
        self.read = self.content.len();
        self.ended = true;
    }

    /// Says all there is to say of bytes that are all there, before any is read.
    pub fn announce(&mut self) {
        let mut bytes = vec![0; usize::try_from(self.groups.len()).expect("a group fits")];
        for range in self.groups.ranges(self.content.len()) {
            let part = &mut bytes[..usize::try_from(range.end - range.start).expect("a group")];
            self.content.fill(range.start, part);
            self.hash_new(range.start, part);
        }
    }

    /// The next thing to say of the body.
    pub fn next_note(&mut self) -> Option<Note> {
        self.notes.pop_front()
    }

    /// When bytes that were late are there, if any are still awaited.
    #[must_use]
    pub fn ready(&self) -> Option<Instant> {
        self.ready.filter(|_| matches!(self.fault, SourceFault::Late { .. }))
    }

    /// The late bytes are there.
    pub const fn set_ready(&mut self) {
        self.fault = SourceFault::None;
    }

    /// Nobody asks for bytes below any more.
    ///
    /// # Panics
    /// If that is no news, or beyond what was read.
    pub fn release(&mut self, below: u64) {
        assert!(self.released < below && below <= self.read, "a release of {below}");
        self.released = below;
    }
}
