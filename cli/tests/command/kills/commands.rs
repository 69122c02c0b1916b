//! Kills in renames, removals and new directories.

use std::fs;

use rustix::process::Signal;

use super::{DELAY, RATE, poll};
use crate::common::{Here, Process, Server, Slow, names};

/// Directories that are made or removed at once.
const COUNT: usize = 300;

/// Waits until `done` says that it has begun.
fn killed_server(server: Server, running: Process, done: impl FnMut() -> bool) -> Server {
    poll(done);
    let server = server.killed_and_started_again();
    running.ran().ended_with(0);
    server
}

fn link(server: &Server) -> Slow {
    Slow::at(server, RATE, DELAY)
}

fn many() -> Vec<String> {
    (0..COUNT).map(|at| format!("d{at:03}")).collect()
}

/// `docs/hostile-input.md`, row 55.
#[test]
fn a_rename_is_done_once_although_the_server_is_killed_before_it_says_so() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a", "a");
    let link = link(&server);
    let running = here.start(["rename", &link.target(), "a", "b"]);
    let root = server.root().to_owned();
    let server = killed_server(server, running, || root.join("b").exists());
    assert_eq!(names(server.root()), ["b"]);
    assert_eq!(server.read("b"), b"a");
}

/// `docs/hostile-input.md`, row 55.
#[test]
fn directories_are_made_although_the_server_is_killed_among_them() {
    for begun in [0, 1, 100, COUNT] {
        let (mut server, here) = (Server::start(), Here::new());
        let link = link(&server);
        let running = here.start([vec!["mkdir".into(), link.target()], many()].concat());
        server.expect_log(&[" connected: "]);
        let root = server.root().to_owned();
        let server = killed_server(server, running, || names(&root).len() >= begun);
        assert_eq!(names(server.root()), many());
    }
}

/// `docs/hostile-input.md`, row 55.
#[test]
fn names_are_removed_although_the_server_is_killed_among_them() {
    for left in [COUNT, COUNT - 1, 200, 0] {
        let (mut server, here) = (Server::start(), Here::new());
        many().iter().for_each(|name| drop(server.write(name, "x")));
        let link = link(&server);
        let running = here.start([vec!["remove".into(), link.target()], many()].concat());
        server.expect_log(&[" connected: "]);
        let root = server.root().to_owned();
        let server = killed_server(server, running, || names(&root).len() <= left);
        assert_eq!(names(server.root()), [""; 0]);
    }
}

/// `docs/hostile-input.md`, row 55.
#[test]
fn what_a_killed_client_asked_for_is_done_whole_or_not_at_all() {
    for verb in ["rename", "remove", "mkdir"] {
        for waits in [false, true] {
            let (mut server, here) = (Server::start(), Here::new());
            server.write("a", "a");
            let (arguments, done): (&[&str], &[&str]) = match verb {
                "rename" => (&["a", "b"], &["b"]),
                "remove" => (&["a"], &[]),
                _ => (&["b"], &["a", "b"]),
            };
            let slow = link(&server);
            let target = slow.target();
            let again = [&[verb, &target], arguments].concat();
            let running = here.start(&again);
            server.expect_log(&[" connected: "]);
            if waits {
                poll(|| names(server.root()) == done);
            }
            running.signal(Signal::KILL);
            drop(running);
            // What was asked for may be done still.
            let ran = here.run(&again);
            assert_eq!(names(server.root()), done, "{ran:#?}");
            assert!(if waits { ran.status == Some(1) } else { matches!(ran.status, Some(0 | 1)) });
            let kept = if verb == "rename" { "b" } else { "a" };
            assert!(verb == "remove" || fs::read(server.root().join(kept)).unwrap() == b"a");
        }
    }
}
