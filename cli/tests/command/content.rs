//! Point 8: what arrives is what was sent, byte for byte.

use gannet_driver_mio::netem::{LinkConfig, Relay};

use crate::common::{Here, Server, bytes};

#[test]
fn files_of_every_size_arrive_byte_for_byte_both_ways() {
    let (server, here) = (Server::start(), Here::new());
    // Around nothing, a packet, a group of 1 MiB, and several of them.
    for len in [0, 1, 1199, 1_048_575, 1_048_576, 1_048_577, 10_000_000] {
        let content = bytes(len, len as u64 + 1);
        here.write("file", &content);
        let ran = here.run(["put", &server.target(), "file"]).ended_with(0);
        ran.told(&["put file: ", "BLAKE3 verified"]);
        assert!(server.read("file") == content, "{len} bytes stored");
        here.run(["get", &server.target(), "file", "--to", "back"]).ended_with(0);
        assert!(here.read("back") == content, "{len} bytes fetched");
    }
}

#[test]
fn they_arrive_over_a_link_that_loses_reorders_duplicates_and_corrupts() {
    let (server, here) = (Server::start(), Here::new());
    let link = |seed| LinkConfig {
        seed,
        loss: 0.02,
        reorder: 0.02,
        duplicate: 0.02,
        corrupt: 0.02,
        ..LinkConfig::default()
    };
    let relay = Relay::start(server.address(), link(1), link(2)).unwrap();
    let (target, content) = (relay.address().to_string(), bytes(5_000_000, 7));
    here.write("file", &content);
    here.run(["put", &target, "file"]).ended_with(0);
    assert!(server.read("file") == content);
    here.run(["get", &target, "file", "--to", "back"]).ended_with(0);
    assert!(here.read("back") == content);
}

#[test]
fn a_hundred_files_travel_on_one_connection() {
    let (server, here) = (Server::start(), Here::new());
    let list: Vec<_> = (0..100).map(|n| format!("file-{n:03}")).collect();
    for (n, name) in list.iter().enumerate() {
        here.write(name, bytes(n * 100, n as u64));
    }
    let put = ["put".into(), server.target()].into_iter().chain(list.iter().cloned());
    here.run(put).ended_with(0).told(&["100 of 100 files"]);
    let there = Here::new();
    let get = ["get".into(), server.target()].into_iter().chain(list.iter().cloned());
    there.run(get).ended_with(0);
    for name in &list {
        assert!(there.read(name) == here.read(name), "{name}");
    }
}
