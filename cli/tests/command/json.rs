//! `--json`, as `docs/json.md` has it.

use std::{
    fs,
    net::UdpSocket,
    os::unix::fs::PermissionsExt as _,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};

use crate::common::{Here, Server, User, bytes, object, objects};

/// Takes a member out that is not the same each time.
#[track_caller]
fn take(object: &mut Value, key: &str) -> Value {
    object.as_object_mut().unwrap().remove(key).unwrap_or_else(|| panic!("{key} in {object}"))
}

fn hash(content: &[u8]) -> String {
    blake3::hash(content).to_hex().to_string()
}

#[test]
fn a_get_and_a_put_tell_bytes_seconds_and_the_hash() {
    let (server, here) = (Server::start(), Here::new());
    let content = bytes(2_500_000, 1);
    server.write("d/theirs", &content);
    here.write("ours", &content);
    for (ran, expected) in [
        (
            here.run(["get", &server.target(), "d/theirs", "--to", "copy", "--json"]),
            json!({"verb": "get", "status": "done", "name": "d/theirs", "path": "copy",
                   "bytes": 2_500_000, "kept": 0, "holes": 0, "unchanged": false, "blake3": hash(&content)}),
        ),
        (
            here.run(["put", "--json", &server.target(), "ours", "--to", "d/"]),
            json!({"verb": "put", "status": "done", "name": "d/ours", "path": "ours",
                   "bytes": 2_500_000, "kept": 0, "holes": 0, "unchanged": false, "blake3": hash(&content)}),
        ),
    ] {
        let ran = ran.ended_with(0);
        let mut told = object(&ran);
        let seconds = take(&mut told, "seconds").as_f64().unwrap();
        assert!(seconds > 0.0 && seconds < 600.0, "{seconds}");
        assert_eq!((told, &ran.stderr[..]), (expected, ""));
    }
}

#[test]
fn an_unchanged_put_has_the_name_under_which_the_file_is_stored() {
    let (server, here) = (Server::start(), Here::new());
    here.write("ours", "content");
    fs::create_dir(server.root().join("d")).unwrap();
    for (to, name) in [("d/", "d/ours"), ("d", "d/ours"), ("d/new", "d/new"), (".", "ours")] {
        for unchanged in [false, true] {
            let put = ["put", "--json", &server.target(), "ours", "--to", to];
            let told = object(&here.run(put).ended_with(0));
            let unchanged = unchanged || (to, name) == ("d", "d/ours");
            assert_eq!((&told["name"], &told["unchanged"]), (&json!(name), &json!(unchanged)));
        }
    }
}

#[test]
fn a_failure_is_an_object_with_its_file_and_exit_status() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a", "a");
    let ran = here.run(["get", &server.target(), "none", "a", "../x", "--json"]).ended_with(1);
    let mut told = objects(&ran);
    told.sort_by_key(|object| object["name"].to_string());
    let [bad, done, none] = &mut told[..] else { panic!("{ran:#?}") };
    assert_eq!((&done["name"], &done["status"]), (&json!("a"), &json!("done")));
    for (object, name, side, code) in
        [(bad, "../x", None, "bad-name"), (none, "none", Some("server"), "not-found")]
    {
        let message = take(object, "message");
        assert!(ran.stderr.contains(message.as_str().unwrap()), "{message} in {}", ran.stderr);
        let mut expected = json!({"verb": "get", "status": "failed", "name": name, "exit": 1,
            "code": code});
        if let Some(side) = side {
            expected["side"] = side.into();
        }
        assert_eq!(*object, expected);
    }
    let told = object(&here.run(["put", &server.target(), "none", "--json"]).ended_with(1));
    assert_eq!(told["path"], "none");
    assert_eq!((&told["side"], &told["code"]), (&json!("local"), &json!("not-found")));
    let to = "no/such/copy";
    let told =
        object(&here.run(["get", &server.target(), "a", "--to", to, "--json"]).ended_with(1));
    assert_eq!(
        (&told["name"], &told["path"], &told["side"]),
        (&json!("a"), &json!(to), &json!("local"))
    );
}

