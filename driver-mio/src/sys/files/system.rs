//! What the system says of itself: which run it is, the time, random bytes.

use std::{
    io,
    sync::OnceLock,
    thread,
    time::{Duration, SystemTime},
};

use gannet_protocol::FileTime;

use crate::journal::BootId;

/// Which run of the system it is: asked for once, for a process that is confined may not be told later.
pub(crate) fn boot_id() -> BootId {
    static BOOT: OnceLock<BootId> = OnceLock::new();
    #[cfg(feature = "simulation")]
    if let Some(id) = crate::simulation::boot_id() {
        return BootId::Known(id);
    }
    *BOOT.get_or_init(|| read_boot_id().map_or(BootId::Unknown, BootId::Known))
}

/// Only Linux tells it so that it is told apart from all others for sure.
fn read_boot_id() -> Option<[u8; 16]> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let number = u128::from_str_radix(&text.trim().replace('-', ""), 16).ok()?;
    Some(number.to_be_bytes())
}

/// The time now.
pub(crate) fn time_of_now() -> FileTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or_else(
        |_| FileTime::default(),
        |since| FileTime::new(since.as_secs().try_into().unwrap_or_default(), since.subsec_nanos()),
    )
}

/// Bytes that nobody can guess.
///
/// # Errors
/// The system has none.
pub(crate) fn fill_random(bytes: &mut [u8]) -> io::Result<()> {
    #[cfg(feature = "simulation")]
    if crate::simulation::fill_random(bytes) {
        return Ok(());
    }
    getrandom::fill(bytes).map_err(io::Error::other)
}

/// Lets the calling thread rest.
pub(crate) fn pause(time: Duration) {
    #[cfg(feature = "simulation")]
    if crate::simulation::pause(time) {
        return;
    }
    thread::sleep(time);
}
