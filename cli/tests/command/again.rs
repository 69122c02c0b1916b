//! What was connected once connects again by itself, and goes on.

use std::fs;

use rustix::process::Signal;

use crate::common::{Here, Server, Slow, User, bytes, names};

#[test]
fn a_get_goes_on_when_a_killed_server_is_back() {
    let (server, here) = (Server::start(), Here::new());
    let content = bytes(400_000, 1);
    server.write("slow", &content);
    let slow = Slow::to(&server);
    let mut running = here.terminal(["get", &slow.target(), "slow"]);
    running.expect("kB of 400 kB");
    let _server = server.killed_and_started_again();
    running.expect(" again, after ");
    running.expect("got slow");
    let (status, shown) = running.ends();
    assert_eq!(status, Some(0), "{shown}");
    assert!(here.read("slow") == content);
}

#[test]
fn a_put_goes_on_when_a_killed_server_is_back() {
    let (server, here) = (Server::start(), Here::new());
    let content = bytes(400_000, 2);
    here.write("slow", &content);
    let slow = Slow::to(&server);
    let mut running = here.terminal(["put", &slow.target(), "slow"]);
    running.expect("kB of 400 kB");
    let server = server.killed_and_started_again();
    running.expect(" again, after ");
    let (status, shown) = running.ends();
    assert_eq!(status, Some(0), "{shown}");
    assert!(server.read("slow") == content);
}

/// The server's answer that it has stored a file can be lost with the connection.
#[test]
fn a_put_that_was_stored_is_done_although_it_may_replace_nothing() {
    for (is_ours, status, told) in
        [(true, 0, "unchanged slow: 4.00 MB"), (false, 1, "it exists already at the server")]
    {
        let (server, here) = (Server::start(), Here::new());
        let content = bytes(4_000_000, 3);
        let path = here.write("slow", &content);
        let slow = Slow::to(&server);
        let mut running = here.terminal(["put", "--no-clobber", &slow.target(), "slow"]);
        running.expect("kB of 4.00 MB");
        // As if all of it had been stored, or someone else had stored something.
        let stored = server.write("slow", &content);
        if is_ours {
            let time = fs::metadata(path).unwrap().modified().unwrap();
            fs::File::options().write(true).open(stored).unwrap().set_modified(time).unwrap();
        }
        let server = server.killed_and_started_again();
        running.expect(told);
        let (ended, shown) = running.ends();
        assert_eq!(ended, Some(status), "{shown}");
        assert!(server.read("slow") == content);
    }
}

#[test]
fn the_wait_is_shown_and_has_an_end() {
    let (server, here) = (Server::start(), Here::new());
    server.write("slow", bytes(4_000_000, 1));
    let slow = Slow::to(&server);
    let mut running =
        here.terminal(["get", &slow.target(), "slow", "missing", "--retry-for", "2s"]);
    running.expect("kB of 4.00 MB");
    server.signal(Signal::TERM);
    running.expect("waiting for it, for up to 2");
    running.expect("waiting for 127.0.0.1");
    let (status, shown) = running.ends();
    assert_eq!(status, Some(3), "{shown}");
    assert!(shown.contains("get slow: not finished"), "{shown}");
    assert_eq!(shown.matches("lost the connection to").count(), 1, "{shown}");
    assert!(!names(here.path()).contains(&"slow".to_owned()));
}

#[test]
fn ctrl_c_ends_the_wait() {
    let (server, here) = (Server::start(), Here::new());
    server.write("slow", bytes(4_000_000, 1));
    let slow = Slow::to(&server);
    let mut running = here.terminal(["get", &slow.target(), "slow"]);
    running.expect("kB of 4.00 MB");
    server.signal(Signal::TERM);
    running.expect("waiting for it");
    running.press("\x03");
    assert_eq!(running.ends().0, Some(130));
}

#[test]
fn a_server_that_comes_back_as_another_is_not_spoken_to() {
    let (server, here) = (Server::start(), Here::new());
    server.write("slow", bytes(4_000_000, 1));
    let slow = Slow::to(&server);
    let mut running = here.terminal(["get", &slow.target(), "slow"]);
    running.expect("kB of 4.00 MB");
    let _server = server.started_again_as(Some(User::new()));
    let (status, shown) = running.ends();
    assert_eq!(status, Some(4), "{shown}");
    assert!(!names(here.path()).contains(&"slow".to_owned()));
}

#[test]
fn an_idle_menu_tells_of_the_loss_once_and_connects_at_the_next_command() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a", "a");
    let mut menu = here.terminal(["client", "127.0.0.1", &server.port()]);
    menu.expect("gannet> ");
    let server = server.killed_and_started_again();
    menu.expect("lost the connection to 127.0.0.1");
    menu.expect("the next command connects again");
    menu.type_line("lpwd");
    menu.expect("gannet> ");
    menu.type_line("get a");
    menu.expect("again, after ");
    menu.expect("got a");
    menu.type_line("list");
    menu.expect("a");
    menu.type_line("quit");
    let (status, shown) = menu.ends();
    assert_eq!(status, Some(0), "{shown}");
    assert_eq!(here.read("a"), server.read("a"));
}

#[test]
fn a_script_connects_again_at_its_next_line() {
    let (mut server, here) = (Server::start(), Here::new());
    server.write("a", "a");
    let mut child = here
        .gannet(["client", "127.0.0.1", &server.port()])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"list\n").unwrap();
    server.expect_log(&[" list . "]);
    let _server = server.killed_and_started_again();
    std::io::Write::write_all(&mut stdin, b"get a\nquit\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("again, after "), "{stderr}");
    assert_eq!(here.read("a"), b"a");
}