#[test]
fn a_command_that_fails_as_a_whole_prints_one_object() {
    let here = Here::new();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = silent.local_addr().unwrap().to_string();
    for verb in [&["list"][..], &["get", "a", "b"], &["stat", "a"], &["mkdir", "a"], &["exit"]] {
        let (name, rest) = verb.split_first().unwrap();
        let start = [name, &target[..], "--json", "--connect-timeout", "300ms"];
        let ran = here.run([&start, rest].concat()).ended_with(3);
        let mut told = object(&ran);
        take(&mut told, "message");
        assert_eq!(told, json!({"verb": name, "status": "disconnected", "exit": 3}));
    }
    let server = Server::start();
    let stranger = Here::of(User::new());
    let ran = stranger.run(["list", &server.target(), "--json", "--accept-new"]).ended_with(4);
    let told = objects(&ran);
    assert_eq!((&told[0]["verb"], &told[0]["status"]), (&json!("list"), &json!("refused")));
    assert!(told.iter().all(|object| object["exit"] == 4), "{told:?}");
}

#[test]
fn a_listing_is_an_object_an_entry_by_name() {
    let (server, here) = (Server::start(), Here::new());
    let time = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 250_000_000);
    let file = server.write("d/zebra", "12345");
    fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
    server.write("d/apple/x", "x");
    let ran = here.run(["ls", &server.target(), "d", "--json"]).ended_with(0);
    let mut told = objects(&ran);
    take(&mut told[0], "modified");
    let entry = |name: &str, kind: &str, bytes: u64| json!({"verb": "list", "status": "done", "name": name, "kind": kind, "bytes": bytes});
    let mut zebra = entry("d/zebra", "file", 5);
    zebra["modified"] = "2023-11-14T22:13:20.25Z".into();
    assert_eq!(told, [entry("d/apple", "directory", 0), zebra]);
    // A name of a listing is one that can be fetched.
    here.run(["get", &server.target(), told[1]["name"].as_str().unwrap()]).ended_with(0);
    assert_eq!(here.read("zebra"), b"12345");
    fs::create_dir(server.root().join("empty")).unwrap();
    assert_eq!(here.run(["list", &server.target(), "empty", "--json"]).ended_with(0).stdout, "");
    assert_eq!(object(&here.run(["list", &server.target(), "none", "--json"]))["name"], "none");
}

#[test]
fn rename_stat_remove_and_mkdir_tell_their_names() {
    let (server, here) = (Server::start(), Here::new());
    let file = server.write("a", "12345");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let run = |verb: &str, names: &[&str]| {
        here.run([&[verb, "--json", &server.target()], names].concat())
    };
    let mut told = object(&run("stat", &["a"]).ended_with(0));
    take(&mut told, "modified");
    assert_eq!(
        told,
        json!({"verb": "stat", "status": "done", "name": "a", "kind": "file", "bytes": 5, "mode": "0640"})
    );
    let done = |verb: &str, name: &str| json!({"verb": verb, "status": "done", "name": name});
    let ran = run("mkdir", &["d", "d/e/", "d"]).ended_with(1);
    let told = objects(&ran);
    assert_eq!(told[..2], [done("mkdir", "d"), done("mkdir", "d/e")]);
    assert_eq!((&told[2]["code"], &told[2]["name"]), (&json!("exists"), &json!("d")));
    let mut renamed = done("rename", "a");
    renamed["to"] = "d/b".into();
    assert_eq!(object(&run("mv", &["a", "d/b"]).ended_with(0)), renamed);
    let ran = run("rename", &["a", "c"]).ended_with(1);
    assert_eq!((&object(&ran)["name"], &object(&ran)["to"]), (&json!("a"), &json!("c")));
    let ran = run("rm", &["d", "d/b", "d/e", "d"]).ended_with(1);
    let told = objects(&ran);
    assert_eq!((&told[0]["code"], &told[0]["verb"]), (&json!("not-empty"), &json!("remove")));
    assert_eq!(told[1..], [done("remove", "d/b"), done("remove", "d/e"), done("remove", "d")]);
}

