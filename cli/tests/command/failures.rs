//! Points 4 and 11: what cannot be moved is told by name, and leaves nothing behind.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::common::{Here, Process, Server, in_namespace, may_mount, names};

/// Mounts a disk of 256 KiB.
const SMALL_DISK: &str = r#"mount -t tmpfs -o size=256k none "$0" && exec "$@""#;

#[test]
fn a_missing_file_is_told_by_name_on_either_side() {
    let (server, here) = (Server::start(), Here::new());
    let ran = here.run(["get", &server.target(), "missing.iso"]).ended_with(1);
    ran.told(&["get missing.iso", "no such file"]);
    let ran = here.run(["put", &server.target(), "missing.iso"]).ended_with(1);
    ran.told(&["put missing.iso", "no such file"]);
    let ran = here.run(["list", &server.target(), "missing"]).ended_with(1);
    ran.told(&["list missing", "no such directory"]);
    assert_eq!(names(here.path()), [""; 0]);
    assert_eq!(names(server.root()), [""; 0]);
}

#[test]
fn a_file_of_that_name_is_neither_created_nor_truncated() {
    let (server, here) = (Server::start(), Here::new());
    here.write("a", "mine");
    server.write("b", "theirs");
    here.run(["get", &server.target(), "a"]).ended_with(1);
    here.run(["put", &server.target(), "b"]).ended_with(1);
    assert_eq!((here.read("a"), server.read("b")), (b"mine".into(), b"theirs".into()));
}

#[test]
fn a_directory_where_a_file_is_meant_is_told() {
    let (server, here) = (Server::start(), Here::new());
    fs::create_dir(server.root().join("theirs")).unwrap();
    fs::create_dir(here.path().join("ours")).unwrap();
    let ran = here.run(["get", &server.target(), "theirs"]).ended_with(1);
    ran.told(&["get theirs", "directory"]);
    for ours in ["ours", "ours/", ".", "/"] {
        here.run(["put", &server.target(), ours]).ended_with(1).told(&["put ", "directory"]);
    }
    assert_eq!(names(here.path()), ["ours"]);
    assert_eq!(names(server.root()), ["theirs"]);
}

#[test]
fn a_directory_in_the_way_of_a_copy_is_told() {
    let (server, here) = (Server::start(), Here::new());
    server.write("x", "x");
    here.write("y", "y");
    fs::create_dir(here.path().join("x")).unwrap();
    fs::create_dir_all(server.root().join("d/y")).unwrap();
    here.run(["get", &server.target(), "x", "--to", "./"]).ended_with(1).told(&["directory"]);
    here.run(["put", &server.target(), "y", "--to", "d/"]).ended_with(1).told(&["directory"]);
}

#[test]
fn no_permission_is_told() {
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped: root may do everything");
        return;
    }
    let (server, here) = (Server::start(), Here::new());
    let close = |path| fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
    close(server.write("secret", "x"));
    close(here.write("secret", "x"));
    here.run(["get", &server.target(), "secret", "--to", "y"]).ended_with(1).told(&["permission"]);
    here.run(["put", &server.target(), "secret"]).ended_with(1).told(&["permission denied"]);
}

#[test]
fn a_fifo_is_no_file_and_nothing_hangs() {
    let (server, here) = (Server::start(), Here::new());
    for path in [server.root().join("fifo"), here.path().join("fifo")] {
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    }
    here.run(["get", &server.target(), "fifo", "--to", "x"])
        .ended_with(1)
        .told(&["not a regular file"]);
    here.run(["put", &server.target(), "fifo", "--to", "x"])
        .ended_with(1)
        .told(&["not a regular file"]);
}

#[test]
fn a_full_disk_is_told_on_either_side() {
    if !may_mount() {
        return;
    }
    let (server, here) = (Server::start(), Here::new());
    server.write("big", vec![1; 1 << 20]);
    let small = here.path().join("small");
    fs::create_dir(&small).unwrap();
    let command = here.gannet(["get", &server.target(), "big", "--to", "small/"]);
    let ran = Process::start(&mut in_namespace(SMALL_DISK, &small, &command), b"").ran();
    ran.ended_with(1).told(&["get big", "no space"]);

    let server = Server::start_wrapped(|root, command| in_namespace(SMALL_DISK, root, command));
    here.write("big", vec![1; 1 << 20]);
    here.write("fits", vec![1; 1 << 10]);
    here.run(["put", &server.target(), "big"]).ended_with(1).told(&["put big", "no space"]);
    here.run(["put", &server.target(), "fits"]).ended_with(0);
    let ran = here.run(["list", &server.target()]).ended_with(0);
    assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.stdout);
}

#[test]
fn a_bad_name_is_told_and_stays_inside() {
    let (server, here) = (Server::start(), Here::new());
    here.write("x", "x");
    for bad in ["../x", "/etc/passwd", "a//b", "a/../../x", ".", "", ".gannet-x.part"] {
        here.run(["get", &server.target(), bad, "--to", "y"]).ended_with(1).told(&["name"]);
        here.run(["rename", &server.target(), "x", bad]).ended_with(1).told(&["rename x", "name"]);
    }
    for bad in ["../x", "/x", "a/../x"] {
        here.run(["put", &server.target(), "x", "--to", bad]).ended_with(1).told(&["put x"]);
        here.run(["list", &server.target(), bad]).ended_with(1).told(&["list "]);
    }
    assert_eq!(names(server.root()), [""; 0]);
}

#[test]
fn a_symlink_that_leads_out_is_not_followed() {
    let (server, here) = (Server::start(), Here::new());
    here.write("outside", "secret");
    std::os::unix::fs::symlink(here.path(), server.root().join("way")).unwrap();
    here.write("x", "x");
    here.run(["get", &server.target(), "way/outside", "--to", "y"]).ended_with(1);
    here.run(["put", &server.target(), "x", "--to", "way/z"]).ended_with(1);
    here.run(["list", &server.target(), "way"]).ended_with(1);
    here.run(["rename", &server.target(), "way/outside", "stolen"]).ended_with(1);
    assert_eq!(names(here.path()), ["outside", "x"]);
}

#[test]
fn the_failure_of_one_file_does_not_stop_the_others() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a", "a");
    server.write("b", "b");
    let ran = here.run(["get", &server.target(), "a", "missing", "../x", "b"]).ended_with(1);
    ran.told(&["get missing", "get ../x", "got a", "got b", "2 of 4 files"]);
    assert_eq!(names(here.path()), ["a", "b"]);
}

#[test]
fn with_several_failures_the_exit_status_is_that_of_the_first_argument_that_failed() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a", "a");
    here.run(["get", &server.target(), "a", "missing"]).ended_with(1);
    here.run(["get", &server.target(), "missing", "a"]).ended_with(1);
    assert_eq!(here.read("a"), b"a");
}

#[test]
fn no_message_names_a_path_of_the_server() {
    let (server, here) = (Server::start(), Here::new());
    let root = server.root().to_str().unwrap();
    for arguments in [["get", "missing"], ["list", "missing"]] {
        let [verb, name] = arguments;
        let ran = here.run([verb, &server.target(), name]).ended_with(1);
        assert!(!ran.stderr.contains(root), "{}", ran.stderr);
    }
}
