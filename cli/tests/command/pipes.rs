//! `put -` and `get --to -`: from standard input and to standard output.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::FileExt as _,
    path::Path,
    process::{Child, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::common::{Here, Server, Slow, bytes, names, wait_until};

fn spawn(here: &Here, arguments: &[&str]) -> Child {
    here.gannet(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Makes a file that has no holes of a block, but takes little room.
fn make_long(path: &Path, len: u64) {
    let file = fs::File::create(path).unwrap();
    file.set_len(len).unwrap();
    (0..len).step_by(1 << 20).for_each(|at| file.write_all_at(b"x", at).unwrap());
}

/// Its exit status, and what it told.
fn ended(mut child: Child) -> (Option<i32>, String) {
    drop(child.stdin.take());
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    (child.wait().unwrap().code(), told)
}

#[test]
fn standard_input_is_stored_and_comes_back_on_standard_output() {
    let (server, here) = (Server::start(), Here::new());
    for len in [0, 1, 65_536, 5_000_321] {
        let content = bytes(len, 1);
        let hash = blake3::hash(&content).to_hex();
        let ran = here.run_with(["put", &server.target(), "-", "--to", "file"], &content);
        ran.ended_with(0).told(&["put - as file: ", &hash]);
        assert!(server.read("file") == content, "{len}");
        let got = here.gannet(["get", &server.target(), "file", "--to", "-"]).output().unwrap();
        let told = String::from_utf8(got.stderr).unwrap();
        assert!(got.status.success(), "{told}");
        assert!(got.stdout == content, "{len}");
        assert!(told.starts_with("got file: ") && told.contains(&*hash), "{told}");
    }
    assert_eq!(names(server.root()), ["file"]);
    assert_eq!(names(here.path()), [""; 0]);
}

#[test]
fn a_pipe_may_take_its_time() {
    let (server, here) = (Server::start(), Here::new());
    let mut child = spawn(&here, &["put", &server.target(), "-", "--to", "log"]);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"first\n").unwrap();
    wait_until("the server waits for more", || names(server.root()).len() == 1);
    assert!(!server.root().join("log").exists(), "it is not there before it is whole");
    stdin.write_all(b"second\n").unwrap();
    drop(stdin);
    assert_eq!(ended(child).0, Some(0));
    assert_eq!(server.read("log"), b"first\nsecond\n");
}

#[test]
fn standard_input_in_a_directory_is_called_stdin() {
    let (server, here) = (Server::start(), Here::new());
    fs::create_dir(server.root().join("d")).unwrap();
    let put = ["put", &server.target(), "-", "--to", "d", "--json"];
    let ran = here.run_with(put, b"content").ended_with(0);
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&told["name"], &told["path"]), (&"d/stdin".into(), &"-".into()));
    assert_eq!(server.read("d/stdin"), b"content");
    here.run_with(["put", &server.target(), "-", "--to", "none/"], b"x").ended_with(1);
}

#[test]
fn a_reader_that_wants_no_more_ends_it_quietly() {
    let (server, here) = (Server::start(), Here::new());
    make_long(&server.root().join("large"), 1 << 30);
    let mut child = spawn(&here, &["get", &server.target(), "large", "--to", "-"]);
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 10]).unwrap();
    drop(stdout);
    assert_eq!(ended(child), (Some(0), String::new()));
}

#[test]
#[cfg(target_os = "linux")]
fn a_large_file_takes_little_memory() {
    const LEN: u64 = 512 << 20;
    let (server, here) = (Server::start(), Here::new());
    make_long(&server.root().join("large"), LEN);
    let mut child = spawn(&here, &["get", &server.target(), "large", "--to", "-"]);
    let mut stdout = child.stdout.take().unwrap();
    let mut buffer = vec![0; 1 << 20];
    let (mut read, mut most) = (0, 0);
    while read < LEN {
        read += stdout.read(&mut buffer).unwrap() as u64;
        // It waits for us with all that it has read ahead.
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)).map(str::parse::<u64>);
        most = kib.map_or(most, Result::unwrap);
    }
    assert_eq!(ended(child).0, Some(0));
    assert!(most < 128 << 10, "{most} KiB");
}

#[test]
fn what_cannot_be_meant_is_told_before_anything_is_done() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a", "a");
    server.write("b", "b");
    let target = server.target();
    let wrong: [(&[&str], &str); 3] = [
        (&["put", &target, "-"], "--to NAME"),
        (&["get", &target, "a", "b", "--to", "-"], "one file"),
        (&["get", &target, "a", "--to", "-", "--json"], "--json"),
    ];
    for (arguments, told) in wrong {
        let ran = here.run_with(arguments, b"x").ended_with(2).told(&[told]);
        assert!(!ran.stdout.starts_with('a'), "{ran:?}");
    }
    let script = b"put - x\nget a -\n";
    let ran = here.run_with(["client", "127.0.0.1", &server.port()], script).ended_with(2);
    assert_eq!(ran.stdout, "a");
    ran.told(&["'./-'"]);
    let ran = here.run(["get", &target, "none", "--to", "-"]).ended_with(1);
    assert_eq!(ran.stdout, "");
    here.write("-", "dash");
    here.run(["put", &target, "./-"]).ended_with(0);
    assert_eq!(server.read("-"), b"dash");
}

#[test]
fn ctrl_c_ends_it_although_the_pipe_stands() {
    let (server, here) = (Server::start(), Here::new());
    make_long(&server.root().join("large"), 1 << 30);
    let interrupt = |child: &Child| kill_process(Pid::from_child(child), Signal::INT).unwrap();

    let mut child = spawn(&here, &["put", &server.target(), "-", "--to", "never"]);
    let stdin = child.stdin.take();
    wait_until("the server waits for more", || names(server.root()).len() == 2);
    interrupt(&child);
    assert_eq!(ended(child).0, Some(130));
    drop(stdin);
    wait_until("the server holds no partial file", || names(server.root()) == ["large"]);

    let mut child = spawn(&here, &["get", &server.target(), "large", "--to", "-"]);
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 1]).unwrap();
    interrupt(&child);
    assert_eq!(ended(child).0, Some(130));
}

#[test]
fn a_lost_server_leaves_only_what_was_right() {
    let (server, here) = (Server::start(), Here::new());
    let content = bytes(8 << 20, 1);
    server.write("file", &content);
    let slow = Slow::to(&server);
    let mut child = spawn(&here, &["get", &slow.target(), "file", "--to", "-"]);
    let mut stdout = child.stdout.take().unwrap();
    let mut got = vec![0; 1];
    stdout.read_exact(&mut got).unwrap();
    drop(server);
    stdout.read_to_end(&mut got).unwrap();
    let (status, told) = ended(child);
    assert_eq!(status, Some(3), "{told}");
    assert!(content.starts_with(&got) && got.len() < content.len(), "{}", got.len());
    assert!(told.contains("not finished"), "{told}");
}
