//! Round trips, counted in packet numbers.

/// Tells when a round trip ends: when a packet is acknowledged that was sent after it began.
#[derive(Clone, Debug, Default)]
pub(super) struct Round {
    /// The number after the last sent one.
    next: u64,
    /// The first number that belongs to the next round.
    end: u64,
}

impl Round {
    /// Takes in that the packet `number` is sent.
    pub(super) fn on_sent(&mut self, number: u64) {
        self.next = self.next.max(number.saturating_add(1));
    }

    /// Takes in that `largest` is acknowledged; whether a round begins with that.
    pub(super) fn on_acked(&mut self, largest: u64) -> bool {
        let ended = largest >= self.end;
        if ended {
            self.end = self.next;
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_with_the_first_packet_sent_in_it() {
        let mut round = Round::default();
        (0..10).for_each(|number| round.on_sent(number));
        assert!(round.on_acked(0));
        (10..20).for_each(|number| round.on_sent(number));
        assert!(!round.on_acked(9));
        assert!(round.on_acked(11));
        assert!(!round.on_acked(19));
        round.on_sent(20);
        assert!(round.on_acked(20));
    }
}
