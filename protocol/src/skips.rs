//! Packet numbers that are left out on purpose (RFC 9000, section 21.4).
//!
//! A peer that wants more than its share acknowledges packets before they arrive, so that the window grows beyond what the
//! path carries. It cannot know which numbers are never used: sooner or later it acknowledges one of them.

use alloc::collections::VecDeque;

/// The first number is left out among the first so many.
const FIRST_INTERVAL: u64 = 64;
/// The interval doubles up to this: each number left out costs the receiver a range, a gap that it tells at once, and two bytes
/// in some ACK frames. Who guesses is found out after about so many packets, 20 MB.
const MAX_INTERVAL: u64 = 1 << 14;
/// Numbers that are remembered. Those of an honest peer's acknowledgements span less.
const MAX_REMEMBERED: usize = 32;

/// Which packet numbers are left out.
#[derive(Debug)]
pub(crate) struct Skips {
    /// Those left out last, in order.
    recent: VecDeque<u64>,
    /// The one that is left out next.
    next: Option<u64>,
    interval: u64,
}

impl Skips {
    /// Leaves nothing out until it gets dice.
    pub(crate) const fn new() -> Self {
        Self { recent: VecDeque::new(), next: None, interval: FIRST_INTERVAL }
    }

    /// Whether `number` is left out. `dice` gives numbers that the peer cannot guess.
    pub(crate) fn skips(&mut self, number: u64, mut dice: impl FnMut() -> u64) -> bool {
        match self.next {
            Some(next) if number < next => return false,
            None => {
                self.choose(number, dice());
                return false;
            }
            Some(_) => {}
        }
        if self.recent.capacity() == 0 {
            self.recent.reserve_exact(MAX_REMEMBERED);
        }
        if self.recent.len() >= MAX_REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(number);
        self.interval = self.interval.saturating_mul(2).min(MAX_INTERVAL);
        self.choose(number, dice());
        true
    }

    /// Chooses the next one from the second half of an interval and the first of another.
    fn choose(&mut self, number: u64, dice: u64) {
        let ahead = (self.interval / 2).saturating_add(dice % self.interval);
        self.next = Some(number.saturating_add(ahead.max(1)));
    }

    /// How many of the numbers from `from` to below `to` were left out.
    pub(crate) fn between(&self, from: u64, to: u64) -> u64 {
        let below = |number| self.recent.partition_point(|skipped| *skipped < number);
        below(to).saturating_sub(below(from)) as u64
    }

    /// The oldest one that is remembered.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.recent.front().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn skipped(seed: u64, count: u64) -> (Skips, Vec<u64>) {
        let mut skips = Skips::new();
        let mut state = seed;
        let mut dice = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 20
        };
        let numbers = (0..count).filter(|number| skips.skips(*number, &mut dice)).collect();
        (skips, numbers)
    }

    proptest! {
        /// Rare and rarer, never two in a row, and counted right.
        #[test]
        fn few_numbers_are_left_out(seed in any::<u64>(), from in 0u64..100_000, len in 0u64..100_000) {
            let (skips, numbers) = skipped(seed, 200_000);
            prop_assert!(numbers[0] >= FIRST_INTERVAL / 2 && numbers[0] <= 2 * FIRST_INTERVAL);
            prop_assert!((8 + 6..=8 + 30).contains(&numbers.len()), "{}", numbers.len());
            prop_assert!(numbers.windows(2).all(|pair| pair[1] - pair[0] >= FIRST_INTERVAL / 2));
            let count = numbers.iter().filter(|n| (from..from + len).contains(n)).count() as u64;
            prop_assert_eq!(skips.between(from, from + len), count);
        }
    }

    #[test]
    fn other_dice_leave_other_numbers_out() {
        assert_ne!(skipped(1, 10_000).1, skipped(2, 10_000).1);
    }

    #[test]
    fn memory_is_bounded() {
        let (skips, numbers) = skipped(3, 3_000_000);
        assert!(numbers.len() > 4 * MAX_REMEMBERED);
        assert_eq!(skips.recent.len(), MAX_REMEMBERED);
        assert_eq!(skips.between(0, u64::MAX), MAX_REMEMBERED as u64);
    }
}
