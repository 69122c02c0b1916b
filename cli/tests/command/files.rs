//! Point 3: where files land, under which name, and what becomes of a name that exists.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, SystemTime},
};

use crate::common::{Here, Server, Slow, bytes, names};

#[test]
fn files_come_from_and_go_to_the_root_and_the_current_directory() {
    let (server, here) = (Server::start(), Here::new());
    server.write("theirs", "theirs");
    here.write("ours", "ours");
    here.run(["get", &server.target(), "theirs"]).ended_with(0);
    here.run(["put", &server.target(), "ours"]).ended_with(0);
    assert_eq!((here.read("theirs"), server.read("ours")), (b"theirs".into(), b"ours".into()));
}

#[test]
fn the_last_component_names_the_copy() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a/b.iso", "b");
    here.write("x/y.iso", "y");
    here.run(["get", &server.target(), "a/b.iso"]).ended_with(0);
    here.run(["put", &server.target(), "x/y.iso"]).ended_with(0);
    assert_eq!((here.read("b.iso"), server.read("y.iso")), (b"b".into(), b"y".into()));
}

#[test]
fn to_is_a_directory_if_it_is_one_or_ends_in_a_slash_else_the_new_name() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a/b", "b");
    fs::create_dir(here.path().join("d")).unwrap();
    for (to, lands) in [("d", "d/b"), ("d/", "d/b"), ("c", "c"), ("d/c", "d/c")] {
        here.run(["get", &server.target(), "a/b", "--to", to]).ended_with(0);
        assert_eq!(here.read(lands), b"b", "{to}");
    }
    here.write("y", "y");
    for (to, lands) in [("a", "a/y"), ("a/", "a/y"), ("c", "c"), ("a/c", "a/c"), (".", "y")] {
        here.run(["put", &server.target(), "y", "--to", to]).ended_with(0);
        assert_eq!(server.read(lands), b"y", "{to}");
    }
}

#[test]
fn several_files_need_a_directory() {
    let (server, here) = (Server::start(), Here::new());
    for name in ["a", "b"] {
        server.write(name, name);
        here.write(&format!("put-{name}"), name);
    }
    here.write("file", "untouched");
    for to in ["file", "new", "new/"] {
        here.run(["get", &server.target(), "a", "b", "--to", to]).ended_with(2);
    }
    assert_eq!(here.read("file"), b"untouched");
    fs::create_dir(here.path().join("d")).unwrap();
    here.run(["get", &server.target(), "a", "b", "--to", "d"]).ended_with(0);
    assert_eq!(names(&here.path().join("d")), ["a", "b"]);

    let put = ["put", &server.target(), "put-a", "put-b", "--to"];
    here.run(put.iter().chain(&["a"])).ended_with(1);
    assert_eq!(server.read("a"), b"a");
    here.run(put.iter().chain(&["new"])).ended_with(1);
    fs::create_dir(server.root().join("d")).unwrap();
    here.run(put.iter().chain(&["d"])).ended_with(0);
    assert_eq!(names(&server.root().join("d")), ["put-a", "put-b"]);
    assert_eq!(names(server.root()), ["a", "b", "d"]);
}

#[test]
fn a_missing_parent_directory_is_an_error_on_either_side() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a", "a");
    here.write("b", "b");
    let ran = here.run(["get", &server.target(), "a", "--to", "missing/a"]).ended_with(1);
    ran.told(&["missing/a", "no directory missing"]);
    here.run(["get", &server.target(), "a", "--to", "missing/"]).ended_with(1).told(&["missing"]);
    here.run(["put", &server.target(), "b", "--to", "missing/b"]).ended_with(1).told(&["put b"]);
    here.run(["put", &server.target(), "b", "--to", "missing/"]).ended_with(1).told(&["put b"]);
    assert_eq!(names(here.path()), ["b"]);
    assert_eq!(names(server.root()), ["a"]);
}

