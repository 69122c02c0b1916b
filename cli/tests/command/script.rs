//! Point 2, without a terminal: commands from standard input.

use crate::common::{Here, Server};

fn run(server: &Server, here: &Here, script: &str) -> crate::common::Ran {
    here.script("127.0.0.1", &server.port(), script)
}

#[test]
fn it_runs_commands_without_prompts_and_skips_blank_and_comment_lines() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a", "a");
    let ran = run(&server, &here, "\n# fetch it\n  # both\n   \nget a\nrename a b\nlist\n");
    let ran = ran.ended_with(0);
    assert_eq!(here.read("a"), b"a");
    assert!(ran.stdout.ends_with("  b\n") && ran.stdout.lines().count() == 1, "{}", ran.stdout);
    assert!(!ran.stderr.contains("gannet>"), "{}", ran.stderr);
}

#[test]
fn it_goes_on_after_a_failure_and_ends_with_the_first_ones_status() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a", "a");
    let ran = run(&server, &here, "get missing\nfetch a\nget a\n").ended_with(1);
    ran.told(&["get missing", "line 2", "no command fetch"]);
    assert_eq!(here.read("a"), b"a");
    run(&server, &here, "fetch a\nget missing\nlist\n").ended_with(2);
    run(&server, &here, "get\n").ended_with(2).told(&["line 1", "Usage: get [-r] NAME [LOCAL]"]);
}

#[test]
fn the_last_line_needs_no_end_and_lines_may_end_as_on_windows() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a", "a");
    server.write("b", "b");
    run(&server, &here, "get a\r\nget b").ended_with(0);
    assert_eq!((here.read("a"), here.read("b")), (b"a".into(), b"b".into()));
}

#[test]
fn quoting_works_for_names_with_blanks() {
    let (server, here) = (Server::start(), Here::new());
    server.write("my file", "mine");
    run(&server, &here, "get 'my file'\nget my\\ file \"your file\"\n").ended_with(0);
    assert_eq!((here.read("my file"), here.read("your file")), (b"mine".into(), b"mine".into()));
    run(&server, &here, "get 'my file\n").ended_with(2).told(&["quote is not closed"]);
}

#[test]
fn quit_leaves_and_exit_stops_the_server_without_an_error() {
    let (mut server, here) = (Server::start(), Here::new());
    run(&server, &here, "quit\nget missing\n").ended_with(0);
    assert!(server.runs());
    run(&server, &here, "exit\nget missing\n").ended_with(0);
    assert_eq!(server.ends(), Some(0));
}

#[test]
fn it_stops_at_a_lost_connection() {
    let (mut server, here) = (Server::start(), Here::new());
    let client = ["client", "127.0.0.1", &server.port(), "--retry-for", "0"];
    let mut child = here
        .gannet(client)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Its script never ends: standard input stays open.
    let stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut &stdin, b"list\n").unwrap();
    server.expect_log(&[" list . "]);
    Here::new().run(["exit", &server.target()]).ended_with(0);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("lost the connection"), "{stderr}");
    drop(stdin);
}

#[test]
fn local_commands_work_and_options_of_the_one_shot_form_too() {
    let (server, here) = (Server::start(), Here::new());
    for name in ["a", "b", "-c"] {
        server.write(name, name);
    }
    std::fs::create_dir(here.path().join("sub")).unwrap();
    let script = "lcd sub\nget a b --to ./\nget -- -c\nlls\nlpwd\nlcd ..\nput sub/a a2\n";
    let ran = run(&server, &here, script).ended_with(0);
    assert_eq!(here.read("sub/b"), b"b");
    assert_eq!(server.read("a2"), b"a");
    let sub = here.path().canonicalize().unwrap().join("sub");
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{}", ran.stdout);
    assert!(lines[0].ends_with("  -c") && lines[1].ends_with("  a"), "{}", ran.stdout);
    assert_eq!(lines[3], sub.to_str().unwrap());
    run(&server, &here, "lcd missing\n").ended_with(1).told(&["missing"]);
}
