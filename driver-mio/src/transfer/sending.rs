//! A file that is sent.

mod hollow;

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use gannet_protocol::{BLOCK_LEN, BodyId, BodyLen, End, Held, Note, Status, Unread};

use super::{
    Output, Progress,
    buffers::Buffer,
    holes::Zeros,
    job::{ReadSpan, Work},
    known::Known,
    outbox::Outbox,
};
use crate::{
    files::SourceFile,
    hash::{HashTree, Hashed},
};

/// The least that is read at once, but for a file's end. What was let go is read again in spans of this length, for what has to
/// be sent again are a few packets.
pub(super) const MIN_SPAN: u64 = 64 * 1024;

/// How far a file is read ahead of what was asked for: a disk's delay at the full rate of a fast network.
const READ_AHEAD: u64 = 3 * BLOCK_LEN;

/// Most spans that wait to be read again; what is not among them is asked for again.
const MAX_AGAIN: usize = 64;

/// A file that is sent out of spans of it in memory, which are read ahead of what is asked for.
///
/// A span starts at a multiple of its length, a power of two of at least [`MIN_SPAN`] (the file's last one may be
/// shorter). Each is hashed when it is read for the first time. Holes are not read. Spans that were sent are kept while there is memory, for parts
/// of them may have to be sent again, and are read again otherwise.
#[derive(Debug)]
pub(super) struct Sending {
    body: BodyId,
    file: Arc<SourceFile>,
    len: u64,
    /// What is in memory or being read, by offset.
    spans: BTreeMap<u64, Span>,
    /// Bytes of `spans`.
    held: u64,
    /// Where reading for the first time goes on.
    next: u64,
    /// How many reads for the first time are under way.
    first_reads: usize,
    /// Where the spans start that have to be read again.
    again: Vec<u64>,
    /// The end of what was asked for.
    asked: u64,
    released: u64,
    /// Bytes that were released and did travel.
    travelled: u64,
    /// What was asked for first of all that could not be given.
    awaited: Option<Range<u64>>,
    /// Whether it stands in the queue for memory.
    pub(super) is_queued: bool,
    tree: HashTree,
    /// Zeros of holes that are in groups with bytes of others.
    zeros: Zeros,
    known: Known,
    /// Whether the end was told, or is being looked at.
    is_ended: bool,
    /// Why it failed.
    failed: Option<Status>,
}

#[derive(Debug)]
struct Span {
    len: u64,
    /// Nothing while it is being read.
    buffer: Option<Buffer>,
    /// When it was read or asked for last.
    touched: u64,
    /// Whether it was asked for in vain, so that it should stay until it is asked for again.
    is_needed: bool,
}

/// A read that a [`Sending`] wants memory for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    start: u64,
    len: u64,
    /// Whether it was asked for, not just likely to be.
    pub(super) is_urgent: bool,
}

impl Need {
    /// Bytes of memory that it takes.
    pub(super) fn len(&self) -> usize {
        usize::try_from(self.len).unwrap_or(usize::MAX)
    }
}

impl Sending {
    /// Starts at the beginning. An empty file is at its end at once. `is_awaited` says whether the receiver may say what its groups
    /// hash to.
    pub(super) fn new(body: BodyId, file: SourceFile, is_awaited: bool, out: &mut Outbox) -> Self {
        let (len, meta) = (file.len(), file.meta());
        let mut sending = Self {
            body,
            file: Arc::new(file),
            len,
            spans: BTreeMap::new(),
            held: 0,
            next: 0,
            first_reads: 0,
            again: Vec::new(),
            asked: 0,
            released: 0,
            travelled: 0,
            awaited: None,
            is_queued: false,
            tree: HashTree::new(meta.len),
            zeros: Zeros::default(),
            known: Known::new(len, is_awaited),
            is_ended: false,
            failed: None,
        };
        if len == 0 {
            sending.tell_end(End { len, identity: meta.identity, stable: true }, out);
        }
        sending.tell_holes(out);
        sending
    }

