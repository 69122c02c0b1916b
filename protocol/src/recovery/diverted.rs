//! Packets to a port where nobody is any more.

use core::time::Duration;

use crate::Instant;

/// Bytes that leave the path unheard. They fill its queues as any others: so they count for the window, and less with time, as if
/// they were acknowledged at the pace at which they went out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Diverted {
    bytes: u64,
    from: Instant,
    within: Duration,
}

impl Diverted {
    pub(super) const NONE: Self = Self::new(0, Instant::ZERO, Duration::ZERO);

    /// So many bytes, which are gone a round trip from now.
    pub(super) const fn new(bytes: u64, now: Instant, round_trip: Duration) -> Self {
        Self { bytes, from: now, within: round_trip }
    }

    /// Bytes that are on their way at that time.
    pub(super) fn left(&self, now: Instant) -> u64 {
        if self.bytes == 0 {
            // As for every packet of a path that stays, and a division is dear.
            return 0;
        }
        let left = self.within.saturating_sub(now.saturating_since(self.from)).as_nanos();
        let bytes = u128::from(self.bytes) * left / self.within.as_nanos().max(1);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// When no more than `bytes` are; none if that was never otherwise.
    pub(super) fn falls_to(&self, bytes: u64) -> Option<Instant> {
        let gone = self.bytes.checked_sub(bytes).filter(|gone| *gone > 0)?;
        let nanos = (self.within.as_nanos() * u128::from(gone)).div_ceil(u128::from(self.bytes));
        Some(self.from + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// They only become fewer, are all there at first and none after a round trip, and `falls_to` tells the truth.
        #[test]
        fn they_are_gone_within_a_round_trip(
            bytes in 0u64..1 << 32, round_trip in 1u64..1 << 36, part in 0u64..1 << 32, at in 0u64..1 << 37,
        ) {
            let diverted = Diverted::new(bytes, Instant::ZERO, Duration::from_nanos(round_trip));
            let left = |nanos| diverted.left(Instant::from_nanos(nanos));
            prop_assert_eq!(left(0), bytes);
            prop_assert_eq!(left(round_trip), 0);
            prop_assert!(left(at) >= left(at + 1));
            match diverted.falls_to(part) {
                None => prop_assert!(bytes <= part),
                Some(when) => {
                    prop_assert!(diverted.left(when) <= part);
                    let just_before = Instant::from_nanos(when.as_nanos() - 1);
                    prop_assert!(diverted.left(just_before) >= part);
                }
            }
        }
    }
}
