//! What is there already: it counts, unless the user wants otherwise.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use serde_json::json;

use crate::common::{Here, Server, Slow, bytes, names, object, objects};

const MIB: usize = 1 << 20;

/// Writes other content of the same length and time.
fn change_unseen(path: &Path, content: &[u8]) {
    let before = fs::metadata(path).unwrap();
    assert_eq!(before.len(), content.len() as u64);
    fs::write(path, content).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
}

/// Gives a file a time of its own.
fn with_time(path: &Path, secs: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn a_file_that_is_there_already_is_told_as_unchanged() {
    let (server, here) = (Server::start(), Here::new());
    server.write("theirs", bytes(3_000_000, 1));
    here.write("ours", bytes(3_000_000, 2));
    let (get, put) = (["get", &server.target(), "theirs"], ["put", &server.target(), "ours"]);
    for (line, told) in [(get, "theirs"), (put, "ours")] {
        here.run(line).ended_with(0).told(&[told, "BLAKE3 verified"]);
        let again = here.run(line).ended_with(0);
        assert_eq!(again.stderr, format!("unchanged {told}: 3.00 MB\n"));
        let mut again = object(&here.run([&line[..], &["--json"]].concat()).ended_with(0));
        let again = again.as_object_mut().unwrap();
        assert!(again.remove("seconds").unwrap().is_number());
        assert_eq!(
            json!(again),
            json!({"verb": line[0], "status": "done", "name": told, "path": told,
                   "bytes": 3_000_000, "kept": 3_000_000, "holes": 0, "unchanged": true})
        );
    }
}

#[test]
fn unchanged_files_count_as_done_and_are_no_traffic() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a", bytes(1_000_000, 1));
    server.write("b", bytes(2_000_000, 2));
    here.run(["get", &server.target(), "a"]).ended_with(0);
    let ran = here.run(["get", &server.target(), "a", "b"]).ended_with(0);
    ran.told(&["unchanged a", "got b", "2 of 2 files: 2.00 MB in", ", 1 unchanged"]);
}

#[test]
fn check_finds_what_size_and_time_do_not_show() {
    let (server, here) = (Server::start(), Here::new());
    let (old, new) = (bytes(2_000_000, 1), bytes(2_000_000, 2));
    let theirs = server.write("theirs", &old);
    let ours = here.write("ours", &old);
    let (get, put) = (["get", &server.target(), "theirs"], ["put", &server.target(), "ours"]);
    here.run(get).ended_with(0);
    here.run(put).ended_with(0);
    change_unseen(&theirs, &new);
    change_unseen(&ours, &new);
    here.run(get).ended_with(0).told(&["unchanged theirs"]);
    here.run(put).ended_with(0).told(&["unchanged ours"]);
    here.run([&get[..], &["--check"]].concat()).ended_with(0).told(&["got theirs"]);
    here.run([&put[..], &["--check"]].concat()).ended_with(0).told(&["put ours"]);
    assert!(here.read("theirs") == new && server.read("ours") == new);
}

/// By its content, whether it is short or long: that is read on both sides, and travels no more.
#[test]
fn what_check_finds_to_be_the_same_is_unchanged() {
    let (server, here) = (Server::start(), Here::new());
    for len in [0, 1, 200_000, MIB, 3 * MIB + 7] {
        let (theirs, ours) = (bytes(len, 1), bytes(len, 2));
        server.write("theirs", &theirs);
        here.write("ours", &ours);
        for (verb, name, content) in [("get", "theirs", &theirs), ("put", "ours", &ours)] {
            let hash = blake3::hash(content).to_hex().to_string();
            here.run([verb, &server.target(), name]).ended_with(0);
            let relay = Slow::at(&server, 1_000_000_000, Duration::ZERO);
            let ran = here.run([verb, &relay.target(), name, "--check"]).ended_with(0);
            let report = relay.stop();
            ran.told(&[&format!("unchanged {name}: "), &format!(", BLAKE3 verified ({hash})")]);
            let moved = report.forward.delivered_bytes + report.back.delivered_bytes;
            // What the connection itself takes, and no more.
            assert!(moved < 40_000, "{verb} {len}: {moved}");
            let line = [verb, &server.target(), name, "--check", "--json"];
            let told = object(&here.run(line).ended_with(0));
            let figures = json!([told["unchanged"], told["kept"], told["blake3"]]);
            assert_eq!(figures, json!([true, len, hash]), "{verb} {len}");
        }
        assert!(here.read("theirs") == theirs && server.read("ours") == ours);
    }
    assert_eq!(names(here.path()), ["ours", "theirs"]);
    assert_eq!(names(server.root()), ["ours", "theirs"]);
}

