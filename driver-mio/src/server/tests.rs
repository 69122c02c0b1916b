//! A server whose sends meet errors; a client fetches from it all the same.

use std::{fs, net::Ipv4Addr, thread, time::Duration};

use gannet_protocol::Name;
use rustix::io::Errno;

use super::*;
use crate::{
    client::{Client, ClientOptions},
    security::ClientSecurity,
    socket::Fault,
};

/// Fetches a file from a server whose sends meet `strike`.
fn fetch(strike: impl FnMut(usize, Option<usize>) -> Option<Errno> + Send + 'static) {
    let dir = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
    fs::write(dir.path().join("file"), &bytes).unwrap();
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut server =
        Server::bind(ServerOptions::new(dir.path().to_owned(), listen, ServerSecurity::Plain))
            .unwrap();
    server.event_loop.socket().inject(Fault::new(strike));
    let (address, stopper) = (server.local_addr(), server.stopper());
    let serving = thread::spawn(move || server.run());
    let options = ClientOptions::new(ClientSecurity::Plain);
    let client = Client::connect("127.0.0.1", address.port(), &options).unwrap();
    let name = Name::parse(b"file").unwrap();
    let mut job = client.get(name, dir.path().join("copy"));
    job.wait_timeout(Duration::from_secs(100)).expect("it hangs").unwrap();
    assert!(fs::read(dir.path().join("copy")).unwrap() == bytes);
    drop(client);
    stopper.stop();
    serving.join().unwrap().unwrap();
}

/// `docs/hostile-input.md`, row 8.
#[test]
fn a_transfer_completes_without_offload() {
    for errno in [Errno::IO, Errno::INVAL] {
        fetch(move |_, segment| segment.is_some().then_some(errno));
    }
}

/// `docs/hostile-input.md`, row 8.
#[test]
fn a_transfer_completes_although_sends_fail_now_and_then() {
    for errno in
        [Errno::AGAIN, Errno::NOBUFS, Errno::CONNREFUSED, Errno::MSGSIZE, Errno::PERM, Errno::IO]
    {
        let mut count = 0u32;
        fetch(move |_, _| {
            count += 1;
            count.is_multiple_of(7).then_some(errno)
        });
    }
}

/// `docs/hostile-input.md`, row 8: only what fits an IPv6 packet everywhere gets out.
#[test]
fn a_transfer_completes_on_a_narrow_path() {
    fetch(|len, segment| (segment.unwrap_or(len) > 1232).then_some(Errno::MSGSIZE));
}
