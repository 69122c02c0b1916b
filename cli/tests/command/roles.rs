//! What a line of authorized_clients allows, and what it does not.

use std::{fs, os::unix::fs::symlink};

use crate::common::{Here, Ran, Server, User, names};

/// A server that lets `grant` someone in, and them.
fn granted(grant: &str) -> (Server, Here) {
    let here = Here::of(User::new());
    let owner = User::usual();
    owner.append("authorized_clients", format!("{} {grant}\n", here.user().key()));
    (Server::of(owner, &[]), here)
}

/// Runs a verb at the server, whose key is taken for granted.
#[track_caller]
fn run(server: &Server, here: &Here, verb: &str, arguments: &[&str]) -> Ran {
    let target = server.target();
    here.run([&[verb, &target, "--accept-new"], arguments].concat())
}

#[test]
fn each_role_against_each_verb() {
    // list, get, put of a new name, put of an old name, rename, invite, exit
    for (role, allowed) in [
        ("read", [true, true, false, false, false, false, false]),
        ("drop", [false, false, true, true, false, false, false]),
        ("write", [true, true, true, true, true, false, false]),
        ("admin", [true; 7]),
    ] {
        let (mut server, here) = granted(role);
        server.write("old", "old");
        here.write("new", "new");
        let verbs: [(&str, &[&str]); 7] = [
            ("list", &[]),
            ("get", &["old", "--to", "fetched"]),
            ("put", &["new", "--to", "fresh"]),
            ("put", &["new", "--to", "old"]),
            ("rename", &["old", "renamed"]),
            ("invite", &[]),
            ("exit", &[]),
        ];
        for ((verb, arguments), allowed) in verbs.into_iter().zip(allowed) {
            let ran = run(&server, &here, verb, arguments);
            if allowed {
                ran.ended_with(0);
            } else {
                ran.ended_with(1).told(&[verb, "role"]);
            }
        }
        let left: &[&str] = match role {
            "read" => &["old"],
            "drop" => &["fresh", "old", "old.1"],
            _ => &["fresh", "renamed"],
        };
        assert_eq!(names(server.root()), left, "{role}");
        if role == "admin" {
            assert_eq!(server.ends(), Some(0));
        } else {
            assert!(server.runs(), "{role}");
        }
    }
}

#[test]
fn exit_without_the_role_says_so_and_the_menu_stays() {
    let (mut server, here) = granted("write");
    let port = server.port();
    let mut menu = here.terminal(["client", "127.0.0.1", &port, "--accept-new"]);
    for line in ["exit", "invite"] {
        menu.expect("gannet> ");
        menu.type_line(line);
        menu.expect(&format!("gannet: {line}: "));
        menu.expect("role admin");
    }
    menu.expect("gannet> ");
    menu.type_line("list");
    menu.expect("gannet> ");
    assert!(server.runs());
}

#[test]
fn a_drop_sees_the_same_whether_or_not_the_name_is_there() {
    let (server, here) = granted("drop");
    here.write("a", "mine");
    let told = |ran: Ran| ran.stderr.split(" in ").next().unwrap().to_owned();
    let fresh = told(run(&server, &here, "put", &["a"]).ended_with(0));
    server.write("a", "theirs");
    let (second, third) = (run(&server, &here, "put", &["a"]), run(&server, &here, "put", &["a"]));
    assert_eq!(told(second.ended_with(0)), "put a: 4 B");
    assert_eq!(told(third.ended_with(0)), "put a: 4 B");
    assert!(fresh.ends_with("put a: 4 B"), "{fresh}");
    assert_eq!(names(server.root()), ["a", "a.1", "a.2"]);
    assert_eq!((server.read("a"), server.read("a.1")), (b"theirs".into(), b"mine".into()));
    for elsewhere in ["sub/", "sub/a", "a/a"] {
        let ran = run(&server, &here, "put", &["a", "--to", elsewhere]).ended_with(1);
        ran.told(&["role"]);
    }
}

/// `docs/hostile-input.md`, row 43.
#[test]
fn a_directory_confines_a_key_by_every_verb() {
    let (server, here) = granted("write dir=sub");
    server.write("outside", "secret");
    server.write("sub/inside", "inside");
    symlink(server.root(), server.root().join("sub/up")).unwrap();
    symlink("../outside", server.root().join("sub/out")).unwrap();
    let listed = run(&server, &here, "list", &[]).ended_with(0).stdout;
    assert!(listed.contains("inside") && !listed.contains("outside"), "{listed}");
    run(&server, &here, "get", &["inside"]).ended_with(0);
    for name in ["outside", "../outside", "up/outside", "out", "sub/inside"] {
        run(&server, &here, "get", &[name, "--to", "x"]).ended_with(1);
        run(&server, &here, "rename", &[name, "x"]).ended_with(1);
    }
    for to in ["../x", "up/x", "up/"] {
        run(&server, &here, "put", &["inside", "--to", to]).ended_with(1);
        run(&server, &here, "rename", &["inside", to]).ended_with(1);
    }
    run(&server, &here, "list", &["up"]).ended_with(1);
    run(&server, &here, "put", &["inside", "--to", "new"]).ended_with(0);
    assert_eq!(names(server.root()), ["outside", "sub"]);
    assert_eq!(names(&server.root().join("sub")), ["inside", "new", "out", "up"]);
}

#[test]
fn a_key_stores_no_more_than_it_may() {
    let (server, here) = granted("write max=10kB");
    here.write("small", [1; 6_000]);
    run(&server, &here, "put", &["small"]).ended_with(0);
    run(&server, &here, "put", &["small", "--to", "more"]).ended_with(1).told(&["for this client"]);
    // What it replaces makes room.
    run(&server, &here, "put", &["small"]).ended_with(0);
    assert_eq!(names(server.root()), ["small"]);
}

#[test]
fn a_line_counts_as_it_is_at_that_moment() {
    let (server, here) = granted("write");
    here.write("a", "a");
    run(&server, &here, "put", &["a"]).ended_with(0);
    let list = server.user().config().join("authorized_clients");
    fs::write(&list, format!("{} read\n", here.user().key())).unwrap();
    run(&server, &here, "put", &["a"]).ended_with(1).told(&["role"]);
    run(&server, &here, "list", &[]).ended_with(0);
    fs::remove_file(&list).unwrap();
    run(&server, &here, "list", &[]).ended_with(4).told(&["refused"]);
}

#[test]
fn anyone_may_do_what_the_server_was_opened_for() {
    let mut server = Server::start_with(&["--anyone", "drop dir=inbox max=1MB"]);
    server.expect_log(&["WARNING", "everyone", "drop dir=inbox", "puts new files"]);
    fs::create_dir(server.root().join("inbox")).unwrap();
    server.write("a", "a");
    let here = Here::of(User::new());
    here.write("b", "b");
    run(&server, &here, "put", &["b"]).ended_with(0);
    run(&server, &here, "list", &[]).ended_with(1).told(&["role"]);
    run(&server, &here, "get", &["a"]).ended_with(1);
    assert_eq!(server.read("inbox/b"), b"b");
}
