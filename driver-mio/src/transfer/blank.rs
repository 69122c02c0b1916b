//! Bodies without content: zeros that are sent and bytes that are forgotten, to measure how fast they travel.

use std::collections::BTreeMap;

use gannet_protocol::{BodyId, End, Identity, Note, Unread, Write};

use super::{Output, Progress, Received, outbox::Outbox};

/// All such bodies. They take no memory, and nothing of them is hashed.
#[derive(Debug, Default)]
pub(super) struct Blanks {
    /// How much of each that is sent is released.
    sent: BTreeMap<BodyId, u64>,
    received: BTreeMap<BodyId, Blank>,
}

/// A body whose bytes are forgotten as they come.
#[derive(Debug)]
struct Blank {
    len: u64,
    arrived: u64,
    is_ended: bool,
    /// It may be told to be stored.
    is_allowed: bool,
    is_over: bool,
}

impl Blanks {
    /// Sends so many zeros.
    pub(super) fn send(&mut self, body: BodyId, len: u64, out: &mut Outbox) {
        self.sent.insert(body, 0);
        out.note(body, Note::End(End { len, identity: Identity::default(), stable: true }));
    }

    pub(super) fn read(&self, body: BodyId, buf: &mut [u8]) -> Option<Result<(), Unread>> {
        self.sent.contains_key(&body).then(|| {
            buf.fill(0);
            Ok(())
        })
    }

    pub(super) fn release(&mut self, body: BodyId, below: u64) {
        if let Some(released) = self.sent.get_mut(&body) {
            *released = below.max(*released);
        }
    }

    /// Receives so many bytes.
    pub(super) fn receive(&mut self, body: BodyId, len: u64) {
        let blank = Blank { len, arrived: 0, is_ended: false, is_allowed: false, is_over: false };
        self.received.insert(body, blank);
    }

    /// Has it be told once all is here.
    pub(super) fn allow(&mut self, body: BodyId, out: &mut Outbox) {
        if let Some(blank) = self.received.get_mut(&body) {
            blank.is_allowed = true;
            blank.finish(body, out);
        }
    }

    pub(super) fn knows(&self, body: BodyId) -> bool {
        self.received.contains_key(&body)
    }

    pub(super) fn progress(&self, body: BodyId) -> Option<Progress> {
        let sent = self.sent.get(&body).copied();
        sent.or_else(|| Some(self.received.get(&body)?.arrived)).map(Progress::of_all)
    }

    pub(super) fn write(&mut self, write: Write<'_>, out: &mut Outbox) {
        out.settle(write.ticket);
        if let Some(blank) = self.received.get_mut(&write.body) {
            blank.arrived = blank.arrived.saturating_add(write.fresh as u64);
            blank.finish(write.body, out);
        }
    }

    pub(super) fn note(&mut self, body: BodyId, note: &Note, out: &mut Outbox) {
        if let (Some(blank), Note::End(_)) = (self.received.get_mut(&body), note) {
            blank.is_ended = true;
            blank.finish(body, out);
        }
    }

    pub(super) fn forget(&mut self, body: BodyId) {
        self.sent.remove(&body);
        self.received.remove(&body);
    }
}

impl Blank {
    fn finish(&mut self, body: BodyId, out: &mut Outbox) {
        let is_whole = self.is_ended && self.arrived >= self.len;
        if is_whole && self.is_allowed && !std::mem::replace(&mut self.is_over, true) {
            let len = self.len;
            let received = Received { len, hash: None, kept: 0, holes: 0, unchanged: false };
            out.tell(Output::Stored { body, received });
        }
    }
}
