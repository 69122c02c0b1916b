//! Whole directories: `get -r` and `put -r`.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, fs::symlink, net::UnixListener},
    path::Path,
    time::{Duration, SystemTime},
};

use crate::common::{Here, Server, Slow, bytes, names, objects};

/// Writes a tree of four files, two of them deeper, and an empty directory.
fn plant(root: &Path) {
    for (name, content) in
        [("photos/a", "a"), ("photos/b c", ""), ("photos/2024/may/d", "d"), ("photos/2024/e", "e")]
    {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    fs::create_dir(root.join("photos/empty")).unwrap();
}

/// All that is below a directory, by its path from there, sorted.
fn all_below(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![String::new()];
    while let Some(dir) = left.pop() {
        for name in names(&root.join(&dir)) {
            let path = if dir.is_empty() { name } else { format!("{dir}/{name}") };
            if fs::symlink_metadata(root.join(&path)).unwrap().is_dir() {
                left.push(path.clone());
            }
            found.push(path);
        }
    }
    found.sort();
    found
}

const PLANTED: [&str; 8] = [
    "photos",
    "photos/2024",
    "photos/2024/e",
    "photos/2024/may",
    "photos/2024/may/d",
    "photos/a",
    "photos/b c",
    "photos/empty",
];

/// The same below another name, or none.
fn planted_as(name: &str) -> Vec<String> {
    let paths = PLANTED.iter().filter_map(|path| {
        let rest = path.strip_prefix("photos").unwrap();
        let path = format!("{name}{rest}");
        let path = path.trim_start_matches('/').to_owned();
        (!path.is_empty()).then_some(path)
    });
    paths.collect()
}

#[test]
fn a_tree_comes_and_goes_with_all_that_is_in_it() {
    let (server, here, there) = (Server::start(), Here::new(), Here::new());
    plant(here.path());
    let put = here.run(["put", "-r", &server.target(), "photos"]).ended_with(0);
    assert_eq!(put.stderr.lines().count(), 1, "{}", put.stderr);
    let put = put.told(&["4 of 4 files: 3 B in"]);
    assert!(!put.stderr.contains("skipped"), "{}", put.stderr);
    assert_eq!(all_below(server.root()), PLANTED);
    there.run(["get", "--recursive", &server.target(), "photos/"]).ended_with(0).told(&["4 of 4"]);
    assert_eq!(all_below(there.path()), PLANTED);
    assert_eq!(there.read("photos/2024/may/d"), b"d");
}

#[test]
fn what_lands_where_is_as_with_cp() {
    let (server, here) = (Server::start(), Here::new());
    plant(server.root());
    let below = |dir: &str| all_below(&here.path().join(dir));
    let get = |name: &str, to: &str| {
        here.run(["get", "-r", &server.target(), name, "--to", to]).ended_with(0);
    };
    fs::create_dir(here.path().join("there")).unwrap();
    get("photos", "there");
    assert_eq!(below("there"), PLANTED);
    get("photos", "new");
    assert_eq!(below("new"), planted_as(""));
    get("photos", "made/");
    assert_eq!(below("made"), PLANTED);
    get("photos/.", "content/");
    assert_eq!(below("content"), planted_as(""));
    get(".", "all");
    assert_eq!(below("all"), PLANTED);
    get("photos/2024/may", "made");
    assert_eq!(here.read("made/may/d"), b"d");
    get("photos/a", "made/");
    assert_eq!(here.read("made/a"), b"a");
    let two = ["get", "-r", &server.target(), "photos/2024", "photos/a", "--to", "two"];
    here.run(two).ended_with(0).told(&["3 of 3 files"]);
    assert_eq!(names(&here.path().join("two")), ["2024", "a"]);
}

#[test]
fn what_lands_where_at_the_server_is_the_same() {
    let (server, here) = (Server::start(), Here::new());
    plant(here.path());
    let below = |dir: &str| all_below(&server.root().join(dir));
    let put = |name: &str, to: &str| {
        here.run(["put", "-r", &server.target(), name, "--to", to]).ended_with(0);
    };
    fs::create_dir(server.root().join("there")).unwrap();
    put("photos", "there");
    assert_eq!(below("there"), PLANTED);
    put("photos", "new");
    assert_eq!(below("new"), planted_as(""));
    put("photos/", "made/");
    assert_eq!(below("made"), PLANTED);
    put("photos/.", "content/");
    assert_eq!(below("content"), planted_as(""));
    put(".", "all/");
    assert_eq!(below("all"), PLANTED);
    put("photos/a", "there/");
    assert_eq!(server.read("there/a"), b"a");
    let two = ["put", "-r", &server.target(), "photos/2024", "photos/a", "--to", "two"];
    here.run(two).ended_with(0).told(&["3 of 3 files"]);
    assert_eq!(names(&server.root().join("two")), ["2024", "a"]);
    // A file is there, and stays.
    let refused = here.run(["put", "-r", &server.target(), "photos", "--to", "two/a"]);
    refused.ended_with(1).told(&["put photos", "directory is needed"]);
    assert_eq!(server.read("two/a"), b"a");
}

#[test]
fn a_directory_without_r_is_explained() {
    let (server, here) = (Server::start(), Here::new());
    plant(server.root());
    let get = here.run(["get", &server.target(), "photos"]).ended_with(1);
    get.told(&["get photos: it is a directory at the server; 'get -r' fetches it"]);
    plant(here.path());
    let get = here.run(["get", &server.target(), "photos"]).ended_with(1);
    get.told(&["get photos: ", "a directory has that name here", "'get -r'"]);
    let put = here.run(["put", &server.target(), "photos"]).ended_with(1);
    put.told(&["put photos", "it is a directory; 'put -r' stores it"]);
}

/// `docs/hostile-input.md`, row 45.
#[test]
fn links_and_what_is_no_file_are_left_out_with_a_note() {
    let (server, here) = (Server::start(), Here::new());
    let secret = here.write("secret", "secret");
    for root in [server.root(), here.path()] {
        plant(root);
        symlink("a", root.join("photos/link")).unwrap();
        symlink(".", root.join("photos/2024/round")).unwrap();
        symlink(&secret, root.join("photos/out")).unwrap();
        UnixListener::bind(root.join("photos/socket")).unwrap();
    }
    let notes = [
        "skipped photos/link: a symbolic link",
        "skipped photos/2024/round: a symbolic link",
        "skipped photos/out: a symbolic link",
        "skipped photos/socket: no regular file",
        "4 of 4 files: 3 B in",
        "4 skipped",
    ];
    let get = here.run(["get", "-r", &server.target(), "photos", "--to", "got"]).ended_with(0);
    assert_eq!(all_below(&here.path().join("got")), planted_as(""));
    assert_eq!(get.told(&notes).stderr.lines().count(), 5);
    let put = here.run(["put", "-r", &server.target(), "photos", "--to", "put"]).ended_with(0);
    assert_eq!(all_below(&server.root().join("put")), planted_as(""));
    assert_eq!(put.told(&notes).stderr.lines().count(), 5);
    // What the user names is meant, be it a link.
    symlink("photos", server.root().join("latest")).unwrap();
    here.run(["get", "-r", &server.target(), "latest"]).ended_with(0).told(&["4 of 4"]);
    assert_eq!(all_below(&here.path().join("latest")), planted_as(""));
}

#[test]
fn bits_and_times_of_directories_come_along_as_far_as_they_can() {
    let (server, here) = (Server::start(), Here::new());
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for root in [server.root(), here.path()] {
        plant(root);
        for (name, mode) in [("photos/2024/may", 0o700), ("photos/2024", 0o750)] {
            let dir = root.join(name);
            fs::set_permissions(&dir, fs::Permissions::from_mode(mode)).unwrap();
            fs::File::open(dir).unwrap().set_modified(time).unwrap();
        }
    }
    here.run(["get", "-r", &server.target(), "photos", "--to", "got"]).ended_with(0);
    here.run(["put", "-r", &server.target(), "photos", "--to", "put"]).ended_with(0);
    for name in ["2024/may", "2024"] {
        let [theirs, got, put] = [
            server.root().join("photos").join(name),
            here.path().join("got").join(name),
            server.root().join("put").join(name),
        ]
        .map(|path| fs::metadata(path).unwrap());
        assert_eq!(got.permissions().mode(), theirs.permissions().mode(), "{name}");
        assert_eq!(put.permissions().mode(), theirs.permissions().mode(), "{name}");
        assert_eq!(got.modified().unwrap(), time, "{name}");
    }
}

#[test]
fn failures_are_listed_at_the_end_and_the_others_go_on() {
    let (server, here) = (Server::start(), Here::new());
    plant(server.root());
    // A directory and a file are in the way of a file and a directory.
    fs::create_dir_all(here.path().join("photos/a")).unwrap();
    here.write("photos/2024", "in the way");
    let ran = here.run(["get", "-r", &server.target(), "photos", "none"]).ended_with(1);
    let lines: Vec<_> = ran.stderr.lines().collect();
    assert_eq!(lines.len(), 4, "{}", ran.stderr);
    assert!(lines[..3].iter().all(|line| line.starts_with("gannet: get ")), "{}", ran.stderr);
    assert!(lines[3].starts_with("1 of "), "{}", ran.stderr);
    ran.told(&["get photos/a: ", "get photos/2024: ", "get none: the server has no such file"]);
    assert_eq!(here.read("photos/b c"), b"");
    assert_eq!(here.read("photos/2024"), b"in the way");

    let put = here.run(["put", "-r", &server.target(), "photos", "missing"]).ended_with(1);
    put.told(&["put photos/2024: ", "put photos/a: ", "put missing: "]);
    assert_eq!(server.read("photos/a"), b"a");
}

#[test]
fn names_that_the_server_does_not_take_are_told() {
    let (server, here) = (Server::start(), Here::new());
    here.write("d/fine", "fine");
    here.write("d/.gannet-mine/x", "x");
    let deep = format!("d/{}", vec!["x".repeat(250); 9].join("/"));
    here.write(&format!("{deep}/file"), "deep");
    let base = vec!["y".repeat(250); 8].join("/");
    fs::create_dir_all(server.root().join(&base)).unwrap();
    let ran = here.run(["put", "-r", &server.target(), "d", "--to", &format!("{base}/")]);
    ran.ended_with(1).told(&["a name cannot be over 4095 bytes"]);
    assert_eq!(server.read(&format!("{base}/d/fine")), b"fine");
}

/// What is in a tree of a server lands in the directory that it is for, wherever links in that lead.
///
/// `docs/hostile-input.md`, row 43.
#[test]
fn links_of_this_machine_lead_nothing_out() {
    let (server, here, elsewhere) = (Server::start(), Here::new(), Here::new());
    plant(server.root());
    fs::create_dir(here.path().join("photos")).unwrap();
    symlink(elsewhere.path(), here.path().join("photos/2024")).unwrap();
    symlink(elsewhere.path().join("a"), here.path().join("photos/a")).unwrap();
    let ran = here.run(["get", "-r", &server.target(), "photos"]).ended_with(1);
    ran.told(&["get photos/2024: ", "not a directory"]);
    assert_eq!(names(elsewhere.path()), [""; 0]);
    // A link in a file's place is replaced, and not followed.
    assert!(fs::symlink_metadata(here.path().join("photos/a")).unwrap().is_file());

    fs::remove_dir_all(here.path().join("photos")).unwrap();
    symlink(elsewhere.path(), here.path().join("photos")).unwrap();
    here.run(["get", "-r", &server.target(), "photos"]).ended_with(1).told(&["not a directory"]);
    assert_eq!(names(elsewhere.path()), [""; 0]);
}

#[test]
fn the_same_command_again_moves_what_is_new_alone() {
    let (server, here) = (Server::start(), Here::new());
    plant(server.root());
    plant(here.path());
    let get = ["get", "-r", &server.target(), "photos", "--to", "got/"];
    let put = ["put", "-r", &server.target(), "photos", "--to", "put/"];
    for verb in [get, put] {
        here.run(verb).ended_with(0);
        here.run(verb).ended_with(0).told(&["4 of 4 files: 0 B in", "4 unchanged"]);
    }
    server.write("photos/new", "new");
    here.run(get).ended_with(0).told(&["5 of 5 files: 3 B in", "4 unchanged"]);
    assert_eq!(here.read("got/photos/new"), b"new");
    here.write("photos/a", "newer");
    here.run(put).ended_with(0).told(&["4 of 4 files: 5 B in", "3 unchanged"]);
    assert_eq!(server.read("put/photos/a"), b"newer");
    here.run(put.iter().chain(&["--no-clobber"])).ended_with(1).told(&["0 of 4 files"]);
}

#[test]
fn each_file_and_each_link_is_an_object() {
    let (server, here) = (Server::start(), Here::new());
    plant(server.root());
    symlink("a", server.root().join("photos/link")).unwrap();
    let ran = here.run(["get", "-r", &server.target(), "photos", "none", "--json"]).ended_with(1);
    let objects = objects(&ran);
    let mut told: Vec<_> = objects
        .iter()
        .map(|object| {
            format!("{} {}", object["status"].as_str().unwrap(), object["name"].as_str().unwrap())
        })
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            "done photos/2024/e",
            "done photos/2024/may/d",
            "done photos/a",
            "done photos/b c",
            "failed none",
            "skipped photos/link",
        ]
    );
    let done = objects.iter().find(|object| object["name"] == "photos/2024/e").unwrap();
    assert_eq!((&done["path"], &done["bytes"]), (&"photos/2024/e".into(), &1.into()));
}