#[test]
fn only_the_groups_that_differ_travel_unless_fresh_wants_all() {
    let (server, here) = (Server::start(), Here::new());
    let mut content = bytes(6 * MIB, 1);
    let theirs = server.write("theirs", &content);
    let ours = here.write("ours", &content);
    let lines = [["get", &server.target(), "theirs"], ["put", &server.target(), "ours"]];
    for line in lines {
        here.run(line).ended_with(0);
    }
    content[2 * MIB] ^= 1;
    for path in [&theirs, &ours] {
        fs::write(path, &content).unwrap();
        with_time(path, 1_700_000_000);
    }
    let hash = blake3::hash(&content).to_hex().to_string();
    for line in lines {
        let told = object(&here.run([&line[..], &["--json"]].concat()).ended_with(0));
        let kept = json!([6 * MIB, 5 * MIB, false, hash]);
        assert_eq!(json!([told["bytes"], told["kept"], told["unchanged"], told["blake3"]]), kept);
        let told = object(&here.run([&line[..], &["--json", "--fresh"]].concat()).ended_with(0));
        let kept = json!([6 * MIB, 0, false, hash]);
        assert_eq!(json!([told["bytes"], told["kept"], told["unchanged"], told["blake3"]]), kept);
    }
    assert!(here.read("theirs") == content && server.read("ours") == content);
    content[0] ^= 1;
    fs::write(&ours, &content).unwrap();
    here.run(lines[1]).ended_with(0).told(&["put ours: 1.05 MB in", ", 5.24 MB kept, BLAKE3"]);
}

#[test]
fn no_clobber_keeps_what_has_the_name() {
    let (server, here) = (Server::start(), Here::new());
    for name in ["a", "b"] {
        server.write(name, format!("their {name}"));
    }
    here.write("a", "our a");
    here.write("c", "our c");
    let target = server.target();
    let get = ["get", "--no-clobber", &target, "a", "b"];
    here.run(get).ended_with(1).told(&["get a: ", "a: it exists already", "got b", "1 of 2 files"]);
    let put = ["put", "--no-clobber", &target, "a", "c"];
    here.run(put).ended_with(1).told(&["put a: it exists already at the server", "put c"]);
    assert_eq!((here.read("a"), server.read("a")), (b"our a".to_vec(), b"their a".to_vec()));
    assert_eq!((here.read("b"), server.read("c")), (b"their b".to_vec(), b"our c".to_vec()));
    let ran = here.run_with(["put", "--no-clobber", &target, "-", "--to", "a"], b"pipe");
    ran.ended_with(1).told(&["it exists already at the server"]);
    assert_eq!(server.read("a"), b"their a");
    let told = objects(&here.run([&put[..], &["--json"]].concat()).ended_with(1));
    assert!(told.iter().all(|object| object["code"] == "exists" && object["side"] == "server"));
    assert_eq!(names(here.path()), ["a", "b", "c"]);
}

#[test]
fn the_menu_takes_the_same_options() {
    let (server, here) = (Server::start(), Here::new());
    with_time(&server.write("a", "their a"), 1_000_000_000);
    let script =
        b"get a\nget a\nget a --fresh\nget a --check\nput a\nput a --fresh\nget a --no-clobber\n";
    let ran = here.script("127.0.0.1", &server.port(), script).ended_with(1);
    let told: Vec<_> = ran.stderr.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(
        told,
        ["got a", "unchanged a", "got a", "unchanged a", "unchanged a", "put a", "gannet"]
    );
    here.script("127.0.0.1", &server.port(), "get a --check --fresh\n").ended_with(2);
}

#[test]
fn both_sides_work_without_waiting_for_the_disk() {
    let (server, here) = (Server::start_with(&["--no-sync"]), Here::new());
    let content = bytes(2_000_000, 1);
    here.write("a", &content);
    here.run(["put", &server.target(), "a"]).ended_with(0);
    here.run(["get", "--no-sync", &server.target(), "a", "--to", "b"]).ended_with(0);
    assert!(server.read("a") == content && here.read("b") == content);
}
