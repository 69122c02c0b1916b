//! Bodies that can be read only once, such as listings.

use std::collections::{BTreeMap, VecDeque};

use gannet_protocol::{BodyId, BodyLen, End, Identity, Note, Status, Unread};

use super::{
    Limits, Output, Progress,
    job::{Produced, Stream, Work},
    outbox::Outbox,
};
use crate::hash::{GroupHash, HashTree};

/// Bytes that are read at once.
const SPAN: u64 = 64 * 1024;

/// What every stream may hold once it was let in: a chunk to send may lie in two spans, so with less one could get stuck.
const RESERVED: u64 = 2 * SPAN;

/// Most that a stream holds of what was sent and may have to be sent again: several windows of a long path, for all that comes after
/// a lost packet waits for that to arrive, some round trips if it is lost again.
const MAX_HELD: u64 = 16 << 20;

/// All streams that are sent.
///
/// What was read is kept until it is released, for it cannot be read again. So there is a queue for being let in: all that are in
/// have [`RESERVED`] bytes for sure, and more as long as half of the memory is free.
#[derive(Debug)]
pub(super) struct Streams {
    streaming: BTreeMap<BodyId, Streaming>,
    memory: u64,
    /// Those that wait to be let in.
    queue: VecDeque<BodyId>,
}

/// A stream that is sent.
#[derive(Debug)]
struct Streaming {
    /// Nothing while it is being read, and after its end.
    stream: Option<Stream>,
    /// What was read and is not released, without gaps: all spans have [`SPAN`] bytes but the last of the stream.
    spans: VecDeque<Vec<u8>>,
    /// Where the first of `spans` starts.
    start: u64,
    /// Where reading goes on.
    next: u64,
    released: u64,
    is_let_in: bool,
    is_ended: bool,
    is_waited_for: bool,
    tree: HashTree,
    failed: Option<Status>,
}

impl Streams {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { streaming: BTreeMap::new(), memory: limits.streams, queue: VecDeque::new() }
    }

    pub(super) fn add(&mut self, body: BodyId, stream: Stream, out: &mut Outbox) {
        self.streaming.insert(body, Streaming::new(stream));
        self.queue.push_back(body);
        self.let_in(out);
    }

    pub(super) fn progress(&self, body: BodyId) -> Option<Progress> {
        self.streaming.get(&body).map(|streaming| Progress::of_all(streaming.released))
    }

    /// Fills `buf` from a body; nothing if it is not known.
    pub(super) fn read(
        &mut self,
        body: BodyId,
        offset: u64,
        buf: &mut [u8],
    ) -> Option<Result<(), Unread>> {
        self.streaming.get_mut(&body).map(|streaming| streaming.read(offset, buf))
    }

    pub(super) fn release(&mut self, body: BodyId, below: u64, out: &mut Outbox) {
        if let Some(streaming) = self.streaming.get_mut(&body) {
            streaming.release(below);
            self.pump(body, out);
            self.let_in(out);
        }
    }

    pub(super) fn on_done(
        &mut self,
        body: BodyId,
        produced: Result<Produced, Status>,
        out: &mut Outbox,
    ) {
        if let Some(streaming) = self.streaming.get_mut(&body) {
            streaming.on_produced(body, produced, out);
            self.pump(body, out);
        }
        self.let_in(out);
    }

    /// The receiver wants a group again: if it was let go of, it cannot be read again.
    pub(super) fn again(&mut self, body: BodyId, index: u64, out: &mut Outbox) {
        let start = index.saturating_mul(BodyLen::Open.group_len());
        if self.streaming.get(&body).is_some_and(|streaming| start < streaming.start) {
            out.fail(body, Status::Corrupt);
        }
    }

    pub(super) fn forget(&mut self, body: BodyId, out: &mut Outbox) {
        if self.streaming.remove(&body).is_some() {
            self.let_in(out);
        }
    }

    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn memory_used(&self) -> u64 {
        self.streaming.values().map(Streaming::held).sum()
    }

    /// Lets streams in, in the order of their coming, while there is memory for them.
    fn let_in(&mut self, out: &mut Outbox) {
        while let Some(&body) = self.queue.front() {
            let spoken_for = self.spoken_for();
            if let Some(streaming) = self.streaming.get_mut(&body) {
                if spoken_for + RESERVED > self.memory {
                    return;
                }
                streaming.is_let_in = true;
            }
            self.queue.pop_front();
            self.pump(body, out);
        }
    }

    fn spoken_for(&self) -> u64 {
        self.streaming.values().map(Streaming::spoken_for).sum()
    }

    /// Reads on in a stream, if it may.
    fn pump(&mut self, body: BodyId, out: &mut Outbox) {
        let spoken_for = self.spoken_for();
        let Some(streaming) = self.streaming.get_mut(&body) else { return };
        let held = streaming.held();
        let may_exceed = held + SPAN <= MAX_HELD && spoken_for + SPAN <= self.memory / 2;
        if !streaming.is_let_in || (held + SPAN > RESERVED && !may_exceed) {
            return;
        }
        if let Some(stream) = streaming.stream.take() {
            let buffer = vec![0; SPAN as usize];
            out.job(body, Work::Produce { stream, start: streaming.next, buffer });
        }
    }
}

