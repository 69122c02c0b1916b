//! Finding the address of a host that answers.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use gannet_protocol::{CloseReason, Config, Expected, PublicKey};

use crate::{
    event_loop::EventLoop,
    files::{Durability, Keeper},
    security::{self, ClientSecurity},
    socket::Socket,
    sys::transfers_at_once,
};

use super::{
    ClientOptions, ConnectError, command::Line, fate::Fate, phase::Phase, remembering::Remembering,
    worker::Worker,
};

/// Time that an address gets before the next one is tried.
const PATIENCE: Duration = Duration::from_secs(3);
/// Time over which a host has to say that nothing listens before that is believed, where there is no other address: a
/// server may be just starting.
const REFUSAL_SPAN: Duration = Duration::from_secs(1);

/// A connection.
pub(super) struct Connected {
    pub(super) event_loop: Box<EventLoop<Worker>>,
    pub(super) line: Line,
    pub(super) peer: Option<Peer>,
}

/// Who is at the two ends of a sealed connection.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) key: PublicKey,
    pub(super) own: PublicKey,
    /// The hash of the handshake.
    pub(super) transcript: [u8; 32],
}

/// What came of an attempt.
enum Attempt {
    Connected(Connected),
    NoAnswer {
        refused: bool,
    },
    /// Someone answered, and no other address will do better.
    Hopeless(ConnectError),
}

/// Connects to the first address of `host` that answers.
pub(super) fn connect(
    host: &str,
    port: u16,
    options: &ClientOptions,
) -> Result<Connected, ConnectError> {
    let start = Instant::now();
    let addresses = resolve(host, port, options.connect_timeout)
        .map_err(|error| ConnectError::Resolve { host: host.to_owned(), error })?;
    first_of(&addresses, options, start)
}

/// Connects to the first of `addresses` that answers; the time runs since `start`.
pub(super) fn first_of(
    addresses: &[SocketAddr],
    options: &ClientOptions,
    start: Instant,
) -> Result<Connected, ConnectError> {
    let mut tried = Vec::new();
    let mut last_error = None;
    for (at, remote) in addresses.iter().enumerate() {
        let left = options.connect_timeout.saturating_sub(start.elapsed());
        if left.is_zero() && at > 0 {
            break;
        }
        let is_last = at + 1 == addresses.len();
        let patience = if is_last { left } else { left.min(PATIENCE) };
        match attempt(*remote, options, patience, is_last) {
            Ok(Attempt::Connected(connected)) => return Ok(connected),
            Ok(Attempt::Hopeless(error)) => return Err(error),
            Ok(Attempt::NoAnswer { refused }) => tried.push((*remote, refused)),
            Err(error) => {
                log::debug!("{remote} cannot be reached: {error}");
                last_error = Some(error);
            }
        }
    }
    match last_error {
        Some(error) if tried.is_empty() => Err(ConnectError::Socket(error)),
        _ => Err(ConnectError::NoAnswer { tried, after: start.elapsed() }),
    }
}

/// Asks the resolver, which knows no timeout: on a thread that is left to itself if it takes too long.
fn resolve(host: &str, port: u16, timeout: Duration) -> io::Result<Vec<SocketAddr>> {
    let (tell, answer) = channel();
    let host = host.to_owned();
    thread::Builder::new().name("gannet-resolve".into()).spawn(move || {
        let addresses = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
        let _ = tell.send(addresses);
    })?;
    let addresses: Vec<SocketAddr> = match answer.recv_timeout(timeout) {
        Ok(addresses) => addresses?,
        Err(RecvTimeoutError::Timeout) => return Err(io::ErrorKind::TimedOut.into()),
        Err(RecvTimeoutError::Disconnected) => Vec::new(),
    };
    if addresses.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(addresses) }
}

