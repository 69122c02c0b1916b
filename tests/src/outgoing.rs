//! A body that a host sends.

use std::{collections::VecDeque, time::Duration};

use gannet_protocol::{
    BodyLen, End, ExchangeId, FileTime, Identity, Instant, Meta, Mode, Note, Status, Unread,
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
    /// Bytes of the group that is being read.
    group: Vec<u8>,
    /// Bytes read for the first time so far: reading anew starts below.
    read: u64,
    released: u64,
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
        let file = File { content: Content::bytes(bytes), identity: Identity::default() };
        Self::start(exchange, file, Groups::of(BodyLen::Open), SourceFault::None)
    }

    fn start(exchange: ExchangeId, file: File, groups: Groups, fault: SourceFault) -> Self {
        let File { content, identity } = file;
        let mut outgoing = Self {
            exchange,
            content,
            identity,
            groups,
            fault,
            stable: true,
            group: Vec::new(),
            read: 0,
            released: 0,
            ready: None,
            notes: VecDeque::new(),
        };
        outgoing.end_if_read();
        outgoing
    }

    /// What a body of `file` is announced with.
    #[must_use]
    pub fn meta(file: &File) -> Meta {
        Meta {
            len: BodyLen::Known(file.content.len()),
            mode: Mode::from_bits(0o644),
            modified: FileTime::default(),
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
        assert_eq!(
            offset / gannet_protocol::BLOCK_LEN,
            (end - 1) / gannet_protocol::BLOCK_LEN,
            "a read across a block"
        );
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
        if let SourceFault::Lies { at } = self.fault
            && (offset..end).contains(&at)
        {
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
        let group = self.groups.range(self.groups.index(self.read), self.content.len());
        self.group.extend_from_slice(&bytes[known..]);
        self.read = offset + bytes.len() as u64;
        if self.read == group.end {
            let hash = self.groups.hash(group.start, &self.group).subtree;
            self.notes.push_back(Note::Group { index: self.groups.index(group.start), hash });
            self.group.clear();
        }
        self.end_if_read();
    }

    fn end_if_read(&mut self) {
        if self.read == self.content.len() {
            let end = End { len: self.read, identity: self.identity, stable: self.stable };
            self.notes.push_back(Note::End(end));
        }
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
