//! Parsers of single values.

use std::{net::IpAddr, num::NonZeroU64, time::Duration};

use clap::ValueEnum;
use gannet_driver_mio::{
    trust::MAX_LIFETIME,
    units::{parse_duration, parse_rate, parse_size},
};
use gannet_protocol::{CongestionKind, MIN_RATE};

/// A choice of congestion control.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Congestion {
    /// A model of the path: fast where packets get lost anyway
    #[default]
    Bbr,
    /// What most of TCP does: every loss slows it down
    Cubic,
}

impl From<Congestion> for CongestionKind {
    fn from(congestion: Congestion) -> Self {
        match congestion {
            Congestion::Bbr => Self::Bbr,
            Congestion::Cubic => Self::Cubic,
        }
    }
}

/// Nobody waits longer for a server to answer; a longer time is a slip of the unit.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// A server that is away for longer is not about to come back; a longer time is a slip of the unit.
const LONGEST_PATIENCE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// An address to listen at, in brackets or without.
pub(super) fn address(text: &str) -> Result<IpAddr, &'static str> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = bare.filter(|bare| bare.contains(':')).unwrap_or(text).parse();
    address.map_err(|_| "an address of this machine is needed, such as 0.0.0.0 or [::]")
}

/// A time to wait for an answer.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text).map_err(|error| error.to_string())?;
    match time {
        Duration::ZERO => Err("no server answers in no time".into()),
        long if long > LONGEST_TIMEOUT => Err("the longest is 1h".into()),
        time => Ok(time),
    }
}

/// The most that a connection takes.
pub(super) fn rate(text: &str) -> Result<NonZeroU64, String> {
    let rate = parse_rate(text).map_err(|error| error.to_string())?;
    let enough = NonZeroU64::new(rate).filter(|rate| rate.get() >= MIN_RATE);
    enough.ok_or_else(|| format!("the slowest is {}kbit", MIN_RATE / 1000))
}

/// A time to wait for a server that was lost.
pub(super) fn patience(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let time = parse_duration(text).map_err(|error| error.to_string())?;
    if time > LONGEST_PATIENCE { Err("the longest is 7d".into()) } else { Ok(time) }
}

/// For how long a ticket stands, in seconds.
pub(super) fn lifetime(text: &str) -> Result<u64, String> {
    let time = parse_duration(text).map_err(|error| error.to_string())?;
    match time.as_secs() {
        0 => Err("nobody uses a ticket within a second".into()),
        _ if time > MAX_LIFETIME => Err("the longest is 7d".into()),
        seconds => Ok(seconds),
    }
}

/// How much a directory may hold.
pub(super) fn size(text: &str) -> Result<u64, String> {
    parse_size(text).map_err(|error| error.to_string())
}