#[test]
fn a_name_that_exists_is_replaced_whole_and_readable_until_then() {
    let (server, here) = (Server::start(), Here::new());
    let new = bytes(300_000, 1);
    server.write("file", &new);
    here.write("file", "old");
    let slow = Slow::to(&server);
    let mut running = here.terminal(["get", &slow.target(), "file"]);
    running.expect("kB of 300 kB");
    assert_eq!(here.read("file"), b"old");
    assert_eq!(running.ends().0, Some(0));
    assert!(here.read("file") == new);
    assert_eq!(names(here.path()), ["file"]);

    here.write("file", "newer");
    here.run(["put", &server.target(), "file"]).ended_with(0);
    assert_eq!(server.read("file"), b"newer");
}

#[test]
fn a_rename_onto_an_existing_name_is_refused() {
    let (server, here) = (Server::start(), Here::new());
    server.write("old", "old");
    server.write("taken", "taken");
    fs::create_dir(server.root().join("directory")).unwrap();
    for taken in ["taken", "directory"] {
        let ran = here.run(["rename", &server.target(), "old", taken]).ended_with(1);
        ran.told(&["rename old", taken, "exists"]);
    }
    assert_eq!((server.read("old"), server.read("taken")), (b"old".into(), b"taken".into()));
    here.run(["rename", &server.target(), "old", "directory/new"]).ended_with(0);
    assert_eq!(server.read("directory/new"), b"old");
    here.run(["mv", &server.target(), "missing", "new"]).ended_with(1).told(&["no such file"]);
}

#[test]
fn mode_and_modification_time_travel() {
    let (server, here) = (Server::start(), Here::new());
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_234_567_890);
    let shape = |path: &Path| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o750)).unwrap();
        fs::File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
    };
    shape(&server.write("theirs", "x"));
    shape(&here.write("ours", "x"));
    here.run(["get", &server.target(), "theirs"]).ended_with(0);
    here.run(["put", &server.target(), "ours"]).ended_with(0);
    for copy in [here.path().join("theirs"), server.root().join("ours")] {
        let metadata = fs::metadata(&copy).unwrap();
        assert_eq!(metadata.modified().unwrap(), then, "{}", copy.display());
        // As far as the umask allows, which here is 022 or stricter.
        assert_eq!(metadata.permissions().mode() & 0o700, 0o700, "{}", copy.display());
        assert_eq!(metadata.permissions().mode() & 0o7007, 0, "{}", copy.display());
    }
}

#[test]
fn two_dashes_end_the_options() {
    let (server, here) = (Server::start(), Here::new());
    server.write("-q", "dash");
    here.run(["get", &server.target(), "--", "-q"]).ended_with(0);
    assert_eq!(here.read("-q"), b"dash");
}

#[test]
fn every_address_of_a_name_is_tried() {
    // localhost is ::1 first on many machines, where this server does not listen.
    let (server, here) = (Server::start(), Here::new());
    server.write("a", "a");
    here.run(["get", &format!("localhost:{}", server.port()), "a"]).ended_with(0);
    assert_eq!(here.read("a"), b"a");
}

#[test]
fn names_with_blanks_quotes_and_bytes_that_are_no_unicode_travel() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let (server, here) = (Server::start(), Here::new());
    let odd = [&b"two words"[..], b"it's \"quoted\"", b"caf\xe9", "žluť 🐟".as_bytes(), b"a\\b"];
    for name in odd.map(OsStr::from_bytes) {
        fs::write(here.path().join(name), "odd").unwrap();
        here.run([OsStr::new("put"), server.target().as_ref(), name]).ended_with(0);
        assert_eq!(fs::read(server.root().join(name)).unwrap(), b"odd");
        fs::remove_file(here.path().join(name)).unwrap();
        here.run([OsStr::new("get"), server.target().as_ref(), name]).ended_with(0);
        assert_eq!(fs::read(here.path().join(name)).unwrap(), b"odd");
    }
}
