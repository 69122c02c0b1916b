//! Sealed by default, plain by wish, and where a server listens and what it keeps.

use std::{fs, path::Path};

use crate::common::{Here, Server, User, names};

#[test]
fn a_sealed_server_listens_everywhere_and_serves_both_families() {
    let here = Here::new();
    here.write("a", "a");
    let mut server = here.terminal(["server", "0"]);
    server.expect("listening on ");
    let address = server.expect(", sharing");
    let port = address.rsplit(':').next().unwrap().to_owned();
    assert!(address.starts_with("[::]:") || address.starts_with("0.0.0.0:"), "{address}");
    let client = Here::new();
    client.run(["list", &format!("127.0.0.1:{port}")]).ended_with(0);
    if address.starts_with('[') {
        client.run(["list", &format!("[::1]:{port}")]).ended_with(0);
    }
    // IPv4 clients are told as such.
    let connecting = server.expect(" connected: ");
    assert!(connecting.contains("Z 127.0.0.1:"), "{connecting}");
    let listing = server.expect(" list ");
    assert!(listing.contains("Z 127.0.0.1:"), "{listing}");
}

/// `docs/hostile-input.md`, row 39.
#[test]
fn plain_is_for_both_sides_or_neither() {
    let mut plain = Server::start_with(&["--plain"]);
    plain.expect_log(&["not encrypted", "only this machine", "--listen"]);
    plain.write("a", "a");
    let here = Here::of(User::new());
    here.run(["get", &plain.target(), "a", "--plain"]).ended_with(0);
    assert_eq!(here.read("a"), b"a");
    assert_eq!(here.user().read("secret_key"), "", "plain needs no key");
    let sealed = Server::start();
    let told = ["nothing answered", "--plain"];
    let list = |server: &Server| {
        ["list", &server.target(), "--connect-timeout", "500ms"].map(str::to_owned).to_vec()
    };
    here.run(list(&plain)).ended_with(3).told(&told);
    let mut plainly = list(&sealed);
    plainly.push("--plain".into());
    here.run(&plainly).ended_with(3).told(&told);
    let invite = ["invite", &plain.target(), "--plain"];
    here.run(invite).ended_with(1).told(&["invite: ", "--plain"]);
}

#[test]
fn a_plain_server_stays_on_loopback_unless_it_is_told_otherwise() {
    let here = Here::new();
    let mut server = here.terminal(["server", "0", "--plain"]);
    server.expect("listening on 127.0.0.1:");
    let mut server = Server::start_with(&["--plain", "--listen", "0.0.0.0"]);
    server.expect_log(&["WARNING", "not encrypted", "read and change"]);
}

#[test]
fn a_server_confines_itself_and_says_so() {
    let mut server = Server::start();
    let line = server.expect_log(&["confined: "]);
    server.write("a", "a");
    let here = Here::new();
    here.write("b", "b");
    here.run(["get", &server.target(), "a"]).ended_with(0);
    here.run(["put", &server.target(), "b"]).ended_with(0);
    here.run(["invite", &server.target()]).ended_with(0);
    if line.contains("not confined") || !Path::new("/proc/self/status").exists() {
        eprintln!("skipped: {line}");
        return;
    }
    for task in fs::read_dir(format!("/proc/{}/task", server.id())).unwrap() {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    }
    assert!(!line.contains("running before"), "{line}");
}

#[test]
fn the_demo_touches_nothing_of_its_user() {
    let here = Here::of(User::new());
    here.run(["demo"]).ended_with(0);
    assert_eq!(names(here.user().config()), [""; 0]);
    assert_eq!(names(here.state()), [""; 0]);
}
