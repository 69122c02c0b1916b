//! The servers that clients have met.

use std::{error::Error, fs};

use gannet_driver_mio::trust::{
    FileError, HostPort, KnownServers, KnownServersError, Meeting, remember,
};
use proptest::prelude::*;

use crate::world::{World, at_once, key, mode, set_mode};

fn server(text: &str) -> HostPort {
    text.parse().unwrap()
}

#[test]
fn first_contact_then_the_same_key_then_another() {
    let world = World::prepared();
    let path = world.paths.known_servers();
    let meet = |text: &str, n: u8| {
        let known = KnownServers::load(&path).unwrap();
        match known.meet(&server(text), &key(n)) {
            Meeting::First => "first".to_owned(),
            Meeting::Known => "known".to_owned(),
            Meeting::Changed(pin) => format!("line {} says {}", pin.line, pin.key),
        }
    };
    assert_eq!(meet("host:1", 1), "first");
    remember(&path, &server("host:1"), &key(1)).unwrap();
    remember(&path, &server("[::1]:5555"), &key(2)).unwrap();
    assert_eq!(meet("host:1", 1), "known");
    assert_eq!(meet("Host:1", 1), "known");
    assert_eq!(meet("[::1]:5555", 2), "known");
    assert_eq!(meet("host:2", 1), "first", "another port is another server");
    assert_eq!(meet("host:1", 2), format!("line 3 says {}", key(1)));
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn what_is_pinned_is_pinned_once_and_to_one_key() {
    let world = World::prepared();
    let path = world.paths.known_servers();
    remember(&path, &server("host:1"), &key(1)).unwrap();
    let before = fs::read(&path).unwrap();
    remember(&path, &server("HOST:1"), &key(1)).unwrap();
    let error = remember(&path, &server("host:1"), &key(2)).unwrap_err();
    assert!(matches!(&error, KnownServersError::Changed { pin, .. } if pin.key == key(1)));
    assert!(error.to_string().contains("take that line out"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// `docs/hostile-input.md`, row 41: one that is not understood could be the one that matters.
#[test]
fn a_bad_line_is_an_error_with_its_number() {
    let world = World::prepared();
    let path = world.paths.known_servers();
    for (bad, why) in [
        ("host:1", "a line is HOST:PORT and a key"),
        (&format!("host:1 {} x", key(1)), "a line is HOST:PORT and a key"),
        (&format!("host:1 {}=", key(1)), "a line is HOST:PORT and a key"),
        (
            &format!("host {}", key(1)),
            "the server's port is missing; write HOST:PORT, as in host:5555",
        ),
        ("host:1 gannet1", "not a public key: 58 characters are missing"),
        ("host:1 \"", "quotes and backslashes belong"),
        (&format!("OK:1 {}", key(2)), "line 2 has another key for that server"),
    ] {
        let content = format!("# met\nok:1 {}\n{bad}\n", key(1));
        fs::write(&path, &content).unwrap();
        set_mode(&path, 0o600);
        let error = KnownServers::load(&path).unwrap_err();
        let told = error.to_string();
        let prefix = format!("line 3 of {}: {why}", path.display());
        assert!(told.starts_with(&prefix), "{told}");
        let error = remember(&path, &server("new:1"), &key(3)).unwrap_err();
        assert!(matches!(error, KnownServersError::Line { line: 3, .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
    fs::write(&path, format!("ok:1 {0}\n\nOK:1 {0} # again\n", key(1))).unwrap();
    KnownServers::load(&path).unwrap();
}

#[test]
fn a_file_that_others_can_change_is_not_believed() {
    let world = World::prepared();
    let path = world.paths.known_servers();
    remember(&path, &server("host:1"), &key(1)).unwrap();
    set_mode(&path, 0o666);
    for error in [
        KnownServers::load(&path).unwrap_err(),
        remember(&path, &server("host:2"), &key(1)).unwrap_err(),
    ] {
        assert!(matches!(&error, KnownServersError::File(FileError::Exposed { .. })), "{error}");
        assert!(error.source().is_none());
    }
}

#[test]
fn clients_that_meet_servers_at_once_lose_none() {
    let world = World::prepared();
    let path = world.paths.known_servers();
    let results = at_once(16, |n| {
        remember(&path, &server(&format!("host:{}", 1 + n / 4)), &key(n as u8 % 2)).is_ok()
    });
    let known = KnownServers::load(&path).unwrap();
    for port in 1..=4 {
        let pin = known.pin(&server(&format!("host:{port}"))).unwrap();
        // Half of them came with the key that was pinned, and half with another.
        for (n, ok) in results.iter().enumerate().filter(|(n, _)| 1 + n / 4 == port) {
            assert_eq!(*ok, key(n as u8 % 2) == pin.key);
        }
    }
    assert_eq!(world.files(), [".lock", "known_servers"]);
}

proptest! {
    #[test]
    fn any_content_is_read_or_told_why_not(content: Vec<u8>) {
        if let Err((line, _)) = KnownServers::parse(&content) {
            prop_assert!(line <= content.split(|&b| b == b'\n').count());
        }
    }

    #[test]
    fn pins_are_read_back(ports in prop::collection::btree_map(1..=u16::MAX, any::<[u8; 32]>(), 0..20)) {
        use gannet_protocol::PublicKey;
        use std::fmt::Write;
        let mut content = String::new();
        for (port, bytes) in &ports {
            writeln!(content, "[fe80::1%eth0]:{port} {}", PublicKey::from_bytes(*bytes)).unwrap();
        }
        let known = KnownServers::parse(content.as_bytes()).unwrap();
        for (port, bytes) in &ports {
            let pin = known.pin(&HostPort::new("fe80::1%eth0", *port).unwrap()).unwrap();
            prop_assert_eq!(pin.key, PublicKey::from_bytes(*bytes));
        }
    }
}
