//! Bytes with a checksum that knows where they stand.

use crc::{CRC_32_ISCSI, Crc, Digest, Table};

type Width = Table<16>;

static CRC: Crc<u32, Width> = Crc::<u32, Width>::new(&CRC_32_ISCSI);

/// Starts the checksum of what stands at `offset`.
fn digest(offset: u64) -> Digest<'static, u32, Width> {
    let mut digest = CRC.digest();
    digest.update(&offset.to_be_bytes());
    digest
}

/// Writes one record.
pub(super) struct Writer {
    offset: u64,
    bytes: Vec<u8>,
}

impl Writer {
    /// Of what will stand at `offset`.
    pub(super) const fn at(offset: u64) -> Self {
        Self { offset, bytes: Vec::new() }
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The record with its checksum.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let mut digest = digest(self.offset);
        digest.update(&self.bytes);
        self.bytes(&digest.finalize().to_be_bytes());
        self.bytes
    }
}

/// Reads records.
pub(super) struct Reader<'b> {
    bytes: &'b [u8],
    /// Where the record starts, and how far it was read.
    start: usize,
    at: usize,
}

impl<'b> Reader<'b> {
    pub(super) const fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, start: 0, at: 0 }
    }

    /// Starts a record here.
    pub(super) const fn begin(&mut self) {
        self.start = self.at;
    }

    pub(super) const fn offset(&self) -> u64 {
        self.at as u64
    }

    pub(super) fn take(&mut self, len: usize) -> Option<&'b [u8]> {
        let end = self.at.checked_add(len)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// Ends a record with its checksum; true if that is right.
    pub(super) fn check(&mut self) -> bool {
        let mut digest = digest(self.start as u64);
        digest.update(self.bytes.get(self.start..self.at).unwrap_or_default());
        self.array() == Some(digest.finalize().to_be_bytes())
    }
}