    /// Takes what a piece hashes to, and tells of the group that is whole by that.
    fn add(&mut self, start: u64, len: u64, hashed: Hashed, out: &mut Outbox) {
        if let Some(group) = self.tree.insert(start, len, hashed) {
            self.tree.settle(group.index);
            out.note(self.body, Note::Group { index: group.index, hash: group.hash });
            if let Some(same) = self.known.settle(group.index, group.hash) {
                self.skip(same.clone(), out);
                out.tell(Output::Skip { body: self.body, range: same });
            }
        }
    }

    /// How far it is.
    pub(super) fn progress(&self) -> Progress {
        Progress { done: self.released, travelled: self.travelled, unsynced: None }
    }

    /// Fills `buf`, or prepares to.
    pub(super) fn read(&mut self, offset: u64, buf: &mut [u8], now: u64) -> Result<(), Unread> {
        if let Some(status) = self.failed {
            return Err(Unread::Failed(status));
        }
        let end = offset.saturating_add(buf.len() as u64);
        self.asked = self.asked.max(end.min(self.len));
        if let Some(end) = self.known.undecided(offset) {
            // All of the group has to be read.
            self.asked = self.asked.max(end);
            self.awaited.get_or_insert(offset..offset);
            return Err(Unread::Pending);
        }
        if self.copy(offset, buf, now).is_some() {
            return Ok(());
        }
        let asked = offset..end.min(self.len);
        self.require(asked.clone());
        self.awaited.get_or_insert(asked);
        Err(Unread::Pending)
    }

    /// Hands bytes to `take`, if they are in memory in one piece.
    pub(super) fn lend<R>(
        &mut self,
        offset: u64,
        len: usize,
        now: u64,
        take: impl FnOnce(&[u8]) -> R,
    ) -> Option<R> {
        if self.failed.is_some() || self.known.undecided(offset).is_some() {
            return None;
        }
        let (start, span) = self.spans.range_mut(..=offset).next_back()?;
        let at = usize::try_from(offset - start).ok()?;
        let bytes = span.buffer.as_ref()?.get(at..at.checked_add(len)?)?;
        span.touched = now;
        span.is_needed = false;
        self.asked = self.asked.max(offset.saturating_add(len as u64).min(self.len));
        Some(take(bytes))
    }

    /// Copies out of memory; nothing if not all is there.
    fn copy(&mut self, mut offset: u64, mut buf: &mut [u8], now: u64) -> Option<()> {
        while !buf.is_empty() {
            let (start, span) = self.spans.range_mut(..=offset).next_back()?;
            let at = usize::try_from(offset - start).ok()?;
            let bytes = span.buffer.as_ref()?.get(at..).filter(|bytes| !bytes.is_empty())?;
            let len = bytes.len().min(buf.len());
            let (now_filled, rest) = buf.split_at_mut(len);
            now_filled.copy_from_slice(bytes.get(..len)?);
            span.touched = now;
            span.is_needed = false;
            offset += len as u64;
            buf = rest;
        }
        Some(())
    }

    /// Makes sure that what is asked for will be in memory all at once.
    fn require(&mut self, asked: Range<u64>) {
        let mut at = asked.start;
        while at < asked.end {
            let covering = self.spans.range_mut(..=at).next_back();
            if let Some((start, span)) = covering
                && at < start + span.len
            {
                span.is_needed = true;
                at = start + span.len;
                continue;
            }
            let start = at - at % MIN_SPAN;
            if start < self.next && self.again.len() < MAX_AGAIN && !self.again.contains(&start) {
                self.again.push(start);
            }
            at = start + MIN_SPAN;
        }
    }

    /// Whether there may be a [`Self::need`]: cheaper to ask.
    pub(super) fn may_need(&self) -> bool {
        !self.again.is_empty() || (self.next < self.len && self.next < self.asked + READ_AHEAD)
    }