#[test]
fn one_bar_tells_how_many_files_are_done() {
    let (server, here) = (Server::start(), Here::new());
    for number in 0..40 {
        here.write(&format!("d/{}/file{number:02}", number % 3), bytes(10_000, number));
    }
    let slow = Slow::to(&server);
    let mut running = here.terminal(["put", "-r", &slow.target(), "d"]);
    running.expect(" of 40 files [");
    running.expect("kB of 400 kB");
    running.expect(" left");
    running.expect("40 of 40 files: 400 kB in");
    assert_eq!(running.ends().0, Some(0));
}

#[test]
fn the_menu_moves_trees_too() {
    let (server, here) = (Server::start(), Here::new());
    plant(server.root());
    let script = "get photos\nget -r photos\nput -r photos there/\n";
    let ran = here.script("127.0.0.1", &server.port(), script).ended_with(1);
    ran.told(&["4 of 4 files", "'get -r' fetches it"]);
    assert_eq!(all_below(here.path()), PLANTED);
    assert_eq!(all_below(&server.root().join("there")), PLANTED);
}

#[test]
fn a_tree_of_many_files_and_directories_arrives() {
    let (server, here) = (Server::start(), Here::new());
    for number in 0..3000 {
        here.write(&format!("d/{}/{}/{number}", number % 17, number % 7), format!("{number}"));
    }
    let before = all_below(&here.path().join("d"));
    here.run(["put", "-r", &server.target(), "d"]).ended_with(0).told(&["3000 of 3000 files"]);
    assert_eq!(all_below(&server.root().join("d")), before);
    let get = here.run(["get", "-r", &server.target(), "d", "--to", "back"]).ended_with(0);
    get.told(&["3000 of 3000 files"]);
    assert_eq!(all_below(&here.path().join("back")), before);
    assert_eq!(here.read(&format!("back/{}/{}/2999", 2999 % 17, 2999 % 7)), b"2999");
}

#[test]
fn a_tree_is_gone_on_with_when_the_server_is_back() {
    let (server, here) = (Server::start(), Here::new());
    for number in 0..200 {
        here.write(&format!("d/{}/{number}", number % 5), bytes(20_000, number));
    }
    let slow = Slow::at(&server, 8_000_000, Duration::from_millis(5));
    let mut running = here.terminal(["put", "-r", &slow.target(), "d"]);
    running.expect("1 of 200 files");
    let server = server.killed_and_started_again();
    running.expect("200 of 200 files: ");
    assert_eq!(running.ends().0, Some(0));
    assert_eq!(all_below(&server.root().join("d")), all_below(&here.path().join("d")));
}
