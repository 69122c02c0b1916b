//! What became of the packets.

/// Counts of packets, unless the name says bytes. Always holds:
/// `packets + duplicated = delivered + dropped() + in flight`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Packets offered to the link.
    pub packets: u64,
    /// Bytes offered to the link, without overhead.
    pub bytes: u64,
    /// Packets that came out, duplicates too.
    pub delivered: u64,
    /// Bytes that came out.
    pub delivered_bytes: u64,
    /// Dropped because the queue was full, or for the model's own limit of 640 MiB on the way.
    pub dropped_queue: u64,
    /// Lost on the way at random.
    pub dropped_loss: u64,
    /// Dropped in a blackout.
    pub dropped_blackout: u64,
    /// Dropped for being larger than the MTU.
    pub dropped_size: u64,
    /// Held back, so that later packets overtook them.
    pub reordered: u64,
    /// Second copies made.
    pub duplicated: u64,
    /// Packets with flipped bits.
    pub corrupted: u64,
    /// The most that ever waited for the bottleneck, in bytes with overhead.
    pub queue_peak_bytes: u64,
}

impl Counters {
    /// Packets that were dropped, for whatever reason.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped_queue + self.dropped_loss + self.dropped_blackout + self.dropped_size
    }

    /// Every count with its name, in the order of the fields.
    #[must_use]
    pub const fn fields(&self) -> [(&'static str, u64); 12] {
        [
            ("packets", self.packets),
            ("bytes", self.bytes),
            ("delivered", self.delivered),
            ("delivered_bytes", self.delivered_bytes),
            ("dropped_queue", self.dropped_queue),
            ("dropped_loss", self.dropped_loss),
            ("dropped_blackout", self.dropped_blackout),
            ("dropped_size", self.dropped_size),
            ("reordered", self.reordered),
            ("duplicated", self.duplicated),
            ("corrupted", self.corrupted),
            ("queue_peak_bytes", self.queue_peak_bytes),
        ]
    }
}
