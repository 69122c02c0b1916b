//! What a user asks of a transfer's way over the path.

use std::time::{Duration, Instant};

use crate::common::{Here, Server, bytes};

/// A megabyte at 8 Mbit/s.
const A_SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_rate_holds_for_what_is_sent_and_for_what_is_fetched() {
    let (server, here) = (Server::start(), Here::new());
    let content = bytes(1_000_000, 1);
    here.write("a", &content);
    for verb in [&["put", &server.target(), "a"][..], &["get", &server.target(), "a", "--fresh"]] {
        let start = Instant::now();
        here.run(verb.iter().copied().chain(["--rate", "8mbit"])).ended_with(0);
        // What goes at once at the start is a small part.
        assert!(start.elapsed() > A_SECOND * 9 / 10, "{verb:?} took {:?}", start.elapsed());
    }
    assert_eq!(here.read("a"), content);
}

#[test]
fn a_transfer_in_the_background_arrives() {
    let (server, here) = (Server::start(), Here::new());
    let content = bytes(3_000_000, 2);
    here.write("a", &content);
    here.run(["put", &server.target(), "a", "--background"]).ended_with(0);
    // Here it is the server that yields.
    let get = ["get", &server.target(), "a", "--background", "--fresh", "--stats"];
    here.run(get).ended_with(0).told(&["(ledbat)"]);
    assert_eq!(here.read("a"), content);
}

#[test]
fn what_cannot_be_kept_to_is_told() {
    let here = Here::new();
    let get = ["get", "127.0.0.1:5555", "a"];
    let run = |more: &[&str]| here.run(get.iter().chain(more)).ended_with(2);
    run(&["--rate", "1kbit"]).told(&["--rate", "8kbit"]);
    run(&["--rate", "fast"]).told(&["--rate"]);
    run(&["--background", "--congestion", "bbr"]).told(&["--background", "--congestion"]);
}
