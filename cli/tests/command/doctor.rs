//! `gannet doctor`.

use std::{fs, net::UdpSocket, time::Duration};

use crate::common::{Here, Server, Slow, User, names, object};

#[test]
fn what_was_measured_is_told_and_nothing_is_left() {
    let (server, here) = (Server::start(), Here::new());
    let link = Slow::at(&server, 100_000_000, Duration::from_millis(10));
    let before = names(here.path());
    let ran = here.run(["doctor", &link.target()]).ended_with(0);
    for line in [
        "reach: ",
        "round trip: ",
        "loss: ",
        "packets: ",
        "buffers: ",
        "disk: ",
        "CPU: ",
        "rate: ",
        "verdict: ",
    ] {
        assert!(ran.stdout.lines().any(|told| told.starts_with(line)), "{line} in {ran:#?}");
    }
    assert!(ran.stdout.contains("verdict: a put is limited by the path ("), "{ran:#?}");
    assert_eq!(names(here.path()), before);
    assert_eq!(names(server.root()), [""; 0]);
}

#[test]
fn programs_get_an_object() {
    let (server, here) = (Server::start_with(&["--anyone", "drop"]), Here::of(User::new()));
    let link = Slow::at(&server, 100_000_000, Duration::from_millis(10));
    // Where nothing can be written the rest is told.
    let doctor = ["doctor", &link.target(), "--accept-new", "--json", "--dir", "no/such"];
    let ran = here.run(doctor).ended_with(0);
    let told = object(&ran);
    let number = |key: &str| told[key].as_f64().unwrap_or_else(|| panic!("{key} in {told}"));
    assert_eq!((&told["verb"], &told["status"]), (&"doctor".into(), &"done".into()));
    assert_eq!(told["server"], link.target());
    assert!(number("connect_seconds") >= 0.02 && number("min_rtt_seconds") >= 0.02, "{told}");
    assert!(number("median_rtt_seconds") <= number("max_rtt_seconds"));
    assert!(number("packets_sent") > 100.0 && number("server_packets_sent") > 10.0, "{told}");
    assert!(number("packet_bytes") >= 1200.0 && number("server_packet_bytes") >= 1200.0);
    for key in ["receive_buffer", "send_buffer", "wanted_buffer"] {
        assert!(number(key) > 0.0);
    }
    for key in ["seal_bytes_per_second", "hash_bytes_per_second"] {
        assert!(number(key) > 1e6, "{told}");
    }
    // Who may only put may send, and gets nothing.
    let rate = number("bits_per_second");
    assert!(rate > 30e6 && rate < 101e6, "{told}");
    assert!(told.get("server_bits_per_second").is_none(), "{told}");
    assert!(told.get("disk_write_bytes_per_second").is_none() && told["problems"].is_array());
}

#[test]
fn a_server_that_cannot_be_reached_is_told_with_its_status() {
    let here = Here::new();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = silent.local_addr().unwrap().to_string();
    let ran = here.run(["doctor", &target, "--connect-timeout", "1s"]).ended_with(3);
    assert!(ran.stderr.contains("nothing answered"), "{ran:#?}");
    assert!(fs::exists(here.path()).unwrap());
}