    /// The next read that it wants, for which it makes room itself in so far as it holds more than its `share` of memory.
    pub(super) fn need(&mut self, share: u64) -> Option<Need> {
        if self.failed.is_some() {
            return None;
        }
        // Others may have taken some of it meanwhile.
        if let Some(awaited) = self.awaited.clone() {
            self.require(awaited);
        }
        let (released, spans) = (self.released, &self.spans);
        self.again.retain(|start| start + MIN_SPAN > released && !spans.contains_key(start));
        if let Some(&start) = self.again.first() {
            let len = MIN_SPAN.min(self.len - start);
            self.make_room(len, share);
            return Some(Need { start, len, is_urgent: true });
        }
        let is_urgent = self.next < self.asked;
        if self.next >= self.len || (!is_urgent && self.next >= self.asked + READ_AHEAD) {
            return None;
        }
        let len = self.span_len(share);
        let has_room = self.make_room(len, share);
        (is_urgent || has_room).then_some(Need { start: self.next, len, is_urgent })
    }

    /// How long the next span is: a quarter of the share, so that three can be read ahead.
    fn span_len(&self, share: u64) -> u64 {
        let most = (share / 4).clamp(MIN_SPAN, BLOCK_LEN);
        let mut len = 1 << most.ilog2();
        while !self.next.is_multiple_of(len) {
            len >>= 1;
        }
        len.min(self.len - self.next)
    }

    /// Lets go of what was sent, the longest untouched first, until `len` more bytes are within the share.
    fn make_room(&mut self, len: u64, share: u64) -> bool {
        while self.held + len > share {
            let asked = self.asked;
            let was_sent = |(start, span): &(&u64, &Span)| {
                span.buffer.is_some() && !span.is_needed && *start + span.len <= asked
            };
            let sent = self.spans.iter().filter(was_sent);
            let Some((_, start)) = sent.map(|(start, span)| (span.touched, *start)).min() else {
                return false;
            };
            self.drop_span(start);
        }
        true
    }

    /// The span in memory that was touched least recently: when, and where it starts. Those that are needed do not count unless all
    /// do.
    pub(super) fn oldest(&self, all: bool) -> Option<(u64, u64)> {
        let held = self.spans.iter().filter(|(_, span)| span.buffer.is_some());
        let spare = held.filter(|(_, span)| all || !span.is_needed);
        spare.map(|(start, span)| (span.touched, *start)).min()
    }

    /// Lets go of a span.
    pub(super) fn drop_span(&mut self, start: u64) {
        if let Some(span) = self.spans.remove(&start) {
            self.held -= span.len;
        }
    }

    /// Starts the read that it needs.
    pub(super) fn start(&mut self, need: Need, buffer: Buffer, now: u64) -> Work {
        let Need { start, len, is_urgent } = need;
        // What is only read to see whether it has to be sent is not waited for itself.
        let is_needed = is_urgent && self.known.undecided(start).is_none();
        let span = Span { len, buffer: None, touched: now, is_needed };
        self.spans.insert(start, span);
        self.held += len;
        let file = Arc::clone(&self.file);
        if start < self.next {
            return Work::ReadAgain { file, start, buffer };
        }
        self.next = self.known.next_to_read(self.next + len);
        self.first_reads += 1;
        let last = self.next == self.len && self.first_reads == 1 && self.zeros.is_done();
        self.is_ended |= last;
        Work::Read { file, start, buffer, last }
    }

    /// Takes a span that was read for the first time.
    pub(super) fn on_read(
        &mut self,
        start: u64,
        read: Result<ReadSpan, Status>,
        now: u64,
        out: &mut Outbox,
    ) {
        self.first_reads -= 1;
        let ReadSpan { buffer, hashed, end } = match read {
            Ok(read) => read,
            Err(status) => return self.fail(status, out),
        };
        // A hole is only read where the receiver asked for it again, and its zeros are hashed as such.
        if !self.is_hole(start) {
            self.add(start, buffer.len() as u64, hashed, out);
        }
        self.keep(start, buffer, now, out);
        match end {
            Some(end) => self.tell_end(end, out),
            None => self.end_if_read(out),
        }
    }

