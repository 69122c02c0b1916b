//! What congestion has taught of how much the path bears.

use crate::congestion::Gain;

/// What is left after congestion (`BBR.Beta`).
const BETA: Gain = Gain { of: 7, whole: 10 };

/// What is used of the long-term bound outside of probing, so that others find room (`1 - BBR.Headroom`).
const HEADROOM: Gain = Gain { of: 85, whole: 100 };

/// Growth of the long-term bound in a round of probing that reaches it without excessive loss.
const RISE: Gain = Gain { of: 9, whole: 8 };

/// What was delivered in a round: the rate in bytes a second, and the bytes in flight that it shows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Delivered {
    pub(super) rate: u64,
    pub(super) in_flight: u64,
}

/// Bounds of rate and window.
#[derive(Clone, Debug, Default)]
pub(super) struct Bounds {
    /// Bytes in flight above which probing met too much loss (`BBR.inflight_longterm`).
    long: Option<u64>,
    /// Rate and bytes in flight since congestion outside of probing, until the next probe (`BBR.bw_shortterm`,
    /// `BBR.inflight_shortterm`).
    short: Option<Delivered>,
}

impl Bounds {
    /// Probing met too much loss with `in_flight` bytes on a path that holds `target`.
    pub(super) fn met_limit(&mut self, in_flight: u64, target: u64) {
        self.long = Some(in_flight.max(BETA.scale(target)));
    }

    /// There is congestion though nobody probes: `last` was delivered in the last round, and `current` was allowed.
    pub(super) fn met_congestion(&mut self, last: Delivered, current: Delivered) {
        self.short = Some(Delivered {
            rate: last.rate.max(BETA.scale(current.rate)),
            in_flight: last.in_flight.max(BETA.scale(current.in_flight)),
        });
    }

    /// What congestion outside of probing taught is tried anew.
    pub(super) fn forget_short(&mut self) {
        self.short = None;
    }

    /// A round of probing ended with the window at the bound.
    pub(super) fn raise(&mut self, reached: u64) {
        if let Some(long) = &mut self.long
            && reached >= *long
        {
            *long = RISE.scale(*long);
        }
    }

    /// The rate, bounded.
    pub(super) fn rate(&self, rate: u64) -> u64 {
        self.short.map_or(rate, |short| short.rate.min(rate))
    }

    /// Bytes in flight with room left for others.
    pub(super) fn with_headroom(&self) -> u64 {
        self.long.map_or(u64::MAX, |long| HEADROOM.scale(long))
    }

    /// Bytes in flight, bounded; while probing only by the long-term bound.
    pub(super) fn window(&self, window: u64, probing: bool, headroom: bool) -> u64 {
        let long = if headroom { self.with_headroom() } else { self.long.unwrap_or(u64::MAX) };
        let short = self.short.filter(|_| !probing).map_or(u64::MAX, |short| short.in_flight);
        window.min(long).min(short)
    }
}
