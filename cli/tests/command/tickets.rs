//! Two users are paired by one copied line.

use std::fs;

use crate::common::{Here, Process, Server, Slow, User};

/// A ticket of the usual user for `server`.
#[track_caller]
fn ticket(server: &Server, arguments: &[&str]) -> String {
    let ran = Here::new().run([&["invite", &server.target()], arguments].concat()).ended_with(0);
    let ran = ran.told(&["gannet join", "one client"]);
    assert_eq!(ran.stdout.lines().count(), 1, "{ran:?}");
    assert!(ran.stdout.starts_with("gannetinvite1"), "{ran:?}");
    assert!(!ran.stderr.contains("gannetinvite1"), "{ran:?}");
    ran.stdout
}

/// Brings a ticket on standard input.
fn join(here: &Here, ticket: &str) -> Process {
    Process::start(&mut here.gannet(["join"]), ticket.as_bytes())
}

#[test]
fn a_ticket_lets_one_client_in_once() {
    let (server, bob, eve) = (Server::start(), Here::of(User::new()), Here::of(User::new()));
    server.write("sub/a", "a");
    let ticket = ticket(&server, &["--role", "write", "--dir", "sub/"]);
    join(&bob, &ticket).ran().ended_with(0).told(&["joined", &server.target(), "gannet client"]);
    bob.run(["get", &server.target(), "a"]).ended_with(0);
    bob.run(["rename", &server.target(), "a", "b"]).ended_with(0);
    let list = server.user().read("authorized_clients");
    assert!(list.contains(&format!("{} write dir=sub", bob.user().key())), "{list}");
    assert!(bob.user().read("known_servers").contains(&server.user().key()));

    let ran = join(&eve, &ticket).ran().ended_with(4);
    ran.told(&["used before", "ask for another"]);
    assert!(!server.user().read("authorized_clients").contains(&eve.user().key()));
    assert_eq!(eve.user().read("known_servers"), "");
}

#[test]
fn a_ticket_is_made_in_the_menu_too() {
    let (server, alice, bob) = (Server::start(), Here::new(), Here::of(User::new()));
    let ran = alice.script("127.0.0.1", &server.port(), "invite --role drop --for 1h\n");
    let ticket = ran.ended_with(0).stdout;
    join(&bob, &ticket).ran().ended_with(0);
    assert!(server.user().read("authorized_clients").contains(" drop"));
}

#[test]
fn what_a_ticket_cannot_be_for_is_told_before_a_server_is_asked() {
    let here = Here::of(User::new());
    for arguments in [
        &["--max", "1GB"][..],
        &["--role", "drop", "--dir", "../x"],
        &["--role", "owner"],
        &["--for", "8d"],
        &["--max", "much"],
    ] {
        let ran = here.run([&["invite", "127.0.0.1:9"], arguments].concat());
        let status = ran.status;
        assert!(matches!(status, Some(1 | 2)), "{ran:?}");
        assert_eq!(ran.stdout, "");
    }
    assert_eq!(here.user().read("secret_key"), "", "nothing was begun");
}

/// `docs/hostile-input.md`, row 40.
#[test]
fn a_typed_ticket_is_not_shown_and_is_nowhere_else() {
    let mut server = Server::start_with(&["-vv"]);
    let bob = Here::of(User::new());
    let ticket = ticket(&server, &[]);
    let ticket = ticket.trim();
    let mut joining = bob.terminal(["-vvv", "join"]);
    joining.expect("Paste the ticket");
    assert!(!joining.is_cooked());
    let line = fs::read(format!("/proc/{}/cmdline", joining.id())).unwrap();
    assert!(!String::from_utf8_lossy(&line).contains("gannetinvite"));
    joining.type_line(ticket);
    let (status, shown) = joining.ends();
    assert_eq!(status, Some(0), "{shown}");
    assert!(joining.is_cooked());
    Here::new().run(["exit", &server.target()]).ended_with(0);
    server.ends();
    let secret = server.user().read("secret_key");
    let secret = secret.lines().find(|line| line.starts_with("gannetsecret1")).unwrap();
    for told in [&shown[..], server.logged()] {
        assert!(!told.contains(ticket) && !told.contains(secret), "{told}");
        assert!(!told.contains("gannetsecret1") && !told.contains("gannetinvite1"), "{told}");
    }
}

#[test]
fn ctrl_c_at_the_hidden_prompt_gives_the_terminal_back() {
    let bob = Here::of(User::new());
    let mut joining = bob.terminal(["join"]);
    joining.expect("Paste the ticket");
    joining.press("half a ticket\x03");
    assert_eq!(joining.ends().0, Some(130));
    assert!(joining.is_cooked());
}

/// `docs/hostile-input.md`, row 40.
#[test]
fn a_ticket_as_an_argument_is_refused_and_not_repeated() {
    let (server, bob) = (Server::start(), Here::of(User::new()));
    let ticket = ticket(&server, &[]);
    let ran = bob.run(["join", ticket.trim()]).ended_with(2);
    let ran = ran.told(&["every user of this machine", "ask for another"]);
    assert!(!ran.stderr.contains(ticket.trim()), "{ran:?}");
}

#[test]
fn what_is_no_ticket_is_told() {
    let bob = Here::of(User::new());
    let server = Server::start();
    let whole = ticket(&server, &[]);
    for text in ["", "\n", "gannet1abc", "\u{e9}", &whole[..whole.len() - 5]] {
        join(&bob, text).ran().ended_with(2).told(&["ticket"]);
    }
}

#[test]
fn the_addresses_of_the_server_are_tried_where_the_inviter_s_does_not_lead_there() {
    let (server, bob) = (Server::start(), Here::of(User::new()));
    // For the inviter it is an address like any other; from elsewhere it would lead elsewhere.
    let link = Slow::to(&server);
    let ran = Here::new().run(["invite", &link.target()]).ended_with(0);
    let unreachable = link.target();
    drop(link);
    let mut command = bob.gannet(["join", "--connect-timeout", "5s"]);
    let ran = Process::start(&mut command, ran.stdout.as_bytes()).ran().ended_with(0);
    ran.told(&[
        &format!("{unreachable} is not it"),
        &format!("knows the server as {}", server.target()),
    ]);
    bob.run(["list", &server.target()]).ended_with(0);
}

#[test]
fn a_ticket_for_a_server_that_is_known_by_another_key_is_not_brought() {
    let (server, bob) = (Server::start(), Here::of(User::new()));
    bob.user().append("known_servers", format!("{} {}\n", server.target(), User::new().key()));
    let ran = join(&bob, &ticket(&server, &[])).ran().ended_with(4);
    ran.told(&["line 1", "known_servers"]);
    assert!(!server.user().read("authorized_clients").contains(&bob.user().key()));
}

#[test]
fn only_an_admin_invites() {
    let (server, bob) = (Server::start(), Here::of(User::new()));
    join(&bob, &ticket(&server, &["--role", "write"])).ran().ended_with(0);
    let ran = bob.run(["invite", &server.target()]).ended_with(1);
    let ran = ran.told(&["role admin"]);
    assert_eq!(ran.stdout, "");
}
