//! Points 2 and 5, on a terminal: the menu and its prompt.

use std::fs;

use crate::common::{Here, Server, Terminal, bytes, names};

fn open(server: &Server, here: &Here) -> Terminal {
    let mut menu = here.terminal(["client", "127.0.0.1", &server.port()]);
    menu.expect("Connected to 127.0.0.1:");
    menu
}

const COMMANDS: [&str; 14] = [
    "get [-r] NAME [LOCAL]",
    "put [-r] FILE [REMOTE]",
    "rename OLD NEW",
    "list [DIR]",
    "stat NAME...",
    "remove NAME...",
    "mkdir DIR...",
    "exit",
    "invite [OPTIONS]",
    "help [COMMAND]",
    "quit",
    "lcd DIR",
    "lls [DIR]",
    "lpwd",
];

#[test]
fn it_shows_a_menu_and_a_prompt() {
    let (server, here) = (Server::start(), Here::new());
    let mut menu = open(&server, &here);
    let shown = menu.expect("gannet> ");
    for command in COMMANDS {
        assert!(shown.contains(command), "{command} in {shown}");
    }
    menu.type_line("help");
    menu.expect("get [-r] NAME [LOCAL]");
    menu.expect("gannet> ");
    menu.type_line("help put");
    menu.expect("--to <PATH>");
}

#[test]
fn it_gets_puts_renames_and_lists() {
    let (server, here) = (Server::start(), Here::new());
    server.write("theirs", "theirs");
    here.write("ours", "ours");
    let mut menu = open(&server, &here);
    for (line, shown) in [
        ("get theirs", "got theirs: 6 B in"),
        ("get theirs copy", "got theirs as copy"),
        ("put ours", "put ours: 4 B in"),
        ("put ours copy", "put ours as copy"),
        ("rename ours 'our own'", "renamed ours to our own"),
        ("mv copy copied", "renamed copy to copied"),
        ("list", "our own"),
        ("ls", "theirs"),
        ("mkdir sub", "made sub/"),
        ("rename copied sub/copied", "renamed copied to sub/copied"),
        ("stat sub/copied", "-rw"),
        ("rm sub/copied sub", "removed sub"),
    ] {
        menu.expect("gannet> ");
        menu.type_line(line);
        menu.expect(shown);
    }
    menu.expect("gannet> ");
    menu.type_line("quit");
    assert_eq!(menu.ends().0, Some(0));
    assert_eq!((here.read("theirs"), here.read("copy")), (b"theirs".into(), b"theirs".into()));
    assert_eq!(server.read("our own"), b"ours");
    assert_eq!(names(server.root()), ["our own", "theirs"]);
}

#[test]
fn a_failure_is_told_by_name_and_the_prompt_is_back() {
    let (server, here) = (Server::start(), Here::new());
    let mut menu = open(&server, &here);
    for (line, told) in [
        ("get missing", "get missing: the server has no such file"),
        ("put missing", "put missing: cannot read missing"),
        ("get ../x", "get ../x: "),
        ("list missing", "list missing: "),
        ("stat missing", "stat missing: the server has no such file or directory"),
        ("remove .", "remove .: '.' is no name at the server"),
        ("lcd missing", "missing"),
    ] {
        menu.expect("gannet> ");
        menu.type_line(line);
        menu.expect(&format!("gannet: {}", if line.starts_with("lcd") { "" } else { told }));
    }
    menu.expect("gannet> ");
    menu.type_line("quit");
    assert_eq!(menu.ends().0, Some(0));
}

#[test]
fn an_unknown_command_says_so_and_shows_the_menu() {
    let (server, here) = (Server::start(), Here::new());
    let mut menu = open(&server, &here);
    menu.expect("gannet> ");
    menu.type_line("fetch a");
    menu.expect("there is no command fetch");
    let shown = menu.expect("gannet> ");
    for command in COMMANDS {
        assert!(shown.contains(command), "{command} in {shown}");
    }
}

#[test]
fn wrong_counts_of_arguments_show_that_commands_usage() {
    let (server, here) = (Server::start(), Here::new());
    let mut menu = open(&server, &here);
    for (line, usage) in [
        ("get", "Usage: get [-r] NAME [LOCAL]"),
        ("get a b c", "Usage: get [-r] NAME [LOCAL]"),
        ("rename a", "Usage: rename <OLD> <NEW>"),
        ("list a b", "Usage: list [DIR]"),
        ("exit now", "Usage: exit"),
    ] {
        menu.expect("gannet> ");
        menu.type_line(line);
        menu.expect(usage);
    }
    menu.expect("gannet> ");
}

