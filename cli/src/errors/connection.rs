//! Why there is no connection, and what to check.

use std::{fmt, net::SocketAddr};

use gannet_driver_mio::{
    client::{ConnectError, Lost},
    server::ServerError,
    trust::HostPort,
    units::format_duration,
};
use gannet_protocol::{CloseCode, CloseReason, Escaped};

use super::trust::WithCause;
use crate::names::Shown;

const NO_CRYPTOGRAPHY: &str = "this machine's cryptography fails; check that it has random numbers";
/// Most addresses that a message names.
const MOST_ADDRESSES: usize = 4;

/// Says why `server` cannot be reached, in plain mode or sealed.
pub(super) fn connect(
    f: &mut fmt::Formatter<'_>,
    server: &HostPort,
    plain: bool,
    error: &ConnectError,
) -> fmt::Result {
    write!(f, "cannot connect to {server}: ")?;
    match error {
        ConnectError::Resolve { host, error } => write!(
            f,
            "the name {} has no address ({error}); check how it is written, or use an address",
            Escaped(host.as_bytes())
        ),
        ConnectError::Socket(error) => {
            write!(f, "no socket could be made ({error}); check this machine's network")
        }
        ConnectError::NoAnswer { tried, after } => {
            let refused = !tried.is_empty() && tried.iter().all(|(_, refused)| *refused);
            let after = format_duration(*after);
            if refused {
                write!(f, "no program listens there ({})", addresses(tried))?;
            } else {
                write!(f, "nothing answered in {after} ({})", addresses(tried))?;
            }
            let (port, mode) = (server.port(), if plain { " --plain" } else { "" });
            write!(
                f,
                "; check that 'gannet server {port}{mode}' runs there, and that UDP port {port} is \
                 open"
            )?;
            match (refused, plain) {
                (true, _) => Ok(()),
                (false, true) => f.write_str("; a server without --plain does not answer this"),
                (false, false) => {
                    f.write_str("; a server with --plain answers clients with --plain alone")
                }
            }
        }
        ConnectError::Version(address) => write!(
            f,
            "{address} speaks another version of the protocol; \
             install the same version of gannet on both machines"
        ),
        ConnectError::UnknownKey { key, .. } => {
            write!(f, "it has a key that nobody vouched for: {key}")
        }
        ConnectError::WrongKey { key, .. } => write!(f, "it has the wrong key: {key}"),
        ConnectError::Cryptography => f.write_str(NO_CRYPTOGRAPHY),
    }
}

fn addresses(tried: &[(SocketAddr, bool)]) -> String {
    let mut names: Vec<_> =
        tried.iter().take(MOST_ADDRESSES).map(|(address, _)| address.to_string()).collect();
    if tried.len() > MOST_ADDRESSES {
        names.push(format!("and {} more", tried.len() - MOST_ADDRESSES));
    }
    format!("tried {}", names.join(", "))
}

/// Says how the connection was lost.
pub(super) fn lost(f: &mut fmt::Formatter<'_>, lost: &Lost) -> fmt::Result {
    let Lost { remote, reason, refused, silent } = lost;
    write!(f, "lost the connection to {remote}: ")?;
    match reason {
        CloseReason::Local => f.write_str("it was closed here"),
        CloseReason::Peer(CloseCode::ShuttingDown) => {
            f.write_str("the server was told to shut down; start it again to go on")
        }
        CloseReason::Peer(CloseCode::Refused) => {
            f.write_str("the server does not know this client")
        }
        CloseReason::Peer(CloseCode::Done) => f.write_str("the server closed it; connect again"),
        CloseReason::Peer(CloseCode::Violation(violation)) => write!(
            f,
            "the server says that it got {violation} from here; \
             check that both sides run the same version"
        ),
        CloseReason::Peer(CloseCode::Unknown(code)) => write!(
            f,
            "the server closed it with code {code}; check that both sides run the same version"
        ),
        CloseReason::Violation(violation) => {
            write!(f, "the server sent {violation}; check that both sides run the same version")
        }
        CloseReason::Reset => f.write_str(
            "the server does not know it any more, since it has started again; connect again",
        ),
        CloseReason::KeysUsedUp | CloseReason::Peer(CloseCode::KeysUsedUp) => {
            f.write_str("its keys are used up, and a new connection gets new ones; connect again")
        }
        CloseReason::Version => f.write_str("the server speaks another version of the protocol"),
        CloseReason::UnknownKey(key) => {
            write!(f, "the server has a key that nobody vouched for: {key}")
        }
        CloseReason::WrongKey(key) => write!(f, "the server has the wrong key: {key}"),
        CloseReason::Cryptography(_) => f.write_str(NO_CRYPTOGRAPHY),
        CloseReason::Silence(_) | CloseReason::NoAnswer(_) if *refused => write!(
            f,
            "nothing listens there any more (last heard {} ago); \
             check whether the server still runs, and connect again",
            format_duration(*silent)
        ),
        CloseReason::Silence(_) | CloseReason::NoAnswer(_) => write!(
            f,
            "nothing was heard for {}; check the network and whether the server still runs, \
             and connect again",
            format_duration(*silent)
        ),
    }
}

/// Says why the server cannot start.
pub(super) fn start(f: &mut fmt::Formatter<'_>, error: &ServerError) -> fmt::Result {
    match error {
        ServerError::Root { path, error } => write!(
            f,
            "cannot share {}: {error}; name a directory that can be read with --root",
            Shown::from(&**path)
        ),
        ServerError::Bind { address, error } => write!(
            f,
            "cannot listen at {address}: {error}; \
             check that no other program uses the port, or let 0 pick a free one"
        ),
        ServerError::Clients(error) => write!(f, "{}", WithCause(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::{io, time::Duration};

    use crate::{errors::Error, outcome::Outcome};

    use super::*;

    fn unreachable(plain: bool, error: ConnectError) -> Error {
        Error::Connect { server: "10.0.0.1:5555".parse().unwrap(), plain, error }
    }

    fn silent() -> ConnectError {
        let tried = vec![("10.0.0.1:5555".parse().unwrap(), false)];
        ConnectError::NoAnswer { tried, after: Duration::from_secs(10) }
    }

    #[test]
    fn an_unreachable_server_is_told_by_address_time_and_what_to_check() {
        let error = unreachable(false, silent());
        let text = error.to_string();
        for part in ["10.0.0.1:5555", "10.0 s", "gannet server 5555", "UDP port 5555"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(error.outcome(), Outcome::Disconnected);
    }

    #[test]
    fn a_silent_server_may_be_one_of_the_other_mode() {
        let sealed = unreachable(false, silent()).to_string();
        assert!(sealed.contains("a server with --plain answers"), "{sealed}");
        let plain = unreachable(true, silent()).to_string();
        assert!(plain.contains("'gannet server 5555 --plain'"), "{plain}");
        assert!(plain.contains("a server without --plain"), "{plain}");
    }

    #[test]
    fn a_server_of_another_version_refuses() {
        let error = unreachable(false, ConnectError::Version("10.0.0.1:5555".parse().unwrap()));
        assert_eq!(error.outcome(), Outcome::Refused);
    }

    #[test]
    fn a_server_that_cannot_start_is_a_usage_error() {
        let error = io::Error::from(io::ErrorKind::AddrInUse);
        let address = "127.0.0.1:5555".parse().unwrap();
        let error = Error::Start(ServerError::Bind { address, error });
        assert!(error.to_string().contains("127.0.0.1:5555"));
        assert_eq!(error.outcome(), Outcome::Usage);
    }
}
