//! Parsers of single values.

use std::{net::IpAddr, time::Duration};

use gannet_driver_mio::units::parse_duration;

use crate::target::{TargetError, host_alone};

/// Nobody waits longer for a server to answer; a longer time is a slip of the unit.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// An address to listen at, in brackets or without.
pub(super) fn address(text: &str) -> Result<IpAddr, &'static str> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = bare.filter(|bare| bare.contains(':')).unwrap_or(text).parse();
    address.map_err(|_| "an address of this machine is needed, such as 0.0.0.0 or [::]")
}

/// A host without a port.
pub(super) fn host(text: &str) -> Result<String, TargetError> {
    host_alone(text)
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
