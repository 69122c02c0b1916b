//! Datagrams on their way out.

use gannet_protocol::Transmit;

use super::{MAX_BATCH, MAX_SEGMENTS, from_ecn};

/// Room for one batch, which stays here until the system has taken all of it.
#[derive(Debug)]
pub(crate) struct Outbox {
    bytes: Box<[u8]>,
    transmit: Option<Transmit>,
    sent: usize,
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; MAX_BATCH].into_boxed_slice(), transmit: None, sent: 0 }
    }

    /// Whether a batch waits here.
    pub(crate) fn is_full(&self) -> bool {
        self.transmit.is_some()
    }

    /// Lets `make` put a batch here; false when there is none to put. Not to be called while one waits.
    pub(crate) fn fill(&mut self, make: impl FnOnce(&mut [u8]) -> Option<Transmit>) -> bool {
        debug_assert!(self.transmit.is_none(), "a batch would be lost");
        self.transmit = make(&mut self.bytes);
        self.sent = 0;
        self.transmit.is_some()
    }

    /// The next send: at most `segments` datagrams.
    pub(super) fn next(&mut self, segments: usize) -> Option<quinn_udp::Transmit<'_>> {
        let transmit = self.transmit.as_ref()?;
        let segment = transmit.segment_len.clamp(1, MAX_BATCH);
        let end = transmit.len.min(self.sent + segment * segments.clamp(1, MAX_SEGMENTS));
        let contents = self.bytes.get(self.sent..end).filter(|contents| !contents.is_empty());
        let Some(contents) = contents else {
            self.transmit = None;
            return None;
        };
        Some(quinn_udp::Transmit {
            destination: transmit.remote,
            ecn: transmit.ecn.map(from_ecn),
            contents,
            segment_size: (contents.len() > segment).then_some(segment),
            src_ip: transmit.local,
        })
    }

    /// Those bytes went.
    pub(super) fn advance(&mut self, len: usize) {
        self.sent = self.sent.saturating_add(len);
    }
}
