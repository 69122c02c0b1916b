//! The rate that one direction of a connection kept up.

use core::time::Duration;

use crate::Instant;

/// Shortest time over which a rate is measured: on short paths batches and timers are what would be seen.
const LEAST_WINDOW: Duration = Duration::from_millis(20);

/// Windows with bytes before a rate is believed: who has little to move, or only begins, has not filled the path.
const LEAST_WINDOWS: u32 = 8;

/// Watches bytes arrive, in windows of a round trip.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Throughput {
    /// When the window began, and the bytes since; none before the first.
    window: Option<(Instant, u64)>,
    /// The rates of the two windows before, in bytes a second.
    last: [u64; 2],
    /// The greatest rate of three windows in a row, and how many there were.
    best: u64,
    windows: u32,
}

impl Throughput {
    /// Takes in that `bytes` arrived, over a path of round-trip time `rtt`.
    pub(crate) fn on_bytes(&mut self, now: Instant, bytes: u64, rtt: Duration) {
        let Some((began, so_far)) = self.window else {
            self.window = Some((now, 0));
            return;
        };
        let elapsed = now.saturating_since(began);
        let sum = so_far.saturating_add(bytes);
        if elapsed < rtt.max(LEAST_WINDOW) {
            self.window = Some((began, sum));
            return;
        }
        let rate = u128::from(sum) * 1_000_000_000 / elapsed.as_nanos().max(1);
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        let [before, last] = self.last;
        self.best = self.best.max(rate.min(last).min(before));
        self.last = [last, rate];
        self.windows = self.windows.saturating_add(1);
        self.window = Some((now, 0));
    }

    /// The greatest rate that was kept up for three round trips, in bytes a second; 0 if too little was moved to tell.
    pub(crate) const fn best(&self) -> u64 {
        if self.windows < LEAST_WINDOWS { 0 } else { self.best }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(100);

    fn run(packets: impl Iterator<Item = (u64, u64)>) -> u64 {
        let mut throughput = Throughput::default();
        for (ms, bytes) in packets {
            throughput.on_bytes(Instant::ZERO + Duration::from_millis(ms), bytes, RTT);
        }
        throughput.best()
    }

    #[test]
    fn a_rate_that_is_kept_up_is_told() {
        assert_eq!(run((0..2000).map(|ms| (ms, 12_500))), 12_500_000);
    }

    #[test]
    fn a_single_burst_is_no_rate() {
        let best =
            run((0..2000).map(|ms| (ms, if (500..550).contains(&ms) { 90_000 } else { 1000 })));
        assert!(best < 1_100_000, "{best}");
    }

    #[test]
    fn a_short_transfer_tells_nothing() {
        assert_eq!(run((0..700).map(|ms| (ms, 12_500))), 0);
    }

    #[test]
    fn pauses_do_not_lower_it() {
        let best = run((0..2000).chain(60_000..60_010).map(|ms| (ms, 1000)));
        assert_eq!(best, 1_000_000);
    }
}
