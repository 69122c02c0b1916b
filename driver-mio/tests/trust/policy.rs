//! Every role against every verb.

use std::borrow::Cow;

use gannet_driver_mio::trust::policy::{
    BadGrant, Denied, Grant, Permitted, Role, Store, Verb, decide,
};
use gannet_protocol::{BadName, Destination, Name};
use proptest::prelude::*;

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes()).unwrap()
}

fn grant(text: &str) -> Grant {
    text.parse().unwrap_or_else(|why| panic!("{text}: {why}"))
}

fn to(path: Option<&str>, leaf: &str, into_directory: bool) -> Destination {
    Destination { path: path.map(name), leaf: name(leaf), into_directory }
}

#[test]
fn every_role_against_every_verb() {
    let (to, asked) = (to(None, "f", false), grant("read"));
    let verbs = [
        ("list", Verb::List),
        ("get", Verb::Get),
        ("stat", Verb::Stat),
        ("put", Verb::Put(&to)),
        ("rename", Verb::Rename),
        ("remove", Verb::Remove),
        ("mkdir", Verb::Mkdir),
        ("exit", Verb::Exit),
        ("invite", Verb::Invite(&asked)),
        ("report", Verb::Report),
    ];
    for role in Role::ALL {
        let allowed: &[&str] = match role {
            Role::Read => &["list", "get", "stat"],
            Role::Drop => &["put"],
            Role::Write => &["list", "get", "stat", "put", "rename", "remove", "mkdir"],
            Role::Admin => {
                &["list", "get", "stat", "put", "rename", "remove", "mkdir", "exit", "invite"]
            }
        };
        let grant = Grant::new(role, Some(name("d")), None).unwrap();
        for (word, verb) in verbs {
            let decision = decide(&grant, verb);
            // How its own connection does is no secret to anyone.
            if !allowed.contains(&word) && word != "report" {
                assert_eq!(decision, Err(Denied::Role(role)), "{role} {word}");
                continue;
            }
            let dir = Some(&name("d"));
            let expected = match verb {
                Verb::List | Verb::Get | Verb::Stat | Verb::Rename | Verb::Remove | Verb::Mkdir => {
                    Permitted::Files { dir }
                }
                Verb::Put(_) if role == Role::Drop => {
                    Permitted::Put { dir, max: None, store: Store::Beside(name("f")) }
                }
                Verb::Put(to) => {
                    Permitted::Put { dir, max: None, store: Store::Replacing(Cow::Borrowed(to)) }
                }
                Verb::Exit => Permitted::Exit,
                Verb::Report => Permitted::Report,
                Verb::Invite(_) => {
                    Permitted::Invite(Grant::new(Role::Read, Some(name("d")), None).unwrap())
                }
            };
            assert_eq!(decision, Ok(expected), "{role} {word}");
        }
    }
}

/// Whether a directory exists must not be told to a `drop`, so it can name none.
#[test]
fn a_drop_names_no_directory() {
    let grant = grant("drop dir=inbox max=10");
    let store = |to: &Destination| match decide(&grant, Verb::Put(to)) {
        Ok(Permitted::Put { dir, max, store: Store::Beside(name) }) => {
            assert_eq!((dir.unwrap().to_string().as_str(), max), ("inbox", Some(10)));
            Ok(name.to_string())
        }
        Ok(other) => panic!("{other:?}"),
        Err(why) => Err(why),
    };
    assert_eq!(store(&to(None, "f", false)), Ok("f".into()));
    assert_eq!(store(&to(None, "f", true)), Ok("f".into()));
    assert_eq!(store(&to(Some("g"), "f", false)), Ok("g".into()));
    assert_eq!(store(&to(Some("g"), "f", true)), Err(Denied::DropElsewhere));
    assert_eq!(store(&to(Some("d/g"), "f", false)), Err(Denied::DropElsewhere));
    assert_eq!(store(&to(None, "d/f", false)), Err(Denied::DropElsewhere));
}

