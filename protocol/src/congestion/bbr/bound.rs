//! What probing has taught of how much the path bears.

use crate::congestion::Gain;

/// What of the path's product is borne at least (`BBR.Beta`).
const BETA: Gain = Gain { of: 7, whole: 10 };

/// What is used of the bound outside of probing, so that others find room (`1 - BBR.Headroom`).
const HEADROOM: Gain = Gain { of: 90, whole: 100 };

/// Growth of the bound in a round of probing that reaches it without excessive loss.
const RISE: Gain = Gain { of: 9, whole: 8 };

/// The same where such rounds delivered more and more with the queue empty, two of them and more: the bound is that of a path that
/// was much slower, or was bad luck.
const PAID_TWICE: Gain = Gain { of: 3, whole: 2 };
const PAID: Gain = Gain { of: 2, whole: 1 };

/// What was delivered in a round: the rate in bytes a second, and the bytes in flight that it shows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Delivered {
    pub(super) rate: u64,
    pub(super) in_flight: u64,
}

/// Bytes in flight above which probing met too much loss (`BBR.inflight_longterm`).
#[derive(Clone, Debug, Default)]
pub(super) struct Bound(Option<u64>);

impl Bound {
    /// Probing met too much loss with `in_flight` bytes on a path that holds `target`.
    pub(super) fn met_limit(&mut self, in_flight: u64, target: u64) {
        self.0 = Some(in_flight.max(BETA.scale(target)));
    }

    /// A round of probing ended with the window at `reached`; so many in a row `paid`.
    pub(super) fn raise(&mut self, reached: u64, paid: u32) {
        let rise = match paid {
            0 | 1 => RISE,
            2 => PAID_TWICE,
            _ => PAID,
        };
        if let Some(bound) = &mut self.0
            && reached >= *bound
        {
            *bound = rise.scale(*bound);
        }
    }

    /// Bytes in flight with room left for others.
    pub(super) fn with_headroom(&self) -> u64 {
        self.0.map_or(u64::MAX, |bound| HEADROOM.scale(bound))
    }

    /// Bytes in flight.
    pub(super) fn get(&self) -> u64 {
        self.0.unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_that_is_far_too_low_is_left_soon() {
        let mut bound = Bound::default();
        bound.met_limit(8_000, 0);
        bound.raise(7_999, 5);
        assert_eq!(bound.get(), 8_000);
        let reached = |bound: &mut Bound, paid| {
            bound.raise(bound.get(), paid);
            bound.get()
        };
        assert_eq!(
            [0, 1, 2, 3].map(|paid| reached(&mut bound, paid)),
            [9_000, 10_125, 15_187, 30_374]
        );
    }
}
