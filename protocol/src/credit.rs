//! Credit: how much a peer may send before we have room again (docs/protocol.md, "Credit").

use core::time::Duration;

use crate::Instant;

/// What the peer lets us send.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SendCredit {
    limit: u64,
    used: u64,
}

impl SendCredit {
    /// Takes in a limit; limits never shrink.
    pub(crate) fn raise(&mut self, limit: u64) {
        self.limit = self.limit.max(limit);
    }

    /// What may be sent now.
    pub(crate) const fn available(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    /// Takes in that so much was sent for the first time.
    pub(crate) fn spend(&mut self, amount: u64) {
        self.used = self.used.saturating_add(amount);
    }
}

/// What we let the peer send: a window over what was received and is not yet settled.
#[derive(Clone, Debug)]
pub(crate) struct RecvCredit {
    window: u64,
    max_window: u64,
    /// The limit that the peer knows of, or will.
    told: u64,
    /// What it has used of it.
    charged: u64,
    /// What was charged and is done with: written, discarded, or never to come.
    settled: u64,
    /// When the window last began to be measured, and what was settled then.
    epoch: (Instant, u64),
}

/// The peer sent more than it may.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct OverCredit;

/// The limit is told anew when it has grown by this share of the window, a quarter.
const UPDATE_SHARE: u64 = 4;
/// The window doubles when half of it is used up within so many round trips: then it, and not the path, may be
/// what limits.
const GROWTH_ROUND_TRIPS: u32 = 2;

impl RecvCredit {
    /// A window that grows by itself from `window` to `max_window`.
    pub(crate) const fn new(window: u64, max_window: u64) -> Self {
        Self { window, max_window, told: window, charged: 0, settled: 0, epoch: (Instant::ZERO, 0) }
    }

    /// The limit as last told.
    pub(crate) const fn limit(&self) -> u64 {
        self.told
    }

    /// What the peer may still use of it.
    pub(crate) const fn left(&self) -> u64 {
        self.told.saturating_sub(self.charged)
    }

    /// The window now.
    pub(crate) const fn window(&self) -> u64 {
        self.window
    }

    /// Takes in that the peer used so much.
    pub(crate) fn charge(&mut self, amount: u64) -> Result<(), OverCredit> {
        let charged = self.charged.saturating_add(amount);
        if charged > self.told {
            return Err(OverCredit);
        }
        self.charged = charged;
        Ok(())
    }

    /// Takes in that so much of what was charged is done with.
    pub(crate) fn settle(&mut self, amount: u64) {
        self.settled = self.settled.saturating_add(amount).min(self.charged);
    }

    /// Lets the window grow if it was used up fast.
    pub(crate) fn grow(&mut self, now: Instant, rtt: Duration) {
        let (since, settled) = self.epoch;
        if self.settled.saturating_sub(settled) < self.window / 2 {
            return;
        }
        if now.saturating_since(since) < rtt * GROWTH_ROUND_TRIPS {
            self.window = self.window.saturating_mul(2).min(self.max_window);
        }
        self.epoch = (now, self.settled);
    }

    /// Lets the window grow by one.
    pub(crate) fn widen(&mut self) {
        self.window = self.window.saturating_add(1).min(self.max_window);
    }

    /// Sets the window, where another decides.
    pub(crate) fn set_window(&mut self, window: u64) {
        self.window = self.window.max(window);
    }

    /// Whether the peer should be told of a higher limit.
    pub(crate) fn wants_update(&self) -> bool {
        self.next_limit().saturating_sub(self.told) >= (self.window / UPDATE_SHARE).max(1)
    }

    /// Raises the limit as far as it goes, to be told; gives it.
    pub(crate) fn update(&mut self) -> u64 {
        self.told = self.told.max(self.next_limit());
        self.told
    }

    const fn next_limit(&self) -> u64 {
        self.settled.saturating_add(self.window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever comes, what is unsettled never exceeds the largest window, and once all is settled the whole window is
        /// open again.
        #[test]
        fn the_unsettled_fit_the_window_and_it_reopens(
            steps in prop::collection::vec((0u64..5000, 0u64..5000, 0u64..50), 1..200),
        ) {
            let mut credit = RecvCredit::new(4000, 32_000);
            let mut now = Instant::ZERO;
            let (mut charged, mut settled) = (0u64, 0u64);
            for (charge, settle, ms) in steps {
                now = now + Duration::from_millis(ms);
                if credit.charge(charge).is_ok() {
                    charged += charge;
                } else {
                    prop_assert!(charged + charge > credit.limit());
                }
                let settle = settle.min(charged - settled);
                credit.settle(settle);
                settled += settle;
                credit.grow(now, Duration::from_millis(20));
                if credit.wants_update() {
                    credit.update();
                }
                prop_assert!(charged - settled <= credit.window());
                prop_assert!(credit.window() <= 32_000);
            }
            credit.settle(charged - settled);
            prop_assert_eq!(credit.update(), charged + credit.window());
        }
    }

    #[test]
    fn the_window_grows_when_it_is_used_up_within_two_round_trips_and_not_otherwise() {
        let rtt = Duration::from_millis(100);
        let mut credit = RecvCredit::new(1000, 4000);
        let mut now = Instant::ZERO;
        for (ms, window) in [(150, 2000), (150, 4000), (150, 4000)] {
            now = now + Duration::from_millis(ms);
            let all = credit.window();
            credit.charge(all).unwrap();
            credit.settle(all);
            credit.grow(now, rtt);
            credit.update();
            assert_eq!(credit.window(), window);
        }
        let mut slow = RecvCredit::new(1000, 4000);
        slow.charge(1000).unwrap();
        slow.settle(1000);
        slow.grow(Instant::ZERO + rtt * 3, rtt);
        assert_eq!(slow.window(), 1000);
    }
}
