//! The cubic function that gives CUBIC its name (RFC 9438 section 4.2), in integers.

use core::time::Duration;

/// Seconds far out on the curve after which it is taken to stay: no window grows that long, and
/// their cube in microseconds still fits.
const FAR: u64 = 10_000 * 1_000_000;

/// Cubic microseconds in a cubic second.
const CUBIC_SECOND: u128 = 1_000_000_000_000_000_000;

/// The constant C of RFC 9438 section 5.1, 0.4 packets a cubic second, as a fraction.
const C: (u128, u128) = (2, 5);

/// `W_cubic`: a window as a function of the time since congestion avoidance began. It climbs fast
/// to where congestion was last met, stays a while, and climbs ever faster beyond.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    /// The window at the inflection point, in bytes: `W_max`.
    origin: u64,
    /// Microseconds from the start to that point: K.
    k: u64,
    mtu: u64,
}

impl Curve {
    /// The curve that starts at `window` and whose inflection point is at `w_max`, all in bytes.
    pub(super) fn new(window: u64, w_max: u64, mtu: u64) -> Self {
        let distance = u128::from(w_max.saturating_sub(window));
        let cube = (distance * C.1).saturating_mul(CUBIC_SECOND) / (C.0 * u128::from(mtu.max(1)));
        Self { origin: w_max.max(window), k: cube_root(cube), mtu }
    }

    /// The window `elapsed` after the start, in bytes.
    pub(super) fn at(&self, elapsed: Duration) -> u64 {
        let elapsed = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let distance = u128::from(elapsed.abs_diff(self.k).min(FAR)).pow(3);
        let height = distance.saturating_mul(C.0 * u128::from(self.mtu)) / (C.1 * CUBIC_SECOND);
        let height = u64::try_from(height).unwrap_or(u64::MAX);
        if elapsed < self.k {
            self.origin.saturating_sub(height)
        } else {
            self.origin.saturating_add(height)
        }
    }
}

/// The largest integer whose cube is at most `n`.
fn cube_root(n: u128) -> u64 {
    // The cube root of the largest u128 has 43 bits; each is set if the cube still fits.
    (0..43).rev().fold(0u64, |root, bit| {
        let larger = root | 1 << bit;
        match u128::from(larger).checked_pow(3) {
            Some(cube) if cube <= n => larger,
            _ => root,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_cube_roots_are_exact() {
        let mut root = 0u64;
        for n in 0..100_000u128 {
            if u128::from(root + 1).pow(3) <= n {
                root += 1;
            }
            assert_eq!(cube_root(n), root, "of {n}");
        }
    }

    #[test]
    fn follows_the_formula_of_the_rfc() {
        // From 70 to 100 packets: K is the cube root of 30 / 0.4, 4.217 s.
        let curve = Curve::new(70_000, 100_000, 1000);
        assert_eq!(curve.k, 4_217_163);
        let close = |at: f64| {
            let expected =
                (0.4 * (at - 4.217_163_f64) * (at - 4.217_163) * (at - 4.217_163) + 100.0) * 1000.0;
            let got = curve.at(Duration::from_micros((at * 1e6) as u64));
            assert!((got as f64 - expected).abs() < 2.0, "{got} for {expected} at {at}");
        };
        [0.0, 0.5, 2.0, 4.0, 4.3, 6.0, 20.0].into_iter().for_each(close);
    }

    proptest! {
        #[test]
        fn cube_root_is_the_largest_that_fits(n in any::<u128>(), shift in 0..128u32) {
            let n = n >> shift;
            let root = u128::from(cube_root(n));
            prop_assert!(root.pow(3) <= n);
            prop_assert!((root + 1).checked_pow(3).is_none_or(|cube| cube > n));
        }

        #[test]
        fn starts_at_the_window_and_only_climbs(
            window in 2_400..1u64 << 32,
            w_max in 0..1u64 << 32,
            mtu in 1_200..=65_507u64,
            mut times in prop::collection::vec(any::<u64>(), 2..20),
        ) {
            let curve = Curve::new(window, w_max, mtu);
            // A microsecond of K more or less moves the start, by more the steeper it is.
            let slope = mtu * 3 * 2 / 5 * (curve.k / 1_000_000 + 1).pow(2) / 1_000_000 + 1;
            let start = curve.at(Duration::ZERO);
            prop_assert!(start.abs_diff(window) <= slope, "{} for {}", start, window);
            times.sort_unstable();
            let mut before = start;
            for micros in times {
                let now = curve.at(Duration::from_micros(micros));
                prop_assert!(now >= before);
                before = now;
            }
        }
    }
}