impl Streaming {
    fn new(stream: Stream) -> Self {
        Self {
            stream: Some(stream),
            spans: VecDeque::new(),
            start: 0,
            next: 0,
            released: 0,
            is_let_in: false,
            is_ended: false,
            is_waited_for: false,
            tree: HashTree::new(BodyLen::Open),
            failed: None,
        }
    }

    /// Bytes that it holds, or is about to.
    fn held(&self) -> u64 {
        let being_read = self.is_let_in && self.stream.is_none() && !self.is_ended;
        let read: usize = self.spans.iter().map(Vec::len).sum();
        read as u64 + if being_read { SPAN } else { 0 }
    }

    /// Memory that others cannot have.
    fn spoken_for(&self) -> u64 {
        match (self.is_let_in, self.is_ended) {
            (false, _) => 0,
            (true, false) => self.held().max(RESERVED),
            (true, true) => self.held(),
        }
    }

    fn read(&mut self, offset: u64, buf: &mut [u8]) -> Result<(), Unread> {
        if let Some(status) = self.failed {
            return Err(Unread::Failed(status));
        }
        self.copy(offset, buf).ok_or_else(|| {
            self.is_waited_for = true;
            Unread::Pending
        })
    }

    /// Copies out of memory; nothing if not all is there.
    fn copy(&self, offset: u64, mut buf: &mut [u8]) -> Option<()> {
        let mut offset = offset.checked_sub(self.start)?;
        while !buf.is_empty() {
            let span = self.spans.get(usize::try_from(offset / SPAN).ok()?)?;
            let at = usize::try_from(offset % SPAN).ok()?;
            let bytes = span.get(at..).filter(|bytes| !bytes.is_empty())?;
            let len = bytes.len().min(buf.len());
            let (now_filled, rest) = buf.split_at_mut(len);
            now_filled.copy_from_slice(bytes.get(..len)?);
            offset += len as u64;
            buf = rest;
        }
        Some(())
    }

    fn on_produced(&mut self, body: BodyId, produced: Result<Produced, Status>, out: &mut Outbox) {
        match produced {
            Ok(produced) => self.keep(body, produced, out),
            Err(status) => {
                self.failed = Some(status);
                self.is_ended = true;
                self.spans.clear();
                out.fail(body, status);
            }
        }
        if self.is_waited_for {
            self.is_waited_for = false;
            out.readable(body);
        }
    }

    fn keep(&mut self, body: BodyId, produced: Produced, out: &mut Outbox) {
        let Produced { stream, bytes, hashed, is_end } = produced;
        if let Some(hashed) = hashed {
            let len = bytes.len() as u64;
            let group = self.tree.insert(self.next, len, hashed);
            self.say(body, group, out);
            self.next += len;
            self.spans.push_back(bytes);
        }
        if !is_end {
            self.stream = Some(stream);
            return;
        }
        self.is_ended = true;
        let group = self.tree.end(self.next);
        self.say(body, group, out);
        let end = End { len: self.next, identity: Identity::default(), stable: true };
        out.note(body, Note::End(end));
        if let Some(hash) = self.tree.root() {
            out.tell(Output::Read { body, hash });
        }
    }

    fn say(&mut self, body: BodyId, group: Option<GroupHash>, out: &mut Outbox) {
        if let Some(GroupHash { index, hash }) = group {
            self.tree.settle(index);
            out.note(body, Note::Group { index, hash });
        }
    }

    fn release(&mut self, below: u64) {
        self.released = self.released.max(below.min(self.next));
        while let Some(first) = self.spans.front()
            && self.start + first.len() as u64 <= self.released
        {
            self.start += first.len() as u64;
            self.spans.pop_front();
        }
    }
}
