//! Point 6: a server that cannot be reached or is lost is told in words.

use std::net::UdpSocket;

use rustix::process::Signal;

use crate::common::{Here, Server, Slow, bytes, names};

#[test]
fn a_server_that_does_not_answer_is_told_by_address_time_and_what_to_check() {
    let here = Here::new();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (target, port) = {
        let address = silent.local_addr().unwrap();
        (address.to_string(), address.port().to_string())
    };
    let parts = [&target[..], "nothing answered in", &format!("gannet server {port}"), "UDP port"];
    let verbs: [&[&str]; 5] = [
        &["get", &target, "a"],
        &["put", &target, "a"],
        &["list", &target],
        &["rename", &target, "a", "b"],
        &["exit", &target],
    ];
    here.write("a", "a");
    for verb in verbs {
        let arguments = verb.iter().chain(&["--connect-timeout", "300ms"]);
        here.run(arguments).ended_with(3).told(&parts);
    }
    let client = ["client", "127.0.0.1", &port, "--connect-timeout", "300ms"];
    here.run(client).ended_with(3).told(&parts);
}

#[test]
fn a_port_where_nothing_listens_is_told() {
    let here = Here::new();
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let target = format!("127.0.0.1:{port}");
    let ran = here.run(["list", &target, "--connect-timeout", "1s"]).ended_with(3);
    ran.told(&[&target, "gannet server"]);
}

#[test]
fn a_name_without_an_address_is_told() {
    let ran = Here::new().run(["list", "no-such-host.invalid:5555"]).ended_with(3);
    ran.told(&["no-such-host.invalid", "no address"]);
}

#[test]
fn a_server_that_is_killed_is_told_at_the_prompt_which_gives_the_terminal_back() {
    let (server, here) = (Server::start(), Here::new());
    let client = ["client", "127.0.0.1", &server.port(), "--retry-for", "0"];
    let mut menu = here.terminal(client);
    menu.expect("gannet> ");
    drop(server);
    let (status, shown) = menu.ends();
    assert_eq!(status, Some(3), "{shown}");
    assert!(shown.contains("lost the connection to 127.0.0.1"), "{shown}");
    assert!(menu.is_cooked());
}

#[test]
fn a_server_that_is_killed_in_a_transfer_is_told_and_leaves_no_file() {
    let (server, here) = (Server::start(), Here::new());
    server.write("slow", bytes(4_000_000, 1));
    let slow = Slow::to(&server);
    let mut running = here.terminal(["get", &slow.target(), "slow", "--retry-for", "0"]);
    running.expect("kB of 4.00 MB");
    drop(server);
    let (status, shown) = running.ends();
    assert_eq!(status, Some(3), "{shown}");
    assert!(shown.contains("get slow: not finished"), "{shown}");
    assert!(shown.contains("lost the connection to"), "{shown}");
    assert!(!names(here.path()).contains(&"slow".to_owned()));
}

#[test]
fn a_server_that_another_client_stops_is_told() {
    let (mut server, here) = (Server::start(), Here::new());
    let client = ["client", "127.0.0.1", &server.port(), "--retry-for", "0"];
    let mut menu = here.terminal(client);
    menu.expect("gannet> ");
    Here::new().run(["exit", &server.target()]).ended_with(0);
    let (status, shown) = menu.ends();
    assert_eq!(status, Some(3), "{shown}");
    assert!(shown.contains("told to shut down"), "{shown}");
    assert_eq!(server.ends(), Some(0));
}

#[test]
fn a_server_outlives_clients_that_vanish_and_rubbish() {
    let (mut server, here) = (Server::start(), Here::new());
    server.write("slow", bytes(4_000_000, 1));
    server.write("a", "a");
    let slow = Slow::to(&server);
    let mut running = here.terminal(["get", &slow.target(), "slow"]);
    running.expect("kB of 4.00 MB");
    running.signal(Signal::KILL);
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    for len in [0, 1, 8, 9, 100, 1200, 9000, 65_000] {
        for seed in 0..50 {
            stranger.send_to(&bytes(len, seed), server.address()).unwrap();
        }
    }
    here.run(["get", &server.target(), "a"]).ended_with(0);
    assert!(server.runs());
}

/// Long before it counts as lost.
#[test]
fn a_server_that_is_silent_is_told_while_it_is() {
    let (server, here) = (Server::start(), Here::new());
    let content = bytes(400_000, 1);
    server.write("slow", &content);
    let slow = Slow::to(&server);
    let mut running = here.terminal(["get", &slow.target(), "slow"]);
    running.expect("kB of 400 kB");
    slow.handle().set_blackout(true);
    running.expect("waiting for the server, 3 s");
    slow.handle().set_blackout(false);
    running.expect("got slow");
    let (status, shown) = running.ends();
    assert_eq!(status, Some(0), "{shown}");
    assert!(!shown.contains("lost the connection"), "{shown}");
    assert!(here.read("slow") == content);
}

#[test]
fn a_transfer_survives_a_blackout_and_a_change_of_port() {
    let (server, here) = (Server::start(), Here::new());
    let content = bytes(400_000, 3);
    server.write("slow", &content);
    let slow = Slow::to(&server);
    let mut running = here.terminal(["get", &slow.target(), "slow"]);
    running.expect("kB of 400 kB");
    slow.handle().set_blackout(true);
    slow.handle().rebind().unwrap();
    slow.handle().set_blackout(false);
    let (status, shown) = running.ends();
    assert_eq!(status, Some(0), "{shown}");
    assert!(here.read("slow") == content);
}
