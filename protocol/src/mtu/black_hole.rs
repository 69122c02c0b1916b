//! Notices that a path stopped to carry large packets (RFC 8899 section 4.3).

/// Large packets in a row, in the order of sending, whose loss is suspicious. At a random loss of
/// 30 % such a row comes once in 10^10 packets.
const LOSSES: u32 = 20;

/// Times that small packets get through while large ones sent before and after do not. An outage
/// loses a row of large packets too, and then may deliver a small one first, but only once.
const PASSAGES: u32 = 2;

/// The evidence that large packets get lost for their size.
///
/// A large packet is one as large as the MTU, nearly; the delivery of one acquits all sent before.
#[derive(Clone, Debug, Default)]
pub(super) struct BlackHole {
    /// The number after the newest large packet that was delivered.
    acquitted: u64,
    /// Large packets lost since.
    losses: u32,
    /// The newest of them.
    newest: u64,
    /// Whether there were such losses since a small packet last got through.
    fresh: bool,
    passages: u32,
}

impl BlackHole {
    /// Takes in that a large packet is lost.
    pub(super) fn on_lost(&mut self, number: u64) {
        if number >= self.acquitted {
            self.losses = self.losses.saturating_add(1);
            self.newest = self.newest.max(number);
            self.fresh = true;
        }
    }

    /// Takes in that a packet is delivered, `large` or small; whether the evidence is complete.
    pub(super) fn on_acked(&mut self, number: u64, large: bool) -> bool {
        if large {
            if number >= self.acquitted {
                *self = Self { acquitted: number.saturating_add(1), ..Self::default() };
            }
            return false;
        }
        if self.fresh && number > self.newest {
            self.fresh = false;
            self.passages = self.passages.saturating_add(1);
        }
        self.losses >= LOSSES && self.passages >= PASSAGES
    }
}
