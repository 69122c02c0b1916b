//! Patterns that stand for names at the server.

use std::fs;

use crate::common::{Here, Server, names, objects};

fn runs() -> Server {
    let server = Server::start();
    for name in [
        "run-1/a.csv",
        "run-1/b.csv",
        "run-1/.hidden.csv",
        "run-2/c.csv",
        "run-2/c.txt",
        "run-3.csv",
        "a[1].txt",
        "a1.txt",
        "sub/run-4/d.csv",
    ] {
        server.write(name, name);
    }
    server
}

#[test]
fn a_pattern_fetches_what_matches() {
    let (server, here) = (runs(), Here::new());
    here.run(["get", &server.target(), "run-*/*.csv"]).ended_with(0).told(&["3 of 3 files"]);
    assert_eq!(names(here.path()), ["a.csv", "b.csv", "c.csv"]);
    assert_eq!(here.read("c.csv"), b"run-2/c.csv");
    here.run(["get", &server.target(), "run-[!1]/c.tx?"]).ended_with(0).told(&["got run-2/c.txt"]);
    here.run(["get", &server.target(), "*/run-4/d.csv"]).ended_with(0).told(&["sub/run-4/d.csv"]);
    here.run(["get", &server.target(), "run-1/.*"]).ended_with(0);
    assert_eq!(here.read(".hidden.csv"), b"run-1/.hidden.csv");
}

#[test]
fn an_exact_name_wins_and_a_backslash_escapes() {
    let (server, here) = (runs(), Here::new());
    here.run(["get", &server.target(), "a[1].txt"]).ended_with(0);
    assert_eq!(names(here.path()), ["a[1].txt"]);
    fs::remove_file(server.root().join("a[1].txt")).unwrap();
    here.run(["get", &server.target(), "a[1].txt", "--to", "other"]).ended_with(0);
    assert_eq!(here.read("other"), b"a1.txt");
    let escaped = here.run(["get", &server.target(), "a\\[1].txt"]).ended_with(1);
    escaped.told(&["no name at the server matches"]);
    server.write("a*", "star");
    here.run(["get", &server.target(), "a\\*"]).ended_with(0);
    assert_eq!(here.read("a*"), b"star");
}

#[test]
fn a_pattern_that_nothing_matches_is_a_failure_and_others_go_on() {
    let (server, here) = (runs(), Here::new());
    let ran = here.run(["get", &server.target(), "none-*", "run-3.csv"]).ended_with(1);
    ran.told(&["get none-*: no name at the server matches this pattern", "got run-3.csv"]);
    let ran = here.run(["get", &server.target(), "none-*", "--json"]).ended_with(1);
    let [object] = &objects(&ran)[..] else { panic!("{ran:#?}") };
    assert_eq!((&object["code"], &object["name"]), (&"not-found".into(), &"none-*".into()));
    here.run(["get", &server.target(), "../*"]).ended_with(1).told(&["'.' or '..'"]);
    assert_eq!(names(here.path()), ["run-3.csv"]);
}

#[test]
fn several_matches_need_a_directory() {
    let (server, here) = (runs(), Here::new());
    here.run(["get", &server.target(), "run-1/*", "--to", "new"]).ended_with(2);
    fs::create_dir(here.path().join("d")).unwrap();
    here.run(["get", &server.target(), "run-1/*", "--to", "d"]).ended_with(0);
    assert_eq!(names(&here.path().join("d")), ["a.csv", "b.csv"]);
    // What is meant twice is fetched once.
    let twice = ["get", &server.target(), "run-1/*", "run-1/a*", "--to", "d"];
    here.run(twice).ended_with(0).told(&["2 of 2 files"]);
}

#[test]
fn directories_that_match_are_fetched_with_r() {
    let (server, here) = (runs(), Here::new());
    let ran = here.run(["get", &server.target(), "run-?"]).ended_with(1);
    ran.told(&["get run-1: it is a directory", "'get -r'", "get run-2: it is a directory"]);
    here.run(["get", "-r", &server.target(), "run-*"]).ended_with(0).told(&["6 of 6 files"]);
    assert_eq!(names(here.path()), ["run-1", "run-2", "run-3.csv"]);
    assert_eq!(names(&here.path().join("run-1")), [".hidden.csv", "a.csv", "b.csv"]);
    let only = ["get", "-r", &server.target(), "run-*/", "--to", "only/"];
    here.run(only).ended_with(0).told(&["5 of 5 files"]);
    assert_eq!(names(&here.path().join("only")), ["run-1", "run-2"]);
}

#[test]
fn list_stat_and_remove_take_patterns() {
    let (server, here) = (runs(), Here::new());
    let listed = here.run(["list", &server.target(), "run-*/*.csv"]).ended_with(0);
    let shown: Vec<_> =
        listed.stdout.lines().map(|line| line.rsplit("  ").next().unwrap()).collect();
    assert_eq!(shown, ["run-1/a.csv", "run-1/b.csv", "run-2/c.csv"]);
    let listed = here.run(["list", &server.target(), "run-*", "--json"]).ended_with(0);
    let kinds: Vec<_> = objects(&listed).iter().map(|object| object["kind"].clone()).collect();
    assert_eq!(kinds, ["directory", "directory", "file"]);
    here.run(["list", &server.target(), "none*"]).ended_with(1).told(&["list none*: no name"]);
    // A directory of that very name is listed as ever.
    server.write("d[1]/inner", "");
    let listed = here.run(["list", &server.target(), "d[1]"]).ended_with(0);
    assert!(listed.stdout.ends_with("  inner\n"), "{}", listed.stdout);

    let stat = here.run(["stat", &server.target(), "run-2/*", "run-3.csv"]).ended_with(0);
    assert_eq!(stat.stdout.lines().count(), 3, "{}", stat.stdout);
    here.run(["remove", &server.target(), "run-1/*.csv"]).ended_with(0);
    assert_eq!(names(&server.root().join("run-1")), [".hidden.csv"]);
    here.run(["remove", &server.target(), "run-1/*.csv"]).ended_with(1).told(&["no name"]);
}

#[test]
fn patterns_work_in_the_menu() {
    let (server, here) = (runs(), Here::new());
    let ran = here.script("127.0.0.1", &server.port(), "get run-1/*.csv .\nget 'run-2/*.txt'\n");
    ran.ended_with(0).told(&["got run-1/a.csv", "got run-1/b.csv", "got run-2/c.txt"]);
    assert_eq!(names(here.path()), ["a.csv", "b.csv", "c.txt"]);
}
