//! What a path gave when it was last used, so that the next connection need not find it out from nothing.

use core::time::Duration;

use crate::wire::params::PathHint;

/// What a path gave when it was last used: comes out of [`crate::Session::path_memory`], and goes into
/// [`crate::Endpoint::connect_again`]. It is only where the next connection begins to look, however wrong it is
/// (docs/protocol.md, "Resuming").
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PathMemory {
    /// The least round-trip time.
    pub rtt: Duration,
    /// UDP payload bytes of a full packet.
    pub mtu: u16,
    /// UDP payload bytes a second that the path carried to the server; 0 if not known.
    pub up: u64,
    /// And from it.
    pub down: u64,
}

impl PathMemory {
    /// Takes in what a later connection met. What it did not measure stays, and a rate that was lower, perhaps for other reasons
    /// than the path, is approached by half.
    #[must_use]
    pub fn updated(self, later: Self) -> Self {
        Self { up: blend(self.up, later.up), down: blend(self.down, later.down), ..later }
    }

    /// What concerns a sender at this end.
    pub(crate) const fn of_sending(&self) -> PathHint {
        PathHint { rate: self.up, rtt: self.rtt, mtu: self.mtu }
    }

    /// What concerns a sender at the other end.
    pub(crate) const fn of_receiving(&self) -> PathHint {
        PathHint { rate: self.down, rtt: self.rtt, mtu: self.mtu }
    }
}

fn blend(known: u64, later: u64) -> u64 {
    match later {
        0 => known,
        later if later >= known => later,
        later => known.midpoint(later),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(up: u64, down: u64, ms: u64) -> PathMemory {
        PathMemory { rtt: Duration::from_millis(ms), mtu: 1472, up, down }
    }

    #[test]
    fn a_later_rate_counts_if_it_is_more_and_half_if_it_is_less() {
        let updated = memory(100, 100, 5).updated(memory(200, 50, 7));
        assert_eq!(updated, memory(200, 75, 7));
        assert_eq!(updated.updated(memory(0, 0, 3)), memory(200, 75, 3));
        assert_eq!(memory(0, u64::MAX, 1).updated(memory(1, 1, 1)).down, 1 << 63);
    }
}
