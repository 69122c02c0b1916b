//! What chance has in store for each packet.

use super::config::{Burst, LinkConfig};
use std::time::Duration;

/// Decides by seed and by the packet's number alone: the n-th packet's draws do not depend on
/// what is configured besides the chance at hand, nor on what became of earlier packets.
#[derive(Debug)]
pub(super) struct Dice {
    random: SplitMix64,
    in_bad_state: bool,
}

/// What happens to one packet.
#[derive(Debug)]
pub(super) struct Fate {
    pub(super) lost: bool,
    pub(super) jitter: Duration,
    pub(super) held_back: bool,
    pub(super) duplicated: bool,
    pub(super) corrupted: bool,
    pub(super) corrupted_unseen: bool,
    /// Where it is corrupted, evenly distributed.
    pub(super) place: u64,
}

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self { random: SplitMix64(seed), in_bad_state: false }
    }

    /// Draws equally often for every packet.
    pub(super) fn throw(&mut self, config: &LinkConfig) -> Fate {
        let lost = self.random.happens(config.loss);
        let (chance, change) = (self.random.unit(), self.random.unit());
        let lost_in_burst = config.burst.is_some_and(|burst| self.burst(&burst, chance, change));
        Fate {
            lost: lost || lost_in_burst,
            jitter: self.random.up_to(config.jitter),
            held_back: self.random.happens(config.reorder),
            duplicated: self.random.happens(config.duplicate),
            corrupted: self.random.happens(config.corrupt),
            corrupted_unseen: self.random.happens(config.corrupt_unseen),
            place: self.random.next(),
        }
    }

    fn burst(&mut self, burst: &Burst, chance: f64, change: f64) -> bool {
        let (loss, leave) = if self.in_bad_state {
            (burst.loss_in_bad, burst.bad_to_good)
        } else {
            (burst.loss_in_good, burst.good_to_bad)
        };
        self.in_bad_state ^= change < leave;
        chance < loss
    }
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators": small, seedable and
/// even enough for dropping packets.
#[derive(Debug)]
struct SplitMix64(u64);

impl SplitMix64 {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// At least 0 and below 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn happens(&mut self, chance: f64) -> bool {
        self.unit() < chance
    }

    /// From nothing to `most`.
    fn up_to(&mut self, most: Duration) -> Duration {
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        let share = (u128::from(self.next()) * (u128::from(nanos) + 1)) >> 64;
        Duration::from_nanos(u64::try_from(share).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the reference implementation with the seed 1234567.
    #[test]
    fn splitmix64_draws_the_published_numbers() {
        let mut random = SplitMix64(1_234_567);
        let drawn = [random.next(), random.next(), random.next()];
        assert_eq!(
            drawn,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }
}
