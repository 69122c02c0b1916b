//! Point 7: ctrl+c ends a client at once, with status 130 and without a partial file.

use std::net::UdpSocket;

use rustix::process::Signal;

use crate::common::{Here, Server, Slow, bytes, names, wait_until};

#[test]
fn at_the_prompt() {
    let (server, here) = (Server::start(), Here::new());
    let mut menu = here.terminal(["client", "127.0.0.1", &server.port()]);
    menu.expect("gannet> ");
    menu.press("half a line\x03");
    assert_eq!(menu.ends().0, Some(130));
    assert!(menu.is_cooked());
}

#[test]
fn as_a_signal_at_the_prompt() {
    let (server, here) = (Server::start(), Here::new());
    for signal in [Signal::INT, Signal::TERM] {
        let mut menu = here.terminal(["client", "127.0.0.1", &server.port()]);
        menu.expect("gannet> ");
        menu.signal(signal);
        assert_eq!(menu.ends().0, Some(130));
        assert!(menu.is_cooked());
    }
}

#[test]
fn in_a_transfer_of_the_menu() {
    let (server, here) = (Server::start(), Here::new());
    server.write("slow", bytes(4_000_000, 1));
    here.write("up", bytes(4_000_000, 2));
    for line in ["get slow", "put up"] {
        let slow = Slow::to(&server);
        let mut menu = here.terminal(["client", "127.0.0.1", &slow.port()]);
        menu.expect("gannet> ");
        menu.type_line(line);
        menu.expect("kB of 4.00 MB");
        menu.press("\x03");
        assert_eq!(menu.ends().0, Some(130), "{line}");
        assert_eq!(names(here.path()), ["up"], "{line}");
        wait_until("the server holds no partial file", || names(server.root()) == ["slow"]);
    }
}

#[test]
fn an_old_file_of_that_name_stays_as_it_was() {
    let (server, here) = (Server::start(), Here::new());
    server.write("file", bytes(4_000_000, 1));
    here.write("file", "old");
    let slow = Slow::to(&server);
    let running = here.terminal(["get", &slow.target(), "file"]);
    let mut running = running;
    running.expect("kB of 4.00 MB");
    running.press("\x03");
    assert_eq!(running.ends().0, Some(130));
    assert_eq!(here.read("file"), b"old");
    assert_eq!(names(here.path()), ["file"]);
}

#[test]
fn while_it_connects() {
    let here = Here::new();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = silent.local_addr().unwrap().to_string();
    let running = here.start(["list", &target]);
    // Its first packet says that it is connecting.
    silent.recv_from(&mut [0; 2000]).unwrap();
    running.signal(Signal::INT);
    running.ran().ended_with(130);
}

#[test]
fn in_a_script() {
    let (server, here) = (Server::start(), Here::new());
    server.write("slow", bytes(4_000_000, 1));
    let slow = Slow::to(&server);
    let mut command = here.gannet(["client", "127.0.0.1", &slow.port()]);
    let running = crate::common::Process::start(&mut command, b"get slow\nlist\n");
    // Its partial file says that the transfer runs.
    wait_until("the transfer runs", || !names(here.path()).is_empty());
    running.signal(Signal::INT);
    let ran = running.ran().ended_with(130);
    assert_eq!(ran.stdout, "");
    assert_eq!(names(here.path()), [""; 0]);
}
