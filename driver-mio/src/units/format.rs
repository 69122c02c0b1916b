//! To text.

use std::time::Duration;

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// The longest time that is told, such that rounding it up to an hour still fits in 64 bits of
/// nanoseconds, which is what the parser takes: 584 years.
const LONGEST: u64 = u64::MAX - HOUR;

/// A size with three significant digits: `999 B`, `1.50 GB`.
///
/// ```
/// # use gannet_driver_mio::units::format_size;
/// assert_eq!(format_size(1_499_999_999), "1.50 GB");
/// ```
#[must_use]
pub fn format_size(bytes: u64) -> String {
    three_digits(bytes, &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

/// A rate in bits per second with three significant digits: `98.7 Mbit/s`.
///
/// ```
/// # use gannet_driver_mio::units::format_rate;
/// assert_eq!(format_rate(98_712_345), "98.7 Mbit/s");
/// ```
#[must_use]
pub fn format_rate(bits_per_second: u64) -> String {
    three_digits(bits_per_second, &["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"])
}

/// A time: with three significant digits below a minute (`81.3 ms`), else in its two largest
/// units (`1m30s`, `2h05m`, `3d04h`). More than 584 years is told as that.
///
/// ```
/// # use gannet_driver_mio::units::format_duration;
/// # use std::time::Duration;
/// assert_eq!(format_duration(Duration::from_micros(81_349)), "81.3 ms");
/// assert_eq!(format_duration(Duration::from_secs(7_499)), "2h05m");
/// ```
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).min(LONGEST);
    // From 59.95 s on, three digits of seconds would read 60.0.
    if nanos < MINUTE - SECOND / 20 {
        return three_digits(nanos, &["ns", "us", "ms", "s"]);
    }
    let (seconds, minutes) = (rounded(nanos, SECOND), rounded(nanos, MINUTE));
    if seconds < 60 * 60 {
        format!("{}m{:02}s", seconds / 60, seconds % 60)
    } else if minutes < 24 * 60 {
        format!("{}h{:02}m", minutes / 60, minutes % 60)
    } else {
        let hours = rounded(nanos, HOUR);
        format!("{}d{:02}h", hours / 24, hours % 24)
    }
}

/// Rounded to three digits in the smallest unit that has room for them, or to whole numbers of
/// the last; each unit is a thousand of the one before.
fn three_digits(count: u64, units: &[&str]) -> String {
    let (mut worth, mut whole, mut last) = (1, count, "");
    for unit in units {
        (whole, last) = (rounded(count, worth), unit);
        let (tenths, hundredths) = (rounded(count, worth / 10), rounded(count, worth / 100));
        if worth > 1 && hundredths < 1000 {
            return format!("{}.{:02} {unit}", hundredths / 100, hundredths % 100);
        } else if worth > 1 && tenths < 1000 {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        } else if whole < 1000 {
            break;
        }
        worth *= 1000;
    }
    format!("{whole} {last}")
}

/// How many `worth` are in `count`, rounded; for 0 as for 1.
fn rounded(count: u64, worth: u64) -> u64 {
    let worth = worth.max(1);
    count / worth + u64::from(count % worth >= worth.div_ceil(2))
}