#[test]
fn exit_invite_join_and_key_have_objects_too() {
    let (mut server, here) = (Server::start(), Here::new());
    let target = server.target();
    let told = object(&here.run(["key", "--json"]).ended_with(0));
    assert_eq!((&told["verb"], &told["key"]), (&json!("key"), &json!(here.user().key())));
    assert!(told["fingerprint"].as_str().unwrap().len() > 10);
    let invite = ["invite", &target, "--role", "write", "--dir", "in", "--max", "10MB", "--json"];
    let mut told = object(&here.run(invite).ended_with(0));
    let ticket = take(&mut told, "ticket");
    assert_eq!(
        told,
        json!({"verb": "invite", "status": "done", "role": "write", "dir": "in",
               "max": 10_000_000, "valid_seconds": 600})
    );
    let guest = Here::of(User::new());
    let ran = guest.run_with(["join", "--json"], ticket.as_str().unwrap().as_bytes()).ended_with(0);
    assert_eq!(object(&ran), json!({"verb": "join", "status": "done", "server": target}));
    let ran = guest.run_with(["join", "--json"], b"no ticket").ended_with(2);
    assert_eq!((&object(&ran)["verb"], &object(&ran)["exit"]), (&json!("join"), &json!(2)));
    let told = object(&here.run(["exit", &target, "--json"]).ended_with(0));
    assert_eq!(told, json!({"verb": "exit", "status": "done", "server": target}));
    assert_eq!(server.ends(), Some(0));
}

/// `docs/hostile-input.md`, row 47.
#[test]
fn odd_names_are_told_whole_and_harmless() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let (server, here) = (Server::start(), Here::new());
    fs::write(server.root().join(OsStr::from_bytes(b"caf\xe9")), "x").unwrap();
    server.write("a\x1b[31m\u{202e}\u{9b}\n\"", "x");
    let ran = here.run(["list", &server.target(), "--json"]).ended_with(0);
    assert!(ran.stdout.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}')));
    let told = objects(&ran);
    assert_eq!(told[0]["name"], "a\x1b[31m\u{202e}\u{9b}\n\"");
    assert_eq!(told[0].get("name_hex"), None);
    assert_eq!(
        (&told[1]["name"], &told[1]["name_hex"]),
        (&json!("caf\u{fffd}"), &json!("636166e9"))
    );
}

#[test]
fn a_script_asks_for_it_line_by_line() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a", "a");
    let script = b"stat a --json\nstat none --json\nget a --json\nremove a\n";
    let ran = here.run_with(["client", "127.0.0.1", &server.port()], script).ended_with(1);
    let told = objects(&ran);
    let told: Vec<_> = told.iter().map(|object| (&object["verb"], &object["status"])).collect();
    let word = |word: &str| json!(word);
    assert_eq!(
        told,
        [
            (&word("stat"), &word("done")),
            (&word("stat"), &word("failed")),
            (&word("get"), &word("done"))
        ]
    );
    ran.told(&["removed a"]);
}

#[test]
fn the_summary_has_the_whole_hash_unless_a_terminal_is_narrow() {
    let (server, here) = (Server::start(), Here::new());
    // With such a name there is no room for all of it in the 120 columns of the terminal.
    let name = "a-name-that-takes-some-room";
    server.write(name, "content");
    let whole = hash(b"content");
    let get = ["get", &server.target(), name];
    here.run(get).ended_with(0).told(&[&format!("BLAKE3 verified ({whole})")]);
    here.write(name, "content");
    here.run(["put", &server.target(), name]).ended_with(0).told(&[&whole]);
    let get = [&get[..], &["--fresh"]].concat();
    let mut narrow = here.terminal(&get);
    narrow.expect(&format!("BLAKE3 verified ({}...)", &whole[..16]));
    assert_eq!(narrow.ends().0, Some(0));
    let mut verbose = here.terminal([&["-v"], &get[..]].concat());
    verbose.expect(&whole);
    assert_eq!(verbose.ends().0, Some(0));
}
