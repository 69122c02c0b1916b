//! What killed transfers leave, and `gannet partials`, which shows and removes it.

use std::{path::Path, time::Duration};

use rustix::process::Signal;
use serde_json::Value;

use crate::common::{Here, Server, Slow, bytes, names, objects, wait_until};

const LEN: usize = 24 << 20;
/// Bits per second that give a file of [`LEN`] some seconds.
const RATE: u64 = 40_000_000;

/// What is shown of the directory.
fn partials(here: &Here, dir: &Path) -> Vec<Value> {
    let dir = dir.as_os_str();
    objects(&here.run(["partials".as_ref(), dir, "--json".as_ref()]).ended_with(0))
}

/// Waits until two groups of a transfer are written down; gives what is shown of it.
fn wait_for_groups(here: &Here, dir: &Path) -> Value {
    let mut shown = Vec::new();
    wait_until("a transfer has two groups", || {
        shown = partials(here, dir);
        matches!(&shown[..], [one] if one["kept"].as_u64() >= Some(2 << 20))
    });
    shown.remove(0)
}

/// A get that was killed, and its server.
fn killed_get(here: &Here) -> Server {
    let server = Server::start();
    server.write("big", bytes(LEN, 1));
    let slow = Slow::at(&server, RATE, Duration::ZERO);
    let running = here.start(["get", &slow.target(), "big"]);
    let shown = wait_for_groups(here, here.path());
    assert_eq!((&shown["in_use"], &shown["removed"]), (&true.into(), &false.into()), "{shown}");
    running.signal(Signal::KILL);
    assert_eq!(running.ran().status, None);
    server
}

/// `docs/hostile-input.md`, row 55.
#[test]
fn what_a_killed_get_left_is_shown_and_gone_on_with() {
    let here = Here::new();
    let server = killed_get(&here);
    let shown = partials(&here, here.path());
    let [left] = &shown[..] else { panic!("{shown:?}") };
    assert_eq!(left["target"], here.path().join("big").to_str().unwrap());
    assert_eq!((&left["bytes"], &left["in_use"]), (&LEN.into(), &false.into()));
    assert!(Path::new(left["path"].as_str().unwrap()).is_file(), "{left}");
    assert!(left["age_seconds"].as_u64() < Some(60), "{left}");
    let ran = here.run(["partials"]).ended_with(0);
    assert!(
        ran.stdout.starts_with("big: ") && ran.stdout.contains(" of 25.2 MB kept, "),
        "{ran:?}"
    );
    assert_eq!((ran.stdout.lines().count(), &*ran.stderr), (1, ""));

    let done = objects(&here.run(["get", &server.target(), "big", "--json"]).ended_with(0));
    assert_eq!(done[0]["kept"], left["kept"]);
    assert!(here.read("big") == server.read("big"));
    assert_eq!(names(here.path()), ["big"]);
    assert_eq!(here.run(["partials"]).ended_with(0).stdout, "");
}

#[test]
fn fresh_starts_over_and_remove_removes() {
    let here = Here::new();
    let server = killed_get(&here);
    let done = objects(&here.run(["get", &server.target(), "big", "--json", "--fresh"]));
    assert_eq!(done[0]["kept"], 0);
    assert!(here.read("big") == server.read("big"));

    std::fs::remove_file(here.path().join("big")).unwrap();
    here.run(["partials", "--remove"]).ended_with(0);
    assert_eq!(names(here.path()), [""; 0]);
    drop(killed_get(&here));
    let ran = here.run(["partials", "--remove"]).ended_with(0).told(&["removed big: "]);
    assert_eq!((ran.stdout.as_str(), names(here.path()).len()), ("", 0));
}

/// `docs/hostile-input.md`, row 55.
#[test]
fn what_a_server_has_of_a_killed_put_is_shown_in_its_root() {
    let (mut server, here) = (Server::start(), Here::new());
    std::fs::create_dir(server.root().join("sub")).unwrap();
    here.write("big", bytes(LEN, 1));
    let slow = Slow::at(&server, RATE, Duration::ZERO);
    let put = ["put", &slow.target(), "big", "--to", "sub/", "--retry-for", "0"];
    let running = here.start(put);
    wait_for_groups(&here, server.root());
    // What is in use stays.
    let root = server.root().to_owned();
    let remove = ["partials".as_ref(), root.as_os_str(), "--remove".as_ref(), "--json".as_ref()];
    let kept = objects(&here.run(remove).ended_with(0));
    assert_eq!((&kept[0]["in_use"], &kept[0]["removed"]), (&true.into(), &false.into()));
    server.signal(Signal::KILL);
    assert_eq!(server.ends(), None);
    assert_eq!(running.ran().status, Some(3));

    let shown = partials(&here, server.root());
    let [left] = &shown[..] else { panic!("{shown:?}") };
    assert_eq!(left["target"], server.root().join("sub/big").to_str().unwrap());
    assert_eq!((&left["bytes"], &left["in_use"]), (&LEN.into(), &false.into()));
    assert!(left["kept"].as_u64() >= kept[0]["kept"].as_u64(), "{left}");
    let gone = objects(&here.run(remove).ended_with(0));
    assert_eq!((&gone[0]["target"], &gone[0]["removed"]), (&left["target"], &true.into()));
    assert_eq!(names(&server.root().join("sub")), [""; 0]);
}

#[test]
fn a_fresh_get_goes_on_with_what_it_moved_itself() {
    let (server, here) = (Server::start(), Here::new());
    server.write("big", bytes(LEN, 1));
    let slow = Slow::at(&server, RATE, Duration::ZERO);
    let running = here.start(["get", &slow.target(), "big", "--fresh", "--json"]);
    let shown = wait_for_groups(&here, here.path());
    let server = server.killed_and_started_again();
    let done = objects(&running.ran().ended_with(0).told(&["again, after "]));
    assert!(done[0]["kept"].as_u64() >= shown["kept"].as_u64(), "{done:?}");
    assert!(here.read("big") == server.read("big"));
}

#[test]
fn a_directory_that_is_none_is_told() {
    let here = Here::new();
    here.run(["partials", "missing"]).ended_with(1).told(&["cannot open the directory missing"]);
    let told = objects(&here.run(["partials", "missing", "--json"]).ended_with(1));
    assert_eq!((&told[0]["verb"], &told[0]["path"]), (&"partials".into(), &"missing".into()));
}
