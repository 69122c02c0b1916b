//! Points 3, 5 and 11: what the command line takes, without a server.

use crate::common::{Here, Server, names};

#[test]
fn wrong_arguments_are_told_with_the_usage_and_status_2() {
    let here = Here::new();
    for arguments in [
        &["get", "127.0.0.1:1"][..],
        &["put", "127.0.0.1:1"],
        &["rename", "127.0.0.1:1", "a"],
        &["list", "127.0.0.1:1", "a", "b"],
        &["exit"],
        &["client", "127.0.0.1"],
        &["server"],
        &["fetch"],
        &["get", "127.0.0.1:1", "a", "--fast"],
    ] {
        let ran = here.run(arguments).ended_with(2);
        assert_eq!(ran.stdout, "");
        ran.told(&["Usage: gannet"]);
    }
    here.run([""; 0]).ended_with(2).told(&["Usage: gannet"]);
}

/// An option that would change nothing is an error, rather than taken and forgotten.
#[test]
fn options_without_effect_are_refused() {
    let here = Here::new();
    for arguments in [
        &["put", "127.0.0.1:1", "a", "--no-sync"][..],
        &["stat", "127.0.0.1:1", "a", "--no-sync"],
        &["exit", "127.0.0.1:1", "--retry-for", "1m"],
    ] {
        here.run(arguments).ended_with(2).told(&["unexpected argument", "Usage: gannet"]);
    }
    for arguments in [
        &["get", "127.0.0.1:1", "a", "--to", "-", "--check"][..],
        &["get", "127.0.0.1:1", "a", "--to", "-", "--fresh"],
        &["get", "127.0.0.1:1", "a", "--to", "-", "--no-clobber"],
        &["put", "127.0.0.1:1", "-", "--to", "a", "--check"],
        &["put", "127.0.0.1:1", "-", "--to", "a", "--fresh"],
    ] {
        here.run(arguments).ended_with(2).told(&["through a pipe is moved as a whole"]);
    }
}

#[test]
fn a_target_without_a_port_or_without_brackets_is_explained() {
    let here = Here::new();
    here.run(["list", "10.0.0.1"]).ended_with(2).told(&["HOST:PORT", "10.0.0.1:5555"]);
    here.run(["list", "::1:5555"]).ended_with(2).told(&["[::1]:5555"]);
    here.run(["list", "host:0"]).ended_with(2).told(&["port 0"]);
}

#[test]
fn version_help_completions_and_manual_are_data() {
    let here = Here::new();
    let ran = here.run(["--version"]).ended_with(0);
    assert_eq!(ran.stdout, format!("gannet {}\n", env!("CARGO_PKG_VERSION")));
    let ran = here.run(["--help"]).ended_with(0);
    assert!(ran.stdout.contains("Exit status") && ran.stdout.contains("130"), "{}", ran.stdout);
    for shell in ["bash", "zsh", "fish"] {
        let ran = here.run(["completions", shell]).ended_with(0);
        assert!(ran.stdout.contains("gannet") && ran.stdout.contains("rename"), "{shell}");
    }
    let ran = here.run(["man"]).ended_with(0);
    for part in [".TH gannet 1", "gannet server", "gannet get", "GANNET_LOG", "Exit status"] {
        assert!(ran.stdout.contains(part), "{part}");
    }
    assert_eq!(ran.stderr, "");
}

#[test]
fn two_files_that_would_land_on_one_name_are_refused_before_anything_moves() {
    let here = Here::new();
    here.write("x", "x");
    here.write("d/x", "x");
    let server = Server::start();
    here.run(["put", &server.target(), "x", "d/x"]).ended_with(2).told(&["x and d/x"]);
    here.run(["get", &server.target(), "a/y", "y"]).ended_with(2).told(&["a/y and y"]);
    assert_eq!(names(server.root()), [""; 0]);
}
