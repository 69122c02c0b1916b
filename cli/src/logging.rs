//! What the libraries log, on stderr.

use std::io::Write as _;

use env_logger::Env;
use log::LevelFilter;

use crate::args::Verbosity;

/// The environment variable that overrides what `-v` and `-q` say, in the syntax of env_logger: `debug`,
/// `gannet_driver_mio=trace`.
const VARIABLE: &str = "GANNET_LOG";

/// Whose log it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    /// A server's, which tells a line a request by default.
    Server,
    /// A client's, which tells warnings alone by default.
    Client,
}

/// Starts logging.
pub(crate) fn start(role: Role, verbosity: Verbosity) {
    env_logger::Builder::new()
        .filter_level(level(role, verbosity))
        .parse_env(Env::new().filter(VARIABLE))
        .format(|line, record| {
            let time = line.timestamp_seconds();
            match record.level() {
                log::Level::Info => writeln!(line, "{time} {}", record.args()),
                level => writeln!(line, "{time} {}: {}", level_name(level), record.args()),
            }
        })
        .init();
}

fn level(role: Role, Verbosity { quiet, verbose }: Verbosity) -> LevelFilter {
    match (role, quiet, verbose) {
        (_, true, _) => LevelFilter::Error,
        (Role::Server, _, 0) | (Role::Client, _, 1) => LevelFilter::Info,
        (Role::Client, _, 0) => LevelFilter::Warn,
        (Role::Server, _, 1) | (Role::Client, _, 2) => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    }
}

const fn level_name(level: log::Level) -> &'static str {
    match level {
        log::Level::Error => "error",
        log::Level::Warn => "warning",
        log::Level::Info => "info",
        log::Level::Debug => "debug",
        log::Level::Trace => "trace",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_logs_its_requests_and_a_client_its_warnings_by_default() {
        let say = |quiet, verbose| Verbosity { quiet, verbose };
        assert_eq!(level(Role::Server, say(false, 0)), LevelFilter::Info);
        assert_eq!(level(Role::Client, say(false, 0)), LevelFilter::Warn);
        assert_eq!(level(Role::Server, say(true, 0)), LevelFilter::Error);
        assert_eq!(level(Role::Client, say(false, 9)), LevelFilter::Trace);
    }
}
