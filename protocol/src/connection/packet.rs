//! Packets under construction in the caller's buffer, and batches of them.

use crate::{
    Protect,
    wire::{
        cursor::Writer,
        packet::{ConnectionId, DATA_HEADER, write_data_header},
    },
};

/// A packet under construction; it exists only once [`Self::seal`]ed. Dropping it leaves nothing behind.
#[must_use]
#[derive(Debug)]
pub(super) struct PacketBuilder<'b> {
    buf: &'b mut [u8],
    len: usize,
    number: u64,
    tag_len: usize,
}

/// A place in a packet to come back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(usize);

impl<'b> PacketBuilder<'b> {
    /// Starts a packet that may fill all of `buf`.
    pub(super) fn new(
        buf: &'b mut [u8],
        to: ConnectionId,
        number: u64,
        tag_len: usize,
    ) -> Option<Self> {
        let len = write_data_header(buf, to, number)?;
        Some(Self { buf, len, number, tag_len })
    }

    /// Bytes that still find room.
    pub(super) fn room(&self) -> usize {
        self.buf.len().saturating_sub(self.len.saturating_add(self.tag_len))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == DATA_HEADER
    }

    /// Writes a frame, or nothing if it finds no room; tells which.
    pub(super) fn frame(&mut self, write: impl FnOnce(&mut Writer<'_>)) -> bool {
        let end = self.len.saturating_add(self.room());
        let mut w = Writer::new(self.buf.get_mut(self.len..end).unwrap_or_default());
        write(&mut w);
        match w.finish() {
            Some(len) => {
                self.len = self.len.saturating_add(len);
                true
            }
            None => false,
        }
    }

    /// Has `len` bytes filled in by `read`; they stay out if it fails or they find no room (`Err(None)`).
    pub(super) fn fill<E>(
        &mut self,
        len: usize,
        read: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<(), Option<E>> {
        if len > self.room() {
            return Err(None);
        }
        let end = self.len.saturating_add(len);
        read(self.buf.get_mut(self.len..end).unwrap_or_default()).map_err(Some)?;
        self.len = end;
        Ok(())
    }

    pub(super) const fn mark(&self) -> Mark {
        Mark(self.len)
    }

    /// Takes back what was written since.
    pub(super) fn rewind(&mut self, mark: Mark) {
        self.len = self.len.min(mark.0);
    }

    /// Fills the packet up to `len` bytes with PADDING.
    pub(super) fn pad_to(&mut self, len: usize) {
        let end = len.saturating_sub(self.tag_len);
        if let Some(padding) = self.buf.get_mut(self.len..end) {
            padding.fill(0);
            self.len = end;
        }
    }

    /// Protects the packet; gives its length, or nothing if it must not be sent.
    pub(super) fn seal(self, protection: &mut impl Protect) -> Option<usize> {
        let len = self.len.saturating_add(self.tag_len);
        protection.seal(self.number, DATA_HEADER, self.buf.get_mut(..len)?).ok()?;
        Some(len)
    }

    /// As [`Self::seal`], with `rest` behind what was written, if there is room for it.
    pub(super) fn seal_with(self, protection: &mut impl Protect, rest: &[u8]) -> Option<usize> {
        let len = self.len.saturating_add(rest.len()).saturating_add(self.tag_len);
        let packet = self.buf.get_mut(..len)?;
        protection.seal_with(self.number, DATA_HEADER, packet, rest).ok()?;
        Some(len)
    }
}

/// Packets side by side for one send call: all of one size but the last (segmentation offload, GSO).
#[derive(Debug)]
pub(super) struct Batch<'b> {
    out: &'b mut [u8],
    len: usize,
    segment: usize,
    packets: usize,
    full: bool,
}

/// Most packets of a batch: what Linux kernels take at once.
pub(super) const MAX_SEGMENTS: usize = 64;
/// Most bytes of a batch: over about 65,500 the kernel refuses it or cuts it itself.
const MAX_BATCH: usize = 65_400;

impl<'b> Batch<'b> {
    /// An empty batch of packets of up to `segment` bytes.
    pub(super) fn new(out: &'b mut [u8], segment: usize) -> Self {
        let room = out.len().min(MAX_BATCH);
        Self {
            out: out.get_mut(..room).unwrap_or_default(),
            len: 0,
            segment,
            packets: 0,
            full: false,
        }
    }

    /// Where the next packet goes, if there is one more.
    pub(super) fn slot(&mut self) -> Option<&mut [u8]> {
        if self.full || self.packets >= MAX_SEGMENTS {
            return None;
        }
        self.out.get_mut(self.len..self.len.checked_add(self.segment)?)
    }

    /// Takes in that the slot holds a packet of `len` bytes. A shorter one is the last.
    pub(super) fn push(&mut self, len: usize) {
        self.len = self.len.saturating_add(len);
        self.packets = self.packets.saturating_add(1);
        self.full = len < self.segment;
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Bytes of each packet but the last.
    pub(super) fn segment_len(&self) -> usize {
        self.segment.min(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Plain;

    #[test]
    fn what_is_taken_back_leaves_no_trace() {
        let mut buf = [0; 100];
        let mut builder = PacketBuilder::new(&mut buf, ConnectionId(1), 2, 4).unwrap();
        assert_eq!((builder.is_empty(), builder.room()), (true, 100 - 17 - 4));
        assert!(builder.frame(|w| w.u8(1)));
        let mark = builder.mark();
        assert!(builder.frame(|w| w.bytes(&[7; 40])));
        assert!(!builder.frame(|w| w.bytes(&[7; 40])));
        builder.rewind(mark);
        assert_eq!(builder.fill(5, |_| Err(())), Err(Some(())));
        assert_eq!(
            builder.fill(2, |b| {
                b.fill(9);
                Ok::<(), ()>(())
            }),
            Ok(())
        );
        let len = builder.seal(&mut Plain).unwrap();
        assert_eq!(len, 17 + 3 + 4);
        assert_eq!(Plain.open(2, 17, &mut buf[..len]), Ok(&[1, 9, 9][..]));
    }

    #[test]
    fn a_shorter_packet_ends_a_batch() {
        let mut out = [0; 5000];
        let mut batch = Batch::new(&mut out, 1200);
        for len in [1200, 1200, 700] {
            assert_eq!(batch.slot().map(|slot| slot.len()), Some(1200));
            batch.push(len);
        }
        assert!(batch.slot().is_none());
        assert_eq!((batch.len(), batch.segment_len()), (3100, 1200));
    }
}
