//! What is said of a transfer that is done.

use std::{fmt, time::Duration};

use gannet_driver_mio::units::{format_duration, format_rate, format_size};
use gannet_protocol::Stats;

/// Bytes that were moved in a time: `1.10 GB in 2.30 s, 3.83 Gbit/s`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved {
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", format_size(self.bytes), format_duration(self.elapsed))?;
        match self.rate() {
            Some(rate) => write!(f, ", {}", format_rate(rate)),
            None => Ok(()),
        }
    }
}

impl Moved {
    /// Bits per second, if that means anything.
    fn rate(self) -> Option<u64> {
        let bits = u128::from(self.bytes).checked_mul(8 * 1_000_000_000)?;
        let rate = bits.checked_div(self.elapsed.as_nanos())?;
        u64::try_from(rate).ok().filter(|&rate| rate > 0)
    }
}

/// What is worth knowing of a connection that ends.
pub(crate) fn connection(stats: &Stats) -> String {
    format!(
        "connection to {}: round trip {}, packets of {} bytes, {} sent, {} lost, {} received; {} sent, {} resent",
        stats.remote,
        format_duration(stats.rtt),
        stats.mtu,
        stats.packets_sent,
        stats.packets_lost,
        stats.packets_received,
        format_size(stats.body_sent),
        format_size(stats.body_resent),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_time_and_rate_are_told() {
        let moved = Moved { bytes: 1_100_000_000, elapsed: Duration::from_millis(2_300) };
        assert_eq!(moved.to_string(), "1.10 GB in 2.30 s, 3.83 Gbit/s");
    }

    #[test]
    fn nothing_has_no_rate() {
        let moved = Moved { bytes: 0, elapsed: Duration::from_millis(1) };
        assert_eq!(moved.to_string(), "0 B in 1.00 ms");
        let moved = Moved { bytes: 9, elapsed: Duration::ZERO };
        assert_eq!(moved.to_string(), "9 B in 0 ns");
    }
}
