//! compare: gannet beside what a user would take instead, over the same emulated links, in turn.
//!
//! Each run is one command that fetches a file, timed from its start to its exit, with nothing tuned; what arrived is compared
//! afterwards. Prints a table of medians, and draws it as SVG.

#[cfg(target_os = "linux")]
mod args;
#[cfg(target_os = "linux")]
mod chart;
#[cfg(target_os = "linux")]
mod lab;
#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod peer;
#[cfg(target_os = "linux")]
mod results;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod scenario;
#[cfg(target_os = "linux")]
mod side;
#[cfg(target_os = "linux")]
mod table;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    match run::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("compare: needs Linux, for its network namespaces and TUN interfaces");
    ExitCode::from(2)
}
