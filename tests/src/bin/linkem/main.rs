//! linkem: two network namespaces joined by an emulated, imperfect link.
//!
//! Runs in the foreground, prints `READY` once the link is up, and when told to stop (SIGTERM,
//! SIGINT or the end of a piped stdin) removes the namespaces and prints one JSON line of
//! statistics.

#[cfg(target_os = "linux")]
mod args;
#[cfg(target_os = "linux")]
mod direction;
#[cfg(target_os = "linux")]
mod emulate;
#[cfg(target_os = "linux")]
mod netns;
#[cfg(target_os = "linux")]
mod payload;
#[cfg(target_os = "linux")]
mod stop;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    match emulate::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("linkem: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("linkem: needs Linux, for its network namespaces and TUN interfaces");
    ExitCode::from(2)
}
