//! Who is who: a user's key, strangers, and servers that are met for the first time or have changed.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::common::{Here, Server, User, names};

#[test]
fn a_key_is_made_when_it_is_needed_and_stays() {
    let here = Here::of(User::new());
    let first = here.run(["key"]).ended_with(0).told(&["fingerprint "]);
    assert!(first.stdout.starts_with("gannet1") && first.stdout.ends_with('\n'), "{first:?}");
    assert_eq!(first.stdout.lines().count(), 1);
    assert_eq!(here.run(["key"]).ended_with(0).stdout, first.stdout);
    let file = here.user().config().join("secret_key");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    let another = User::new();
    let ran = here.run(["key", "--config", another.config().to_str().unwrap()]).ended_with(0);
    assert_eq!(ran.stdout.trim(), another.key());
    assert_ne!(ran.stdout, first.stdout);
}

#[test]
fn a_server_says_its_key_and_who_may_do_what() {
    let user = User::new();
    let key = user.key();
    user.append("authorized_clients", format!("{} read # Alice\n", User::new().key()));
    let mut server = Server::of(user, &[]);
    server.expect_log(&["its key is", &key, "fingerprint"]);
    server.expect_log(&["same user", "1 more", "authorized_clients"]);
}

#[test]
fn the_same_user_needs_no_set_up() {
    let (server, here) = (Server::of(User::new(), &[]), Here::of(User::new()));
    let key = server.user().read("secret_key");
    here.user().append("secret_key", key);
    server.write("a", "a");
    here.run(["get", &server.target(), "a"]).ended_with(0);
    assert_eq!(here.read("a"), b"a");
    assert_eq!(here.user().read("known_servers"), "", "one's own key needs no pin");
}

#[test]
fn another_user_is_refused_with_the_very_line_that_lets_them_in() {
    let (server, here) = (Server::start(), Here::of(User::new()));
    server.write("a", "secret");
    let ran = here.run(["get", &server.target(), "a", "--accept-new"]).ended_with(4);
    assert_eq!(names(here.path()), [""; 0]);
    let ran = ran.told(&["refused", "authorized_clients", "gannet invite", "gannet join"]);
    let line = ran.stderr.lines().map(str::trim).find(|line| line.ends_with(" read")).unwrap();
    assert_eq!(line, format!("{} read", here.user().key()));

    let mut menu = here.terminal(["client", "127.0.0.1", &server.port()]);
    let (status, shown) = menu.ends();
    assert_eq!(status, Some(4), "{shown}");
    assert!(shown.contains(line) && !shown.contains("gannet>"), "{shown}");
    here.script("127.0.0.1", &server.port(), "list\n").ended_with(4).told(&["refused"]);

    server.user().append("authorized_clients", format!("{line}\n"));
    here.run(["get", &server.target(), "a"]).ended_with(0);
    assert_eq!(here.read("a"), b"secret");
    here.run(["put", &server.target(), "a", "--to", "b"]).ended_with(1).told(&["role"]);
}

/// `docs/hostile-input.md`, row 39.
#[test]
fn a_person_is_asked_at_the_first_contact_and_not_again() {
    let (server, here) = (Server::start(), Here::of(User::new()));
    let line = format!("{} read\n", here.user().key());
    server.user().append("authorized_clients", line);
    let key = server.user().key();
    let fingerprint: String = key["gannet1".len()..].chars().take(4).collect();

    let mut asked = here.terminal(["list", &server.target()]);
    let shown = asked.expect("(yes/no) ");
    assert!(shown.contains(&server.target()) && shown.contains(&fingerprint), "{shown}");
    asked.type_line("no");
    assert_eq!(asked.ends().0, Some(4));
    assert_eq!(here.user().read("known_servers"), "");

    let mut asked = here.terminal(["client", "127.0.0.1", &server.port()]);
    asked.expect("(yes/no) ");
    asked.type_line("yes");
    asked.expect("gannet> ");
    asked.type_line("list");
    asked.expect("gannet> ");
    assert!(here.user().read("known_servers").contains(&key));
    here.run(["list", &server.target()]).ended_with(0);
}

#[test]
fn ctrl_c_is_an_answer_too() {
    let (server, here) = (Server::start(), Here::of(User::new()));
    let mut asked = here.terminal(["list", &server.target()]);
    asked.expect("(yes/no) ");
    asked.press("\x03");
    assert_eq!(asked.ends().0, Some(130));
    assert_eq!(here.user().read("known_servers"), "");
}

