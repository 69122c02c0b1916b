//! Which address of a host is taken, and what is said when none answers.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::PathBuf,
    time::Duration,
};

use gannet_driver_mio::{
    client::{Client, ClientOptions, ConnectError},
    security::{ClientSecurity, ServerSecurity},
    server::{Server, ServerError, ServerOptions},
};

use super::world::World;

fn within(timeout: Duration) -> ClientOptions {
    let mut options = ClientOptions::new(ClientSecurity::Plain);
    options.connect_timeout = timeout;
    options
}

/// A port at which nothing listens, and nothing will while the socket of it is held.
fn closed_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_closed_port_is_told_apart_from_silence() {
    let port = closed_port();
    let error = Client::connect("127.0.0.1", port, &within(Duration::from_secs(8))).unwrap_err();
    let ConnectError::NoAnswer { tried, after } = error else { panic!("{error:?}") };
    assert_eq!(tried, [(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), true)]);
    assert!(after >= Duration::from_secs(1), "a server that is just starting gets a chance");

    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let timeout = Duration::from_millis(300);
    let error = Client::connect("127.0.0.1", address.port(), &within(timeout)).unwrap_err();
    let ConnectError::NoAnswer { tried, after } = error else { panic!("{error:?}") };
    assert_eq!(tried, [(address, false)]);
    assert!(after >= timeout);
}

#[test]
fn a_server_that_starts_while_a_client_calls_is_found() {
    let port = closed_port();
    let client = std::thread::spawn(move || {
        Client::connect("127.0.0.1", port, &within(Duration::from_secs(20)))
    });
    let shared = tempfile::tempdir().unwrap();
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let server =
        Server::bind(ServerOptions::new(shared.path().to_owned(), listen, ServerSecurity::Plain))
            .unwrap();
    let stopper = server.stopper();
    let server = std::thread::spawn(move || server.run());
    client.join().unwrap().unwrap();
    stopper.stop();
    server.join().unwrap().unwrap();
}

/// `localhost` is `::1` on many systems, too, where nothing listens.
#[test]
fn the_next_address_of_a_name_is_tried() {
    let world = World::new();
    let client = Client::connect("localhost", world.address.port(), &world.options_as(&world.key));
    assert_eq!(client.unwrap().remote(), world.address);
}

#[test]
fn a_name_without_address_is_told() {
    let error =
        Client::connect("no-such-host.invalid", 1, &within(Duration::from_secs(5))).unwrap_err();
    assert!(matches!(&error, ConnectError::Resolve { host, .. } if host == "no-such-host.invalid"));
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let nowhere = PathBuf::from("/no/such/directory");
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let error = Server::bind(ServerOptions::new(nowhere.clone(), listen, ServerSecurity::Plain))
        .unwrap_err();
    assert!(matches!(error, ServerError::Root { path, .. } if path == nowhere));
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    let shared = tempfile::tempdir().unwrap();
    let error =
        Server::bind(ServerOptions::new(shared.path().to_owned(), listen, ServerSecurity::Plain))
            .unwrap_err();
    assert!(matches!(error, ServerError::Bind { address, .. } if address == listen));
}
