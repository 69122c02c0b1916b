//! What is said of a transfer that is done.

use std::{fmt, time::Duration};

use gannet_driver_mio::{
    client::Transferred,
    units::{format_duration, format_rate, format_size},
};
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
    pub(crate) fn rate(self) -> Option<u64> {
        let bits = u128::from(self.bytes).checked_mul(8 * 1_000_000_000)?;
        let rate = bits.checked_div(self.elapsed.as_nanos())?;
        u64::try_from(rate).ok().filter(|&rate| rate > 0)
    }
}

/// Bytes that did not travel: `, 21.0 MB kept, 4.29 GB of holes`, or as much of it as there is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spared {
    /// Those that were there before.
    kept: u64,
    /// Those of holes.
    holes: u64,
}

impl Spared {
    pub(crate) const fn of(done: &Transferred) -> Self {
        Self { kept: done.kept, holes: done.holes }
    }

    const fn and(self, other: Self) -> Self {
        Self {
            kept: self.kept.saturating_add(other.kept),
            holes: self.holes.saturating_add(other.holes),
        }
    }
}

impl fmt::Display for Spared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (bytes, what) in [(self.kept, "kept"), (self.holes, "of holes")] {
            if bytes > 0 {
                write!(f, ", {} {what}", format_size(bytes))?;
            }
        }
        Ok(())
    }
}

/// What became of some files.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Total {
    pub(crate) files: usize,
    /// Of all of them, moved or not.
    pub(crate) bytes: u64,
    /// Files that were there before as a whole.
    unchanged: usize,
    /// What was left out, as it is no file.
    pub(crate) skipped: usize,
    /// Bytes of the others that travelled, and those that did not.
    pub(crate) moved: u64,
    spared: Spared,
}

impl Total {
    /// Adds a file that is done.
    pub(crate) fn add(&mut self, done: &Transferred) {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(done.len);
        if done.unchanged {
            self.unchanged += 1;
        } else {
            self.moved = self.moved.saturating_add(done.travelled());
            self.spared = self.spared.and(Spared::of(done));
        }
    }

    /// `30.0 MB in 2.30 s, 104 Mbit/s, 21.0 MB kept, 4.29 GB of holes, 2 unchanged, 1 skipped`.
    pub(crate) fn shown(self, elapsed: Duration) -> impl fmt::Display {
        fmt::from_fn(move |f| {
            write!(f, "{}{}", Moved { bytes: self.moved, elapsed }, self.spared)?;
            for (count, what) in [(self.unchanged, "unchanged"), (self.skipped, "skipped")] {
                if count > 0 {
                    write!(f, ", {count} {what}")?;
                }
            }
            Ok(())
        })
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
    fn what_did_not_travel_is_told_apart() {
        let file = |len, kept, holes, unchanged| Transferred {
            name: None,
            len,
            hash: None,
            kept,
            holes,
            unchanged,
            elapsed: Duration::ZERO,
        };
        let mut total = Total::default();
        total.add(&file(1_000_000, 0, 0, false));
        assert_eq!(
            total.shown(Duration::from_secs(1)).to_string(),
            "1.00 MB in 1.00 s, 8.00 Mbit/s"
        );
        total.add(&file(30_000_000, 21_000_000, 0, false));
        total.add(&file(5_000_000, 5_000_000, 0, true));
        assert_eq!((total.files, total.bytes), (3, 36_000_000));
        assert_eq!(
            total.shown(Duration::from_secs(1)).to_string(),
            "10.0 MB in 1.00 s, 80.0 Mbit/s, 21.0 MB kept, 1 unchanged"
        );
        total.add(&file(4 << 30, 0, (4 << 30) - 2_000_000, false));
        assert_eq!(
            total.shown(Duration::from_secs(1)).to_string(),
            "12.0 MB in 1.00 s, 96.0 Mbit/s, 21.0 MB kept, 4.29 GB of holes, 1 unchanged"
        );
    }

    #[test]
    fn nothing_has_no_rate() {
        let moved = Moved { bytes: 0, elapsed: Duration::from_millis(1) };
        assert_eq!(moved.to_string(), "0 B in 1.00 ms");
        let moved = Moved { bytes: 9, elapsed: Duration::ZERO };
        assert_eq!(moved.to_string(), "9 B in 0 ns");
    }
}
