//! `--stats`: what happened, and what limited it.

use std::{io::Read as _, process::Stdio, thread, time::Duration};

use crate::common::{Here, Ran, Server, Slow, bytes, objects};

/// A second of a link of this rate, in bits a second.
const RATE: u64 = 20_000_000;
const SECOND_OF_IT: usize = 2_500_000;

fn link(server: &Server) -> Slow {
    Slow::at(server, RATE, Duration::from_millis(10))
}

/// The share in percent of what is named first in the last line of standard error, if that is `limit`.
#[track_caller]
fn first_share(ran: &Ran, limit: &str) -> u32 {
    let last = ran.stderr.lines().last().unwrap_or_default();
    let rest = last.strip_prefix(&format!("limited by: {limit} "));
    let share = rest.and_then(|rest| rest.split('%').next()).and_then(|share| share.parse().ok());
    share.unwrap_or_else(|| panic!("not limited by {limit} first: {ran:#?}"))
}

#[test]
fn a_slow_link_is_told_to_be_what_limits_either_way() {
    let (server, here) = (Server::start(), Here::new());
    server.write("theirs", bytes(SECOND_OF_IT, 1));
    here.write("ours", bytes(SECOND_OF_IT, 2));
    let link = link(&server);
    for words in [["get", "theirs"], ["put", "ours"]] {
        let [verb, name] = words;
        let ran = here.run([verb, &link.target(), name, "--stats"]).ended_with(0);
        assert!(first_share(&ran, "path") >= 60, "{ran:#?}");
        let side = if verb == "get" { "the server sent" } else { "this side sent" };
        for part in
            ["round trip: ", " at least, ", side, "window: ", "delivered", "time: handshake "]
        {
            assert!(ran.stderr.contains(part), "{part} in {ran:#?}");
        }
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn a_receiver_that_takes_its_time_is_told_to_be_what_limits() {
    const PIECE: usize = 1 << 20;
    let (server, here) = (Server::start(), Here::new());
    server.write("theirs", bytes(60 * PIECE, 1));
    let mut child = here
        .gannet(["get", &server.target(), "theirs", "--to", "-", "--stats"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdout, mut piece) = (child.stdout.take().unwrap(), vec![0; PIECE]);
    while stdout.read_exact(&mut piece).is_ok() {
        // This is how slow it is.
        thread::sleep(Duration::from_millis(40));
    }
    let told = child.wait_with_output().unwrap();
    let told = String::from_utf8(told.stderr).unwrap();
    let last = told.lines().last().unwrap();
    assert!(last.starts_with("limited by: receiver's disk "), "{told}");
}

#[test]
fn programs_get_an_object_of_it() {
    let (server, here) = (Server::start(), Here::new());
    here.write("d/ours", bytes(SECOND_OF_IT, 2));
    let link = link(&server);
    for words in [["put", "d"], ["get", "d/ours"]] {
        let [verb, name] = words;
        let ran = here.run([verb, "-r", &link.target(), name, "--stats", "--json"]).ended_with(0);
        let all = objects(&ran);
        let [file, stats] = &all[..] else { panic!("two objects in {ran:#?}") };
        assert_eq!(
            (file["status"].as_str(), stats["status"].as_str()),
            (Some("done"), Some("stats"))
        );
        assert_eq!(stats["verb"], verb);
        assert_eq!(stats["sender"], if verb == "put" { "local" } else { "server" });
        assert_eq!(stats["bytes_sent"], SECOND_OF_IT);
        let number = |key: &str| stats[key].as_f64().unwrap_or_else(|| panic!("{key} in {stats}"));
        assert!(
            number("min_rtt_seconds") >= 0.02 && number("rtt_seconds") >= number("min_rtt_seconds")
        );
        assert!(number("packets_sent") > 100.0 && number("packet_bytes") >= 1200.0);
        assert!(number("bits_per_second") < RATE as f64 * 1.1, "{stats}");
        assert!(number("handshake_seconds") >= 0.02 && number("transfer_seconds") > 0.5, "{stats}");
        for key in ["packets_lost", "bytes_resent", "window", "disk_seconds", "wait_seconds"] {
            assert!(number(key) >= 0.0);
        }
        let limits = stats["limited_by"].as_object().unwrap();
        let sum: f64 = limits.values().map(|share| share.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{stats}");
        assert!(limits["path"].as_f64().unwrap() > 0.6, "{stats}");
    }
}

#[test]
fn in_the_menu_each_transfer_has_figures_of_its_own() {
    let (server, here) = (Server::start(), Here::new());
    server.write("small", bytes(1000, 1));
    server.write("large", bytes(1_000_000, 1));
    let script = "get large --stats --json\nget small --stats --json\nget small --stats --json\n";
    let port = server.port();
    let ran = here.script("127.0.0.1", &port, script).ended_with(0);
    let all = objects(&ran);
    let sent: Vec<_> = all.iter().filter_map(|object| object["bytes_sent"].as_u64()).collect();
    // The last one was unchanged.
    assert_eq!(sent, [1_000_000, 1000, 0], "{ran:#?}");
}

#[test]
fn without_it_nothing_is_told() {
    let (server, here) = (Server::start(), Here::new());
    server.write("theirs", "content");
    let ran = here.run(["get", &server.target(), "theirs"]).ended_with(0);
    assert!(!ran.stderr.contains("limited by"), "{ran:#?}");
    let ran = here.run(["get", &server.target(), "nothing", "--stats"]).ended_with(1);
    assert!(ran.stderr.contains("limited by"), "{ran:#?}");
    let ran =
        here.run(["get", "-q", &server.target(), "theirs", "--fresh", "--stats"]).ended_with(0);
    assert_eq!(ran.stderr, "");
}
