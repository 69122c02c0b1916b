//! Point 9: what goes to stdout, and what to stderr.

use std::{
    fs,
    io::Read as _,
    process::Stdio,
    time::{Duration, SystemTime},
};

use crate::common::{Here, Process, Server, Slow, bytes};

fn with_time(path: &std::path::Path, secs: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn a_listing_has_size_time_and_name_sorted_with_a_slash_for_directories() {
    let (server, here) = (Server::start(), Here::new());
    with_time(&server.write("zebra", "12345"), 1_700_000_000);
    with_time(&server.write("apple", ""), 0);
    with_time(&server.write("mid dle", "x"), 951_782_400);
    fs::create_dir(server.root().join("dir")).unwrap();
    with_time(&server.write("dir/inner", "12"), 1);
    let ran = here.run(["list", &server.target()]).ended_with(0);
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{}", ran.stdout);
    assert_eq!(lines[0], "0  1970-01-01T00:00:00Z  apple");
    assert!(lines[1].starts_with("0  2") && lines[1].ends_with("Z  dir/"), "{}", lines[1]);
    assert_eq!(lines[2], "1  2000-02-29T00:00:00Z  mid dle");
    assert_eq!(lines[3], "5  2023-11-14T22:13:20Z  zebra");
    for dir in ["dir", "dir/"] {
        let ran = here.run(["ls", &server.target(), dir]).ended_with(0);
        assert_eq!(ran.stdout, "2  1970-01-01T00:00:01Z  inner\n");
    }
}

#[test]
fn an_empty_directory_lists_nothing() {
    let (server, here) = (Server::start(), Here::new());
    let ran = here.run(["list", &server.target()]).ended_with(0);
    assert_eq!((&ran.stdout[..], &ran.stderr[..]), ("", ""));
}

#[test]
fn names_are_escaped() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a\x1b[31m\u{202e}\nb", "x");
    let ran = here.run(["list", &server.target()]).ended_with(0);
    assert!(ran.stdout.ends_with("  a\\u{1b}[31m\\u{202e}\\nb\n"), "{}", ran.stdout);
    assert_eq!(ran.stdout.lines().count(), 1);
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let (server, here) = (Server::start(), Here::new());
    for n in 0..3000 {
        server.write(&format!("a-file-with-quite-a-long-name-{n}"), "");
    }
    let mut child = here
        .gannet(["list", &server.target()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!((child.wait().unwrap().code(), &told[..]), (Some(0), ""));
}

#[test]
fn a_summary_goes_to_stderr_and_no_bar_without_a_terminal() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a", bytes(10_000, 1));
    let ran = here.run(["get", &server.target(), "a"]).ended_with(0);
    assert_eq!(ran.stdout, "");
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(!ran.stderr.contains(['\r', '\x1b']), "{}", ran.stderr);
    ran.told(&["got a: 10.0 kB in", "bit/s", "BLAKE3 verified"]);
}

#[test]
fn on_a_terminal_a_bar_shows_bytes_rate_and_time_left() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a", bytes(1_000_000, 1));
    let slow = Slow::to(&server);
    let mut running = here.terminal(["get", &slow.target(), "a"]);
    running.expect("a [");
    running.expect("kB of 1.00 MB");
    running.expect("bit/s");
    running.expect(" left");
    running.expect("got a: 1.00 MB in");
    assert_eq!(running.ends().0, Some(0));
}

#[test]
fn quiet_silences_both_but_no_failure() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a", bytes(200_000, 1));
    let slow = Slow::to(&server);
    let mut running = here.terminal(["-q", "get", &slow.target(), "a"]);
    assert_eq!(running.ends(), (Some(0), String::new()));
    here.run(["get", "-q", &server.target(), "missing"]).ended_with(1).told(&["get missing"]);
}

#[test]
fn verbose_and_gannet_log_steer_the_log() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a", "a");
    let plain = here.run(["get", &server.target(), "a"]).ended_with(0);
    assert_eq!(plain.stderr.lines().count(), 1, "{}", plain.stderr);
    here.run(["-v", "get", &server.target(), "a"]).ended_with(0).told(&["round trip", "resent"]);
    let mut command = here.gannet(["get", &server.target(), "a"]);
    let ran = Process::start(command.env("GANNET_LOG", "debug"), b"").ran().ended_with(0);
    ran.told(&["connected to 127.0.0.1"]);
    let mut command = here.gannet(["-v", "get", &server.target(), "a"]);
    let ran = Process::start(command.env("GANNET_LOG", "off"), b"").ran().ended_with(0);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
}
