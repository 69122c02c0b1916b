//! Point 1: the server binds, says where it listens, serves any number of clients, logs, and ends politely.

use std::net::UdpSocket;

use rustix::process::Signal;

use crate::common::{Here, Server, Slow, bytes, names, wait_until};

#[test]
fn it_says_where_it_listens_and_what_it_shares_and_port_0_picks_one() {
    let server = Server::start();
    assert!(server.address().ip().is_loopback(), "{}", server.announcement);
    assert_ne!(server.address().port(), 0);
    let root = server.root().canonicalize().unwrap();
    assert!(server.announcement.contains(root.to_str().unwrap()), "{}", server.announcement);
}

#[test]
fn it_shares_the_current_directory_by_default() {
    let here = Here::new();
    let mut terminal = here.terminal(["server", "0"]);
    terminal.expect("listening on ");
    let shown = terminal.expect("\n");
    assert!(shown.contains(here.path().canonicalize().unwrap().to_str().unwrap()), "{shown}");
}

#[test]
fn it_does_not_share_its_users_keys() {
    let here = Here::new();
    for mode in [&[][..], &["--plain"]] {
        let mut arguments = vec!["server", "0", "--root"];
        arguments.push(here.user().config().parent().unwrap().to_str().unwrap());
        arguments.extend(mode);
        here.run(arguments).ended_with(2).told(&["keys", "--config"]);
    }
}

#[test]
fn it_listens_at_an_ipv6_address_in_brackets_or_without() {
    if UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6 loopback");
        return;
    }
    for address in ["::1", "[::1]"] {
        let server = Server::start_with(&["--listen", address]);
        server.write("a", "six");
        let here = Here::new();
        here.run(["get", &server.target(), "a"]).ended_with(0);
        assert_eq!(here.read("a"), b"six");
    }
}

#[test]
fn it_serves_clients_side_by_side() {
    let server = Server::start();
    server.write("slow", bytes(4_000_000, 1));
    server.write("quick", "quick");
    let slow = Slow::to(&server);
    let (first, second) = (Here::new(), Here::new());
    let mut running = first.terminal(["get", &slow.target(), "slow"]);
    running.expect("kB of 4.00 MB");
    second.run(["get", &server.target(), "quick"]).ended_with(0);
    assert_eq!(second.read("quick"), b"quick");
    running.press("\x03");
    assert_eq!(running.ends().0, Some(130));
}

#[test]
fn an_exit_of_a_client_ends_it() {
    let mut server = Server::start();
    let ran = Here::new().run(["exit", &server.target()]).ended_with(0);
    ran.told(&["stopped the server at 127.0.0.1"]);
    assert_eq!(server.ends(), Some(0));
}

#[test]
fn sigint_and_sigterm_end_it_politely() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut server = Server::start();
        server.signal(signal);
        assert_eq!(server.ends(), Some(0));
        assert!(server.logged().contains("stopping"), "{}", server.logged());
    }
}

#[test]
fn a_signal_gives_running_transfers_2_seconds_and_their_clients_are_told() {
    let mut server = Server::start();
    server.write("slow", bytes(4_000_000, 1));
    let slow = Slow::to(&server);
    let here = Here::new();
    let mut running = here.terminal(["get", &slow.target(), "slow", "--retry-for", "0"]);
    running.expect("kB of 4.00 MB");
    server.signal(Signal::TERM);
    let (status, shown) = running.ends();
    assert_eq!(status, Some(3), "{shown}");
    assert!(shown.contains("get slow: "), "{shown}");
    assert!(shown.contains("shut down") || shown.contains("shutting down"), "{shown}");
    assert_eq!(server.ends(), Some(0));
    assert_eq!(names(here.path()), [""; 0]);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut server = Server::start();
    server.write("slow", bytes(4_000_000, 1));
    let slow = Slow::to(&server);
    let here = Here::new();
    let mut running = here.terminal(["get", &slow.target(), "slow"]);
    running.expect("kB of 4.00 MB");
    server.signal(Signal::INT);
    server.expect_log(&["stopping"]);
    server.signal(Signal::INT);
    assert_eq!(server.ends(), Some(0));
}