#[test]
fn an_invitation_gives_no_more_than_the_inviter_has() {
    let invited = |own: &str, asked: &str| {
        let (own, asked) = (grant(own), grant(asked));
        match decide(&own, Verb::Invite(&asked)) {
            Ok(Permitted::Invite(grant)) => Ok(grant.to_string()),
            Ok(other) => panic!("{other:?}"),
            Err(why) => Err(why),
        }
    };
    let is = |text: &str| Ok(text.to_owned());
    assert_eq!(invited("admin", "admin"), is("admin"));
    assert_eq!(invited("admin", "write dir=a max=5"), is("write dir=a max=5"));
    assert_eq!(invited("admin dir=a", "read"), is("read dir=a"));
    assert_eq!(invited("admin dir=a", "read dir=b"), is("read dir=a/b"));
    assert_eq!(invited("admin max=5", "write"), is("write max=5"));
    assert_eq!(invited("admin max=5", "drop max=9"), is("drop max=5"));
    assert_eq!(invited("admin max=5", "drop max=3"), is("drop max=3"));
    assert_eq!(invited("admin max=5", "read"), is("read"));
    let long = ["x/".repeat(2000), "y".into()].concat();
    let (own, asked) = (format!("admin dir={long}"), format!("read dir={long}"));
    assert_eq!(invited(&own, &asked), Err(Denied::InviteDir(BadName::TooLong)));
}

#[test]
fn grants_are_written_as_they_are_read() {
    for (text, written) in [
        ("read", "read"),
        (" write\tdir=a/b ", "write dir=a/b"),
        ("drop max=10GB dir=inbox/ # mine", "drop dir=inbox max=10000000000"),
        (r#"write dir="a b""#, r#"write dir="a b""#),
        (r#"write max="1.5 kB""#, "write max=1500"),
        (r#"read dir="\x66\xff""#, r#"read dir="f\xff""#),
        ("admin max=0", "admin max=0"),
    ] {
        assert_eq!(grant(text).to_string(), written);
        assert_eq!(grant(written), grant(text));
    }
}

/// `docs/hostile-input.md`, row 42.
#[test]
fn what_is_no_grant_is_told() {
    let why = |text: &str| text.parse::<Grant>().unwrap_err();
    let told = |text: &str| why(text).to_string();
    assert_eq!(why(""), BadGrant::NoRole);
    assert_eq!(why("# read"), BadGrant::NoRole);
    assert_eq!(why("dir=a"), BadGrant::NoRole);
    assert_eq!(told("raed"), "'raed' is not a role: read, drop, write or admin");
    assert_eq!(told("Read"), "'Read' is not a role: read, drop, write or admin");
    assert_eq!(why("read dri=a"), BadGrant::Option("dri".into()));
    assert_eq!(why("read alice's laptop"), BadGrant::Option("alice's".into()));
    assert_eq!(why("read dir"), BadGrant::NoValue("dir".into()));
    assert_eq!(why("read dir=a dir=b"), BadGrant::Twice("dir".into()));
    assert_eq!(why("drop max=1 max=1"), BadGrant::Twice("max".into()));
    assert_eq!(why("read dir="), BadGrant::Dir(BadName::Empty));
    assert_eq!(why("read dir=/srv"), BadGrant::Dir(BadName::Absolute));
    assert_eq!(why("read dir=/"), BadGrant::Dir(BadName::Absolute));
    assert_eq!(why("read dir=a/../../b"), BadGrant::Dir(BadName::DotComponent));
    assert_eq!(why("read dir=."), BadGrant::Dir(BadName::DotComponent));
    assert_eq!(why(r#"read dir="\x00""#), BadGrant::Dir(BadName::Nul));
    assert_eq!(why("read max=1"), BadGrant::MaxUnused);
    assert!(told("write max=10parsecs").starts_with("max=: 'parsecs' is not a unit"));
    assert!(matches!(why("read\nwrite"), BadGrant::Words(_)));
    assert_eq!(
        told("read \u{202e}"),
        "'\\u{202e}' is not an option: dir=PATH or max=SIZE; a comment begins with '#'"
    );
}

proptest! {
    #[test]
    fn any_grant_is_read_back(
        role in prop::sample::select(&Role::ALL[..]),
        dir in prop::option::of(prop::collection::vec(any::<u8>(), 1..40)),
        max in prop::option::of(any::<u64>()),
    ) {
        let dir = dir.and_then(|dir| Name::parse(&dir).ok());
        if let Ok(grant) = Grant::new(role, dir, max) {
            prop_assert_eq!(grant.to_string().parse(), Ok(grant));
        }
    }
}
