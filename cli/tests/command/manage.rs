//! `stat`, `remove` and `mkdir`.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    time::{Duration, SystemTime},
};

use crate::common::{Here, Server, names};

#[test]
fn a_stat_tells_mode_size_time_and_name_in_the_order_of_the_names() {
    let (server, here) = (Server::start(), Here::new());
    let file = server.write("sub/a\nb", "12345");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    fs::set_permissions(server.root().join("sub"), fs::Permissions::from_mode(0o750)).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
    let ran = here.run(["stat", &server.target(), "sub/a\nb", "none", "sub/"]).ended_with(1);
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(lines[0], r"-rw-r-----  5  2023-11-14T22:13:20Z  sub/a\nb");
    assert!(lines[1].starts_with("drwxr-x---  0  2") && lines[1].ends_with("Z  sub/"), "{lines:?}");
    assert_eq!(lines.len(), 2);
    ran.told(&["stat none: the server has no such file or directory"]);
}

#[test]
fn names_are_removed_in_their_order_and_a_failure_stops_no_other() {
    let (server, here) = (Server::start(), Here::new());
    for file in ["d/e/f", "d/g", "other", "full/file"] {
        server.write(file, "x");
    }
    let target = server.target();
    let order = ["d/e/f", "d/e", "d/g", "none", "d", "full", "other"];
    let ran = here.run([&["remove", &target], &order[..]].concat()).ended_with(1);
    assert_eq!(ran.stdout, "");
    let ran = ran.told(&["removed d/e\n", "removed d\n", "removed other\n", "remove none: "]);
    ran.told(&["remove full: the directory is not empty"]);
    assert_eq!(names(server.root()), ["full"]);
    assert_eq!(names(&server.root().join("full")), ["file"]);
    here.run(["rm", &target, "full/file", "full/"]).ended_with(0);
    assert_eq!(names(server.root()), [""; 0]);
    for root in [".", "./", "/", "..", ""] {
        here.run(["remove", &target, root]).ended_with(1).told(&["is no name at the server"]);
    }
}

#[test]
fn directories_are_made_in_their_order_and_once() {
    let (server, here) = (Server::start(), Here::new());
    server.write("file", "x");
    let target = server.target();
    let ran = here.run(["mkdir", &target, "a", "a/b/", "a/b/c"]).ended_with(0);
    ran.told(&["made a/\n", "made a/b/\n", "made a/b/c/\n"]);
    assert!(server.root().join("a/b/c").is_dir());
    here.run(["mkdir", &target, "a"]).ended_with(1).told(&["mkdir a: ", "exists"]);
    here.run(["mkdir", &target, "file"]).ended_with(1).told(&["exists"]);
    here.run(["mkdir", &target, "none/a"]).ended_with(1).told(&["make that first"]);
    here.run(["-q", "mkdir", &target, "quiet"]).ended_with(0);
}

/// `docs/hostile-input.md`, row 43.
#[test]
fn a_link_is_removed_itself_and_one_that_leads_out_is_refused() {
    let (server, here) = (Server::start(), Here::new());
    server.write("sub/file", "kept");
    here.write("secret", "secret");
    symlink("sub/file", server.root().join("inside")).unwrap();
    symlink("sub", server.root().join("dir")).unwrap();
    symlink(here.path(), server.root().join("outdir")).unwrap();
    symlink(here.path().join("secret"), server.root().join("out")).unwrap();
    let target = server.target();
    for out in ["out", "outdir", "outdir/secret"] {
        for verb in ["stat", "remove"] {
            here.run([verb, &target, out]).ended_with(1).told(&[verb]);
        }
    }
    here.run(["mkdir", &target, "outdir/new"]).ended_with(1);
    here.run(["remove", &target, "inside", "dir"]).ended_with(0);
    assert_eq!(names(server.root()), ["out", "outdir", "sub"]);
    assert_eq!((server.read("sub/file"), here.read("secret")), (b"kept".into(), b"secret".into()));
    assert_eq!(names(here.path()), ["secret"]);
}
