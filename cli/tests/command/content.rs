//! Point 8: what arrives is what was sent, byte for byte.

use std::{
    fs::{self, File},
    os::unix::fs::{FileExt as _, MetadataExt as _},
};

use gannet_driver_mio::netem::{LinkConfig, Relay};
use rustix::fs::{SeekFrom, seek};

use crate::common::{Here, Server, bytes, object};

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

/// What lies in holes is neither moved nor part of the rate, nor in the total of several files.
#[test]
fn the_holes_of_a_file_are_told_apart_from_what_travelled() {
    const LEN: u64 = 4 << 30;
    let (server, here) = (Server::start(), Here::new());
    let path = here.write("hollow", "");
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(LEN).unwrap();
    if fs::metadata(&path).unwrap().blocks() != 0 || seek(&file, SeekFrom::Hole(0)) != Ok(0) {
        return eprintln!("SKIPPED: the file system at {} tells of no holes", path.display());
    }
    file.write_all_at(&bytes(1 << 20, 1), 3 << 20).unwrap();
    let put = ["put", &server.target(), "hollow"];
    here.run(put).ended_with(0).told(&["put hollow: 1.05 MB in ", ", 4.29 GB of holes, BLAKE3"]);
    here.write("full", bytes(2 << 20, 2));
    let ran = here.run([&put[..], &["full", "--fresh"]].concat()).ended_with(0);
    ran.told(&["2 of 2 files: 3.15 MB in ", ", 4.29 GB of holes\n"]);
    let get = ["get", &server.target(), "hollow", "--fresh", "--json"];
    let told = object(&here.run(get).ended_with(0));
    let figures = ["bytes", "kept", "holes"].map(|key| told[key].as_u64().unwrap());
    assert_eq!(figures, [LEN, 0, LEN - (1 << 20)]);
    assert!(fs::metadata(&path).unwrap().blocks() * 512 < 2 << 20);
}