    /// Looks at the file's end, once all of it was read that has to be.
    fn end_if_read(&mut self, out: &mut Outbox) {
        let is_read = self.next == self.len && self.first_reads == 0 && self.zeros.is_done();
        if is_read && !self.is_ended {
            self.is_ended = true;
            out.job(self.body, Work::End { file: Arc::clone(&self.file) });
        }
    }

    /// Takes what the receiver says of what it has.
    pub(super) fn held(&mut self, held: Held, out: &mut Outbox) {
        match held {
            Held::Groups(have) => {
                self.known.conclude();
                for range in have.groups.bytes(BodyLen::Known(self.len)) {
                    self.skip(range, out);
                }
            }
            Held::Hashes { first, hashes } => {
                for (index, hash) in (first..).zip(hashes) {
                    if let Some(same) = self.known.claim(index, hash) {
                        self.skip(same.clone(), out);
                        out.tell(Output::Skip { body: self.body, range: same });
                    }
                }
            }
            Held::Nothing => self.known.conclude(),
            Held::Again(index) => {
                let range = self.known.range(index);
                self.known.want(&range);
                self.released = self.released.min(range.start);
            }
        }
        self.wake(out);
    }

    /// Lets go of what the receiver has.
    fn skip(&mut self, range: Range<u64>, out: &mut Outbox) {
        let starts: Vec<u64> = self.spans.range(range.clone()).map(|(start, _)| *start).collect();
        for start in starts {
            if self.spans.get(&start).is_some_and(|span| span.buffer.is_some()) {
                self.drop_span(start);
            }
        }
        self.known.skip(range);
        self.next = self.known.next_to_read(self.next);
        self.end_if_read(out);
    }

    /// Has what was asked for in vain be asked for again: it may be here, or not be needed any more.
    fn wake(&mut self, out: &mut Outbox) {
        if self.awaited.take().is_some() {
            out.readable(self.body);
        }
    }

    /// Takes a span that was read again.
    pub(super) fn on_read_again(
        &mut self,
        start: u64,
        read: Result<Buffer, Status>,
        now: u64,
        out: &mut Outbox,
    ) {
        match read {
            Ok(buffer) => self.keep(start, buffer, now, out),
            Err(status) => self.fail(status, out),
        }
    }

    fn keep(&mut self, start: u64, buffer: Buffer, now: u64, out: &mut Outbox) {
        if self.failed.is_some() {
            return;
        }
        match self.spans.get_mut(&start) {
            Some(span) if start + span.len > self.released => {
                span.buffer = Some(buffer);
                span.touched = now;
            }
            _ => self.drop_span(start),
        }
        if self.awaited.take_if(|_| start < self.asked).is_some() {
            out.readable(self.body);
        }
    }

    /// Takes what the file's end is.
    pub(super) fn on_end(&mut self, end: Result<End, Status>, out: &mut Outbox) {
        match end {
            Ok(end) => self.tell_end(end, out),
            Err(status) => self.fail(status, out),
        }
    }

    fn tell_end(&mut self, end: End, out: &mut Outbox) {
        self.is_ended = true;
        out.note(self.body, Note::End(end));
        if let Some(hash) = self.tree.root() {
            out.tell(Output::Read { body: self.body, hash });
        }
    }

    fn fail(&mut self, status: Status, out: &mut Outbox) {
        if self.failed.is_none() {
            self.failed = Some(status);
            self.spans.clear();
            self.held = 0;
            self.again.clear();
            out.fail(self.body, status);
        }
    }

    /// Lets go of what nobody asks for again.
    pub(super) fn release(&mut self, below: u64) {
        let before = self.released;
        self.released = before.max(below.min(self.len));
        let released = self.released;
        let passed = released.saturating_sub(before);
        let spared = self.known.skipped_in(&(before..released));
        self.travelled = self.travelled.saturating_add(passed.saturating_sub(spared));
        let is_past =
            |(start, span): (&u64, &Span)| span.buffer.is_some() && start + span.len <= released;
        while let Some(entry) = self.spans.first_entry()
            && is_past((entry.key(), entry.get()))
        {
            self.held -= entry.remove().len;
        }
    }
}