fn attempt(
    remote: SocketAddr,
    options: &ClientOptions,
    patience: Duration,
    is_last: bool,
) -> io::Result<Attempt> {
    let mut config = Config::default();
    config.accept = false;
    config.congestion = options.congestion;
    config.background = options.background;
    config.max_rate = options.max_rate;
    config.connect_timeout = patience;
    config.trace = options.trace.is_some();
    let expected = match &options.security {
        ClientSecurity::Plain => Expected::default(),
        ClientSecurity::Sealed { key, expected } => {
            security::seal(&mut config, key, &options.crypto);
            *expected
        }
    };
    let (commands, orders) = channel();
    let fate = Arc::new(Fate::new());
    let own = match &options.security {
        ClientSecurity::Plain => None,
        ClientSecurity::Sealed { key, .. } => Some(&**key),
    };
    let socket = Socket::connect(remote)?;
    let keeper = Keeper::new(own);
    let mut worker = Worker::new(remote, keeper, orders, Arc::clone(&fate), transfers_at_once())
        .remembering(Remembering::of(options, remote, &socket));
    if let Some(files) = &options.trace {
        worker.trace_to(files.clone());
    }
    let mut event_loop = EventLoop::new(socket, config, worker)?;
    event_loop.start()?;
    let line = Line::new(commands, event_loop.waker(), remote, fate);
    let until = event_loop.now() + patience;
    let now = event_loop.now();
    let (hub, worker) = event_loop.parts();
    hub.transfers.set_durability(Durability::of(options.sync));
    worker.dial(hub, now, until, expected);
    loop {
        event_loop.turn()?;
        let now = event_loop.now();
        let worker = event_loop.role();
        let refused = worker.refusals().any();
        match worker.phase() {
            Phase::Connecting { until } => {
                let believed = !is_last || worker.refusals().lasted(now) >= REFUSAL_SPAN;
                if until <= now || refused && believed {
                    return Ok(Attempt::NoAnswer { refused });
                }
            }
            Phase::Over(reason) => {
                return Ok(hopeless(remote, reason)
                    .map_or(Attempt::NoAnswer { refused }, Attempt::Hopeless));
            }
            Phase::Open | Phase::Lingering { .. } | Phase::Closing { .. } => {
                let (hub, worker) = event_loop.parts();
                let peer = worker.peer(hub, &options.security);
                let event_loop = Box::new(event_loop);
                return Ok(Attempt::Connected(Connected { event_loop, line, peer }));
            }
        }
    }
}

fn hopeless(remote: SocketAddr, reason: CloseReason) -> Option<ConnectError> {
    match reason {
        CloseReason::Version => Some(ConnectError::Version(remote)),
        CloseReason::UnknownKey(key) => Some(ConnectError::UnknownKey { remote, key }),
        CloseReason::WrongKey(key) => Some(ConnectError::WrongKey { remote, key }),
        CloseReason::Cryptography(_) => Some(ConnectError::Cryptography),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::{
        security::ServerSecurity,
        server::{Server, ServerOptions},
    };

    /// Whom a client finds that is given an address of `socket`'s before the server's.
    fn find_behind(socket: &UdpSocket) {
        let before = socket.local_addr().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let options = ServerOptions::new(
            dir.path().to_owned(),
            "127.0.0.1:0".parse().unwrap(),
            ServerSecurity::Plain,
        );
        let server = Server::bind(options).unwrap();
        let (address, stopper) = (server.local_addr(), server.stopper());
        let serving = thread::spawn(move || server.run());
        let options = ClientOptions::new(ClientSecurity::Plain);
        let found = first_of(&[before, address], &options, Instant::now());
        let found = found.map_err(|error| error.to_string()).unwrap();
        assert_eq!(found.line.remote(), address);
        drop(found);
        stopper.stop();
        stopper.stop();
        serving.join().unwrap().unwrap();
    }

    #[test]
    fn an_address_where_nothing_listens_costs_no_time() {
        let gone = UdpSocket::bind("127.0.0.1:0").unwrap();
        // Connected elsewhere, it keeps the port and hears nobody: the system answers for it.
        gone.connect("127.0.0.1:9").unwrap();
        find_behind(&gone);
    }

    #[test]
    fn an_address_that_says_nothing_is_not_waited_for_to_the_end() {
        find_behind(&UdpSocket::bind("127.0.0.1:0").unwrap());
    }

    #[test]
    fn all_that_were_tried_are_told() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut options = ClientOptions::new(ClientSecurity::Plain);
        options.connect_timeout = Duration::from_secs(5);
        let error = first_of(&[silent, silent], &options, Instant::now()).map(|_| ()).unwrap_err();
        let ConnectError::NoAnswer { tried, .. } = error else { panic!("{error:?}") };
        assert_eq!(tried, [(silent, true), (silent, true)]);
    }
}