#[test]
fn the_end_of_input_leaves_and_the_server_stays() {
    let (mut server, here) = (Server::start(), Here::new());
    let mut menu = open(&server, &here);
    menu.expect("gannet> ");
    menu.press("\x04");
    assert_eq!(menu.ends().0, Some(0));
    assert!(server.runs());
}

#[test]
fn exit_stops_the_server_and_ends_the_client_without_an_error() {
    let (mut server, here) = (Server::start(), Here::new());
    let mut menu = open(&server, &here);
    menu.expect("gannet> ");
    menu.type_line("exit");
    let (status, shown) = menu.ends();
    assert_eq!(status, Some(0), "{shown}");
    assert!(!shown.contains("gannet: "), "{shown}");
    assert_eq!(server.ends(), Some(0));
}

#[test]
fn lines_can_be_edited_and_come_back_from_the_history() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a", "a");
    let mut menu = open(&server, &here);
    menu.expect("gannet> ");
    // Ctrl+a to the beginning, and type there what is missing.
    menu.press("t a\x01ge\r");
    menu.expect("got a:");
    menu.expect("gannet> ");
    menu.type_line("quit");
    assert_eq!(menu.ends().0, Some(0));

    let history = fs::read_to_string(here.state().join("gannet/history")).unwrap();
    assert!(history.contains("get a\n"), "{history}");
    let mut menu = open(&server, &here);
    menu.expect("gannet> ");
    // Twice up, past quit.
    menu.press("\x1b[A\x1b[A\r");
    menu.expect("unchanged a:");
}

#[test]
fn commands_local_and_remote_names_are_completed() {
    let (server, here) = (Server::start(), Here::new());
    server.write("remote file.iso", "remote");
    server.write("sub/inner.iso", "inner");
    here.write("local file.iso", "local");
    let mut menu = open(&server, &here);
    menu.expect("gannet> ");
    menu.press("ren\t");
    menu.expect("rename ");
    menu.press("\x15ge\t");
    menu.expect("get ");
    menu.press("rem\t");
    menu.expect("'remote file.iso'");
    menu.press("\r");
    menu.expect("got remote file.iso");
    menu.expect("gannet> ");
    menu.press("put loc\t");
    menu.expect("'local file.iso'");
    menu.press("\r");
    menu.expect("put local file.iso");
    menu.expect("gannet> ");
    menu.press("get su\tin\t\r");
    menu.expect("got sub/inner.iso");
}

#[test]
fn a_local_directory_of_its_own() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a", "a");
    fs::create_dir(here.path().join("sub")).unwrap();
    let mut menu = open(&server, &here);
    menu.expect("gannet> ");
    menu.type_line("lcd sub");
    menu.expect("gannet> ");
    menu.type_line("lpwd");
    menu.expect(here.path().canonicalize().unwrap().join("sub").to_str().unwrap());
    menu.expect("gannet> ");
    menu.type_line("get a");
    menu.expect("got a as ");
    menu.expect("gannet> ");
    menu.type_line("lls");
    menu.expect("1  ");
    menu.expect("  a");
    assert_eq!(here.read("sub/a"), b"a");
}

#[test]
fn a_transfer_shows_a_bar_and_then_its_summary() {
    let (server, here) = (Server::start(), Here::new());
    server.write("file", bytes(200_000, 1));
    let slow = crate::common::Slow::to(&server);
    let mut menu = here.terminal(["client", "127.0.0.1", &slow.port()]);
    menu.expect("gannet> ");
    menu.type_line("get file");
    menu.expect("kB of 200 kB");
    menu.expect("bit/s");
    menu.expect("got file: 200 kB in");
    menu.expect("gannet> ");
}

#[test]
fn lines_that_are_typed_ahead_are_not_lost() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a", "a");
    let mut menu = open(&server, &here);
    menu.expect("gannet> ");
    menu.press("get a b\rget a c\rlist missing\rquit\r");
    menu.expect("got a as b");
    menu.expect("got a as c");
    menu.expect("list missing: ");
    assert_eq!(menu.ends().0, Some(0));
}
