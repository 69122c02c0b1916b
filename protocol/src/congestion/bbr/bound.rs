//! What probing has taught of how much the path bears.

use crate::congestion::Gain;

/// What of the path's product is borne at least (`BBR.Beta`).
const BETA: Gain = Gain { of: 7, whole: 10 };

/// What is used of the bound outside of probing, so that others find room (`1 - BBR.Headroom`).
const HEADROOM: Gain = Gain { of: 90, whole: 100 };

/// Growth of the bound in a round of probing that reaches it without excessive loss.
const RISE: Gain = Gain { of: 9, whole: 8 };

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

    /// A round of probing ended with the window at the bound.
    pub(super) fn raise(&mut self, reached: u64) {
        if let Some(bound) = &mut self.0
            && reached >= *bound
        {
            *bound = RISE.scale(*bound);
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
