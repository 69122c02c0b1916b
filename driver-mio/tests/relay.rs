//! The relay between real sockets.

use gannet_driver_mio::netem::{Link, LinkConfig, Relay, RelayReport};
use gannet_protocol::Instant;
use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::{self, Duration},
};

/// Long enough that only a lost datagram takes it.
const PATIENCE: Duration = Duration::from_secs(20);

fn socket(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).expect("a loopback socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket
}

fn client_of(relay: &Relay) -> UdpSocket {
    let client = socket("127.0.0.1:0");
    client.connect(relay.address()).expect("connected");
    client
}

fn start(server: &UdpSocket, forward: LinkConfig, back: LinkConfig) -> Relay {
    Relay::start(server.local_addr().expect("bound"), forward, back).expect("a relay")
}

fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 65_535];
    let (len, from) = socket.recv_from(&mut buffer).expect("a datagram");
    buffer.truncate(len);
    (buffer, from)
}

/// One datagram there and one back: where the server saw it come from.
fn exchange(client: &UdpSocket, server: &UdpSocket, text: &[u8]) -> SocketAddr {
    client.send(text).expect("sent");
    let (heard, from) = receive(server);
    assert_eq!(heard, text);
    server.send_to(&[text, b"!"].concat(), from).expect("sent");
    assert_eq!(receive(client).0, [text, b"!"].concat());
    from
}

#[test]
fn datagrams_go_there_and_back_after_their_delay() {
    let server = socket("127.0.0.1:0");
    let slow = |ms| LinkConfig { delay: Duration::from_millis(ms), ..LinkConfig::default() };
    let relay = start(&server, slow(30), slow(20));
    let client = client_of(&relay);
    let begun = time::Instant::now();
    exchange(&client, &server, b"hello");
    assert!(begun.elapsed() >= Duration::from_millis(50));
    let RelayReport { forward, back, refused, socket_errors } = relay.stop();
    assert_eq!((forward.packets, forward.delivered, forward.delivered_bytes), (1, 1, 5));
    assert_eq!((back.packets, back.delivered, back.delivered_bytes), (1, 1, 6));
    assert_eq!((refused, socket_errors), (0, 0));
}

#[test]
fn datagrams_of_any_size_pass() {
    let server = socket("127.0.0.1:0");
    let relay = start(&server, LinkConfig::default(), LinkConfig::default());
    let client = client_of(&relay);
    for len in [0, 1, 1_472, 65_000] {
        exchange(&client, &server, &vec![7; len]);
    }
}

#[test]
fn each_client_gets_its_own_answers() {
    let server = socket("127.0.0.1:0");
    let relay = start(&server, LinkConfig::default(), LinkConfig::default());
    let (one, two) = (client_of(&relay), client_of(&relay));
    let from_one = exchange(&one, &server, b"one");
    let from_two = exchange(&two, &server, b"two");
    assert_ne!(from_one, from_two);
    assert_eq!(exchange(&one, &server, b"one again"), from_one);
}

#[test]
fn clients_are_bounded() {
    let server = socket("127.0.0.1:0");
    let relay = start(&server, LinkConfig::default(), LinkConfig::default());
    let clients: Vec<_> = (0..70).map(|_| client_of(&relay)).collect();
    for client in &clients {
        client.send(b"x").expect("sent");
    }
    let report = relay.stop();
    assert_eq!((report.forward.packets, report.refused), (64, 6));
}

#[test]
fn the_seed_decides_what_is_lost() {
    let server = socket("127.0.0.1:0");
    let lossy = LinkConfig { loss: 0.3, seed: 5, ..LinkConfig::default() };
    let mut model = Link::new(lossy.clone());
    let relay = start(&server, lossy, LinkConfig::default());
    let client = client_of(&relay);
    for number in 0..200_u8 {
        client.send(&[number]).expect("sent");
        model.offer(Instant::ZERO, (), &[number]);
    }
    let mut survivors = 0;
    while let Some(((), bytes)) = model.take_due(Instant::ZERO) {
        assert_eq!(receive(&server).0, bytes);
        survivors += 1;
    }
    assert_eq!(relay.stop().forward, *model.counters());
    assert!(survivors < 200);
}

#[test]
fn a_blackout_takes_what_is_sent_in_it_and_no_more() {
    let server = socket("127.0.0.1:0");
    let relay = start(&server, LinkConfig::default(), LinkConfig::default());
    let (client, handle) = (client_of(&relay), relay.handle());
    client.send(b"before").expect("sent");
    handle.set_blackout(true);
    client.send(b"in it").expect("sent");
    handle.set_blackout(false);
    client.send(b"after").expect("sent");
    assert_eq!(receive(&server).0, b"before");
    assert_eq!(receive(&server).0, b"after");
    assert_eq!(relay.stop().forward.dropped_blackout, 1);
    handle.set_blackout(true);
}

#[test]
fn a_rebinding_changes_the_port_that_the_server_sees() {
    let server = socket("127.0.0.1:0");
    let relay = start(&server, LinkConfig::default(), LinkConfig::default());
    let (client, handle) = (client_of(&relay), relay.handle());
    let old = exchange(&client, &server, b"before");
    handle.rebind().expect("new sockets");
    // Goes nowhere, so that the next answer is the first that comes.
    let _ = server.send_to(b"to the old port", old);
    let new = exchange(&client, &server, b"after");
    assert_eq!(old.ip(), new.ip());
    assert_ne!(old.port(), new.port());
    drop(relay);
    handle.rebind().expect("nothing left to do");
}

#[test]
fn a_server_that_is_not_there_does_no_harm() {
    // Holds the port, but takes nothing from the relay.
    let (deaf, other) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
    deaf.connect(other.local_addr().expect("bound")).expect("connected");
    let relay = start(&deaf, LinkConfig::default(), LinkConfig::default());
    let (client, handle) = (client_of(&relay), relay.handle());
    for _ in 0..3 {
        client.send(b"is anybody there").expect("sent");
        // Until it has been delivered.
        handle.set_blackout(false);
    }
    let report = relay.stop();
    assert_eq!(report.forward.delivered, 3);
    assert!(report.socket_errors > 0);
}

#[test]
fn ipv6_passes_too() {
    let server = match UdpSocket::bind("[::1]:0") {
        Ok(server) => server,
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
            eprintln!("skipped: this machine has no IPv6 loopback");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    server.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let relay = start(&server, LinkConfig::default(), LinkConfig::default());
    let client = socket("[::1]:0");
    client.connect(relay.address()).expect("connected");
    exchange(&client, &server, b"six");
}