#[test]
fn an_exit_says_how_many_transfers_of_others_run_and_asks() {
    let mut server = Server::start();
    server.write("slow", bytes(4_000_000, 1));
    let slow = Slow::to(&server);
    let (first, second) = (Here::new(), Here::new());
    let mut running = first.terminal(["get", &slow.target(), "slow", "--retry-for", "0"]);
    running.expect("kB of 4.00 MB");

    let mut asked = second.terminal(["exit", &server.target()]);
    asked.expect("1 transfer of another client runs");
    asked.type_line("n");
    assert_eq!(asked.ends().0, Some(1));
    assert!(server.runs());

    let mut asked = second.terminal(["client", "127.0.0.1", &server.port()]);
    asked.expect("gannet> ");
    asked.type_line("exit");
    asked.expect("1 transfer of another client runs");
    asked.expect("[y/N] ");
    asked.type_line("no");
    asked.expect("the server goes on");
    asked.expect("gannet> ");
    asked.type_line("exit");
    asked.expect("[y/N] ");
    asked.type_line("y");
    assert_eq!(asked.ends().0, Some(0));
    assert_eq!(running.ends().0, Some(3));
    assert_eq!(server.ends(), Some(0));
}

#[test]
fn an_exit_in_a_script_does_not_ask() {
    let mut server = Server::start();
    server.write("slow", bytes(4_000_000, 1));
    let slow = Slow::to(&server);
    let (first, second) = (Here::new(), Here::new());
    let mut running = first.terminal(["get", &slow.target(), "slow", "--retry-for", "0"]);
    running.expect("kB of 4.00 MB");
    second.run(["exit", &server.target()]).ended_with(0);
    assert_eq!(running.ends().0, Some(3));
    assert_eq!(server.ends(), Some(0));
}

#[test]
fn it_logs_a_line_a_request_with_who_verb_name_bytes_seconds_and_result() {
    let mut server = Server::start();
    server.write("a.iso", bytes(1000, 1));
    let here = Here::new();
    here.write("b.iso", bytes(2000, 1));
    here.run(["get", &server.target(), "a.iso"]).ended_with(0);
    let line = server.expect_log(&["127.0.0.1:", "get", "a.iso"]);
    assert!(line.contains("1000") || line.contains("1.00 kB"), "{line}");
    assert!(line.contains('s'), "{line}");
    here.run(["put", &server.target(), "b.iso"]).ended_with(0);
    server.expect_log(&["127.0.0.1:", "put", "b.iso"]);
    here.run(["get", &server.target(), "missing"]).ended_with(1);
    server.expect_log(&["get", "missing", "not found"]);
    here.run(["rename", &server.target(), "b.iso", "c.iso"]).ended_with(0);
    server.expect_log(&["rename", "b.iso", "c.iso"]);
    here.run(["list", &server.target()]).ended_with(0);
    server.expect_log(&["list"]);
}

#[test]
fn a_name_of_a_stranger_is_escaped_in_the_log() {
    let mut server = Server::start();
    Here::new().run(["get", &server.target(), "a\x1b[2Jb"]).ended_with(1);
    let line = server.expect_log(&["get"]);
    assert!(!line.contains('\x1b'), "{line:?}");
}

#[test]
fn quiet_it_logs_no_requests() {
    let mut server = Server::start_with(&["-q"]);
    server.write("a", "a");
    let here = Here::new();
    here.run(["get", &server.target(), "a"]).ended_with(0);
    here.run(["exit", &server.target()]).ended_with(0);
    assert_eq!(server.ends(), Some(0));
    assert_eq!(server.logged(), "");
}

#[test]
fn a_port_in_use_or_a_root_that_is_none_is_told_with_status_2() {
    let here = Here::new();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ran = here.run(["server", &port]).ended_with(2);
    ran.told(&[&format!(":{port}: "), "no other program"]);
    let ran = here.run(["server", "0", "--root", "missing"]).ended_with(2);
    ran.told(&["cannot share missing", "--root"]);
    here.write("file", "");
    here.run(["server", "0", "--root", "file"]).ended_with(2);
    here.run(["server", "0", "--listen", "192.0.2.1"]).ended_with(2);
}

#[test]
fn what_a_client_left_unfinished_is_freed() {
    let server = Server::start();
    let slow = Slow::to(&server);
    let here = Here::new();
    here.write("big", bytes(4_000_000, 1));
    let mut running = here.terminal(["put", &slow.target(), "big"]);
    running.expect("kB of 4.00 MB");
    running.press("\x03");
    assert_eq!(running.ends().0, Some(130));
    wait_until("the server removed its partial file", || names(server.root()).is_empty());
}
