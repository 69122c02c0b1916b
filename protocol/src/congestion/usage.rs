//! Whether what is allowed is used.

/// How much of the window was used: one that is not used says nothing about the path and must not
/// grow (RFC 9002 section 7.8).
#[derive(Clone, Debug, Default)]
pub(super) struct Usage {
    /// Most bytes in flight in this round.
    peak: u64,
    /// Most bytes in flight in the last one.
    last_peak: u64,
}

impl Usage {
    pub(super) fn on_sent(&mut self, in_flight: u64) {
        self.peak = self.peak.max(in_flight);
    }

    /// A new round begins.
    pub(super) fn turn(&mut self) {
        self.last_peak = core::mem::take(&mut self.peak);
    }

    /// Whether `window` was filled with packets of `mtu` bytes. In slow start the window runs ahead of what pacing
    /// lets out, by up to two; later an eighth is left for the pacer's and the timers' grain.
    pub(super) fn filled(&self, window: u64, mtu: u64, in_slow_start: bool) -> bool {
        let peak = self.peak.max(self.last_peak);
        if in_slow_start {
            peak.saturating_mul(2) >= window
        } else {
            peak.saturating_add(mtu).saturating_add(window / 8) > window
        }
    }
}