/// `docs/hostile-input.md`, row 39.
#[test]
fn a_script_is_told_the_way_on_at_the_first_contact() {
    let (mut server, here) = (Server::start(), Here::of(User::new()));
    let line = format!("{} read\n", here.user().key());
    server.user().append("authorized_clients", line);
    let key = server.user().key();
    let ran = here.run(["list", &server.target()]).ended_with(4);
    let ran = ran.told(&["first time", "--accept-new"]);
    let way_on = ran.stderr.lines().map(str::trim).find(|line| line.starts_with("--server-key"));
    let way_on: Vec<_> = way_on.unwrap().split(' ').collect();
    assert_eq!(way_on, ["--server-key", &key]);

    here.run(["list", &server.target(), way_on[0], way_on[1]]).ended_with(0);
    assert_eq!(here.user().read("known_servers"), "", "a named key is not stored");
    here.run(["list", &server.target(), "--accept-new"]).ended_with(0).told(&[&key]);
    here.run(["list", &server.target()]).ended_with(0);
    // It heard of the first attempt nothing but a handshake that was given up.
    server.expect_log(&["list"]);
}

/// `docs/hostile-input.md`, row 39.
#[test]
fn another_key_than_the_named_one_is_refused() {
    let (server, here) = (Server::start(), Here::of(User::new()));
    let other = User::new().key();
    let named = ["list", &server.target(), "--connect-timeout", "1s", "--server-key", &other];
    here.run(named).ended_with(4).told(&["another key", &other, &server.user().key()]);
    // Not even one's own key will do then.
    Here::new().run(named).ended_with(4);
    here.user().append("known_servers", format!("{} {other}\n", server.target()));
    let key = server.user().key();
    let named = ["list", &server.target(), "--server-key", &key];
    here.run(named).ended_with(4).told(&["line 1", "known_servers"]);
}

/// `docs/hostile-input.md`, row 39.
#[test]
fn a_changed_key_is_a_hard_failure_that_says_what_it_may_mean() {
    let (server, here) = (Server::start(), Here::of(User::new()));
    let line = format!("# met\n{} {}\n", server.target(), User::new().key());
    here.user().append("known_servers", &line);
    let list = ["list", &server.target(), "--connect-timeout", "1s"];
    let parts = ["has changed", "in between", "new key", "line 2", "known_servers"];
    here.run(list).ended_with(4).told(&parts);
    here.run([&list[..], &["--accept-new"]].concat()).ended_with(4).told(&parts);
    let mut terminal = here.terminal(list);
    let (status, shown) = terminal.ends();
    assert_eq!(status, Some(4), "{shown}");
    assert!(!shown.contains("(yes/no)"), "{shown}");
    assert_eq!(here.user().read("known_servers"), line);
}

/// `docs/hostile-input.md`, row 41.
#[test]
fn a_list_that_cannot_be_read_is_told_by_its_line() {
    let (server, here) = (Server::start(), Here::of(User::new()));
    here.user().append("known_servers", "# met\nhost:1 gannet1x\n");
    let list = ["list", &server.target(), "--accept-new"];
    here.run(list).ended_with(2).told(&["line 2", "known_servers"]);

    let user = Here::of(User::new());
    user.user().append("authorized_clients", format!("\n{} owner\n", here.user().key()));
    let ran = user.run(["server", "0"]).ended_with(2);
    ran.told(&["line 2", "authorized_clients", "not a role"]);
    let user = Here::of(User::new());
    user.user().append("authorized_clients", "");
    let list = user.user().config().join("authorized_clients");
    fs::set_permissions(&list, fs::Permissions::from_mode(0o666)).unwrap();
    user.run(["server", "0"]).ended_with(2).told(&["chmod go-w", "authorized_clients"]);
}

/// `docs/hostile-input.md`, row 40.
#[test]
fn a_secret_key_that_others_can_read_is_not_used() {
    let here = Here::new();
    let file = here.user().config().join("secret_key");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    for arguments in [&["key"][..], &["server", "0"], &["list", "127.0.0.1:9"]] {
        let ran = here.run(arguments).ended_with(2).told(&["secret_key", "chmod 600"]);
        assert_eq!(ran.stdout, "");
    }
}
