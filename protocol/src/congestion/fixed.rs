//! A rate that somebody set: for links that are one's own.

use core::{num::NonZeroU64, time::Duration};

use super::{Acked, Controller, INITIAL_WINDOW_PACKETS, Lost, MAXIMUM_WINDOW, Marked, Sent};
use crate::rtt::Rtt;

/// Round trips of sending that the window allows. Lost packets count as in flight until they are
/// found out, and queues lengthen the round trip: the window must not be what limits the rate.
const WINDOW_ROUND_TRIPS: u32 = 4;

/// Time of sending that the window allows at least: on short paths it is the timers and the
/// scheduling of both machines that delay acknowledgements, not the path.
const WINDOW_TIME: Duration = Duration::from_millis(100);

/// Sends at one rate, whatever gets lost.
#[derive(Clone, Debug)]
pub(crate) struct FixedRate {
    bytes_per_second: u64,
    /// Smallest window, in bytes.
    floor: u64,
    window: u64,
}

impl FixedRate {
    /// Sends `bits_per_second` in packets of up to `mtu` bytes, over a path of round-trip time
    /// `rtt`.
    pub(crate) fn new(bits_per_second: NonZeroU64, mtu: u64, rtt: &Rtt) -> Self {
        let bytes_per_second = bits_per_second.get().div_ceil(8);
        let mut fixed = Self { bytes_per_second, floor: 0, window: 0 };
        fixed.on_mtu(mtu);
        fixed.fit_window(rtt);
        fixed
    }

    fn fit_window(&mut self, rtt: &Rtt) {
        let time = (rtt.smoothed() * WINDOW_ROUND_TRIPS).max(WINDOW_TIME);
        let bytes = u128::from(self.bytes_per_second) * time.as_nanos() / 1_000_000_000;
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.window = bytes.min(MAXIMUM_WINDOW).max(self.floor);
    }
}

impl Controller for FixedRate {
    fn on_sent(&mut self, _: &Sent) {}

    fn on_acked(&mut self, acked: &Acked<'_>) {
        self.fit_window(acked.rtt);
    }

    fn on_lost(&mut self, _: &Lost) {}

    fn on_ecn(&mut self, _: &Marked) {}

    fn on_diverted(&mut self, _: &Rtt) {}

    fn resume(&mut self, _: u64) {}

    fn on_mtu(&mut self, mtu: u64) {
        self.floor = mtu.max(1).saturating_mul(INITIAL_WINDOW_PACKETS);
        self.window = self.window.max(self.floor);
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn pacing_rate(&self, _: &Rtt) -> u64 {
        self.bytes_per_second
    }

    fn in_slow_start(&self) -> bool {
        false
    }
}
