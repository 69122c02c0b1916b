//! The clients that a server lets in.

use std::{fs, os::unix::fs::symlink, time::SystemTime};

use gannet_driver_mio::trust::{
    Authorized, AuthorizedClients, AuthorizedError, BadLine, ClientList, FileError, Standing,
    authorize, policy::Grant,
};
use gannet_protocol::PublicKey;
use proptest::prelude::*;

use crate::world::{World, at_once, give_away, key, later, mode, set_mode};

fn load(world: &World) -> Result<AuthorizedClients, AuthorizedError> {
    AuthorizedClients::load(world.paths.authorized_clients(), later())
}

fn grant(text: &str) -> Grant {
    text.parse().unwrap()
}

/// What the list says of the key, in words.
fn standing(clients: &AuthorizedClients, n: u8) -> String {
    match clients.standing(&key(n)) {
        Standing::Granted(grant) => grant.to_string(),
        Standing::Denied => "denied".into(),
        Standing::Unlisted => "unlisted".into(),
    }
}

#[test]
fn the_example_of_the_documentation_is_read() {
    let text = include_str!("../../../docs/authorized_clients.md");
    let example = text.split("```text").nth(1).unwrap().split("```").next().unwrap();
    let list = ClientList::parse(example.as_bytes());
    assert_eq!(list.bad(), (&[][..], 0));
    assert_eq!(list.len(), 4);
}

#[test]
fn lines_say_who_may_do_what() {
    let world = World::prepared();
    assert_eq!(standing(&load(&world).unwrap(), 1), "unlisted", "without a file");
    world.authorize(&format!(
        "# friends\n\n{} read # Alice\r\n  {}\tdrop\tmax=1kB dir=in \n{} admin",
        key(1),
        key(2),
        key(3).to_string().to_uppercase()
    ));
    let clients = load(&world).unwrap();
    let all = [1, 2, 3, 4].map(|n| standing(&clients, n));
    assert_eq!(all, ["read", "drop dir=in max=1000", "admin", "unlisted"]);
}

#[test]
fn a_bad_line_is_an_error_at_the_start() {
    let world = World::prepared();
    let told = |content: String| {
        world.authorize(&content);
        let error = load(&world).unwrap_err();
        let AuthorizedError::Line { line, .. } = &error else { panic!("{error}") };
        let path = world.paths.authorized_clients();
        let prefix = format!("line {line} of {}: ", path.display());
        (*line, error.to_string().strip_prefix(&prefix).unwrap().to_owned())
    };
    let good = format!("{} read\n", key(1));
    let (line, why) = told(format!("{good}\nAlice {} read\nnonsense\n", key(2)));
    assert_eq!((line, why.as_str()), (3, "not a key: keys start with gannet1"));
    let (line, why) = told(format!("{good}{} reed\n", key(2)));
    assert_eq!((line, why.as_str()), (2, "'reed' is not a role: read, drop, write or admin"));
    let (_, why) = told(format!("{}x read", key(2)));
    assert_eq!(why, "not a public key: it is a character too long");
    let (_, why) = told(format!("{} \"read", key(2)));
    assert!(why.starts_with("quotes and backslashes"), "{why}");
    let (line, why) = told(format!("{good}# x\n{good}"));
    assert_eq!(line, 3);
    assert_eq!(why, "its key is that of line 1 already: neither grants anything");
    fs::write(world.paths.authorized_clients(), b"\xff\n").unwrap();
    assert!(matches!(load(&world), Err(AuthorizedError::Line { line: 1, .. })));
}

/// `docs/hostile-input.md`, row 41.
#[test]
fn a_bad_line_met_while_running_grants_nothing_and_the_others_hold() {
    let world = World::prepared();
    world.authorize(&format!("{} read\n{} write\n", key(1), key(2)));
    let mut clients = load(&world).unwrap();
    assert!(!clients.refresh(later()));
    world.authorize(&format!(
        "{} raed\n{} write\nnonsense\n{} admin\n{} \"\n{} read\n{} read dir=..\n",
        key(1),
        key(2),
        key(3),
        key(4),
        key(5),
        key(5),
    ));
    assert!(clients.refresh(later()));
    let all = [1, 2, 3, 4, 5].map(|n| standing(&clients, n));
    assert_eq!(all, ["denied", "write", "admin", "denied", "denied"]);
    let lines: Vec<_> = clients.list().bad().0.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [1, 3, 5, 7]);
}

#[test]
fn changes_take_effect_at_the_next_look() {
    let world = World::prepared();
    let path = world.paths.authorized_clients();
    let mut clients = load(&world).unwrap();
    let mut generations = vec![clients.generation()];
    let mut look = |clients: &mut AuthorizedClients| {
        assert!(clients.refresh(later()));
        assert!(!clients.refresh(later()), "once is enough");
        generations.push(clients.generation());
        standing(clients, 1)
    };
    world.authorize(&format!("{} admin\n", key(1)));
    assert_eq!(look(&mut clients), "admin");
    // Lowered, with the same length and, within the clock's step, the same time.
    world.authorize(&format!("{} write\n", key(1)));
    assert_eq!(look(&mut clients), "write");
    // Replaced by another file.
    fs::write(world.path("other"), format!("{} read\n", key(1))).unwrap();
    fs::rename(world.path("other"), &path).unwrap();
    assert_eq!(look(&mut clients), "read");
    fs::remove_file(&path).unwrap();
    assert_eq!(look(&mut clients), "unlisted");
    assert!(generations.windows(2).all(|pair| pair[0] != pair[1]));
}

/// What is written within a step of the clock looks the same; so long the file is read at every look.
#[test]
fn a_change_that_looks_the_same_is_seen() {
    let world = World::prepared();
    let path = world.authorize(&format!("{} admin\n", key(1)));
    let times = fs::FileTimes::new().set_modified(SystemTime::now());
    let set_times = || fs::File::open(&path).unwrap().set_times(times).unwrap();
    set_times();
    let mut clients = AuthorizedClients::load(path.clone(), SystemTime::now()).unwrap();
    assert!(!clients.is_settled());
    fs::write(&path, format!("{} write\n", key(1))).unwrap();
    set_times();
    assert!(clients.refresh(SystemTime::now()));
    assert_eq!(standing(&clients, 1), "write");
    assert!(!clients.refresh(later()));
    assert!(clients.is_settled());
}

/// A line whose end is not written yet could say more than the whole: `KEY write` of `KEY write dir=inbox`.
#[test]
fn half_a_line_grants_nothing() {
    let world = World::prepared();
    let path = world.authorize(&format!("{} read\n", key(1)));
    let mut clients = load(&world).unwrap();
    fs::write(&path, format!("{} read\n{} write", key(1), key(2))).unwrap();
    assert!(clients.refresh(SystemTime::now()));
    assert_eq!([1, 2].map(|n| standing(&clients, n)), ["read", "unlisted"]);
    assert!(!clients.is_settled());
    assert!(clients.refresh(later()), "it rests: that is all of it");
    assert_eq!(standing(&clients, 2), "write");
    assert!(clients.is_settled());
    fs::write(&path, format!("{} read\n{} write dir=in\n", key(1), key(2))).unwrap();
    assert!(clients.refresh(SystemTime::now()));
    assert_eq!(standing(&clients, 2), "write dir=in");
}

/// An editor may take the file away for a moment.
#[test]
fn a_file_that_is_gone_has_to_stay_away_to_be_believed() {
    let world = World::prepared();
    let path = world.authorize(&format!("{} read\n", key(1)));
    let mut clients = load(&world).unwrap();
    assert!(clients.is_settled());
    fs::remove_file(&path).unwrap();
    let now = later();
    assert!(clients.refresh(now) && !clients.is_settled());
    assert_eq!(standing(&clients, 1), "unlisted");
    assert!(!clients.refresh(now + std::time::Duration::from_secs(10)));
    assert!(clients.is_settled());
}

/// What runs by it ends then, as after a change; a moment's trouble ends nothing.
///
/// `docs/hostile-input.md`, row 41.
#[test]
fn a_file_that_cannot_be_read_for_long_is_believed() {
    let second = std::time::Duration::from_secs(1);
    let world = World::prepared();
    let path = world.authorize(&format!("{} write\n", key(1)));
    for is_gone in [false, true] {
        let mut clients = load(&world).unwrap();
        let (before, now) = (clients.generation(), later());
        // A directory cannot be read, by root neither.
        if is_gone {
            fs::remove_file(&path).unwrap();
            fs::create_dir(&path).unwrap();
        } else {
            set_mode(&path, 0o622);
        }
        assert!(clients.refresh(now));
        assert!(clients.generation() > before && !clients.is_settled());
        assert!(!clients.refresh(now + second) && !clients.is_settled());
        assert!(!clients.refresh(now + 3 * second) && clients.is_settled());
        assert_eq!(standing(&clients, 1), "unlisted");
        if !is_gone {
            set_mode(&path, 0o600);
            assert!(clients.refresh(now + 4 * second));
            assert_eq!(standing(&clients, 1), "write");
            set_mode(&path, 0o622);
            assert!(clients.refresh(now + 5 * second) && !clients.is_settled(), "anew");
            set_mode(&path, 0o600);
        }
    }
}

/// `docs/hostile-input.md`, row 41.
#[test]
fn a_file_that_cannot_be_trusted_lets_nobody_in() {
    let world = World::prepared();
    let path = world.authorize(&format!("{} read\n", key(1)));
    let mut clients = load(&world).unwrap();
    for bad in [0o620, 0o602, 0o666] {
        set_mode(&path, bad);
        assert!(clients.refresh(later()));
        assert_eq!(standing(&clients, 1), "unlisted");
        assert!(!clients.is_settled());
        assert!(matches!(load(&world), Err(AuthorizedError::File(FileError::Exposed { .. }))));
        set_mode(&path, 0o644);
        assert!(clients.refresh(later()));
        assert_eq!(standing(&clients, 1), "read", "that others read it does no harm");
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    clients.refresh(later());
    assert_eq!(standing(&clients, 1), "unlisted");
    assert!(matches!(load(&world), Err(AuthorizedError::File(FileError::NotAFile { .. }))));
    fs::remove_dir(&path).unwrap();
    world.authorize(&"#\n".repeat(600_000));
    clients.refresh(later());
    assert!(matches!(load(&world), Err(AuthorizedError::File(FileError::TooLarge { .. }))));
    world.authorize(&format!("{} read\n", key(1)));
    if give_away(&path) {
        assert!(matches!(load(&world), Err(AuthorizedError::File(FileError::Exposed { .. }))));
    }
}

#[test]
fn a_new_client_gets_a_line_and_all_else_stays() {
    let world = World::prepared();
    let path = world.authorize("# mine, without an end of line");
    set_mode(&path, 0o640);
    let add =
        |n, text: &str, comment: &str| authorize(&path, &key(n), &grant(text), comment).unwrap();
    assert_eq!(add(1, "drop dir=\"a b\" max=5", " joined\n evil read\x1b "), Authorized::Added);
    assert_eq!(add(2, "read", ""), Authorized::Added);
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        format!(
            "# mine, without an end of line\n\
             {} drop dir=\"a b\" max=5 # joined\\n evil read\\u{{1b}}\n{} read\n",
            key(1),
            key(2)
        )
    );
    assert_eq!(mode(&path), 0o640);
    let grant = Some(grant("read"));
    assert_eq!(add(2, "admin", ""), Authorized::Already { line: 3, grant });
    assert_eq!(standing(&load(&world).unwrap(), 2), "read", "no ticket raises what is there");
    assert_eq!(world.files(), [".lock", "authorized_clients"]);
}

#[test]
fn the_first_client_makes_the_file() {
    let world = World::prepared();
    let path = world.paths.authorized_clients();
    authorize(&path, &key(1), &grant("read"), "").unwrap();
    assert_eq!(mode(&path), 0o600);
    assert!(fs::read_to_string(&path).unwrap().starts_with("# Clients"));
    assert_eq!(standing(&load(&world).unwrap(), 1), "read");
}

/// A key that is denied by a bad line stays denied.
#[test]
fn a_bad_line_is_not_healed_by_a_new_one() {
    let world = World::prepared();
    let path = world.authorize(&format!("# x\n{} raed\n", key(1)));
    let added = authorize(&path, &key(1), &grant("read"), "").unwrap();
    assert_eq!(added, Authorized::Already { line: 2, grant: None });
}

#[test]
fn a_symbolic_link_stays_one() {
    let world = World::prepared();
    fs::create_dir(world.path("dotfiles")).unwrap();
    let real = world.path("dotfiles/clients");
    fs::write(&real, "").unwrap();
    set_mode(&real, 0o600);
    let path = world.paths.authorized_clients();
    symlink(&real, &path).unwrap();
    authorize(&path, &key(1), &grant("read"), "").unwrap();
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&real).unwrap(), format!("{} read\n", key(1)));
}

#[test]
fn clients_that_join_at_once_all_get_their_line() {
    let world = World::prepared();
    let path = world.paths.authorized_clients();
    at_once(16, |n| authorize(&path, &key(n as u8 / 2), &grant("read"), "").unwrap());
    let clients = load(&world).unwrap();
    assert_eq!(clients.list().len(), 8);
}

#[test]
fn many_bad_lines_are_counted_and_not_kept() {
    let list = ClientList::parse("x\n".repeat(1000).as_bytes());
    let (kept, more) = list.bad();
    assert_eq!(kept.len() + more, 1000);
    assert!(kept.len() < 100 && matches!(kept[0], (1, BadLine::Key(_))));
}

proptest! {
    /// A list is what its lines say one by one; nothing but a whole good line grants anything.
    #[test]
    fn any_content_is_read(lines in prop::collection::vec(line(), 0..20)) {
        let content = lines.concat();
        let list = ClientList::parse(&content);
        for n in 0..4 {
            let text = key(n).to_string();
            let mentions = |line: &&Vec<u8>| line.starts_with(text.as_bytes());
            let of_it: Vec<_> = lines.iter().filter(mentions).collect();
            let expected = match of_it.as_slice() {
                [] => Standing::Unlisted,
                [line] => {
                    let alone = ClientList::parse(line);
                    prop_assert_eq!(alone.len() + alone.bad().0.len(), 1);
                    if alone.is_empty() { Standing::Denied } else { list.standing(&key(n)) }
                }
                _ => Standing::Denied,
            };
            prop_assert_eq!(list.standing(&key(n)), expected);
        }
    }

    #[test]
    fn any_bytes_grant_nothing(content: Vec<u8>) {
        prop_assert!(ClientList::parse(&content).is_empty());
    }
}

/// A line of a few keys, or of anything.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let known = (0..4_u8, "( (read|write|drop|x|dir=a|max=5|#|\"))*")
        .prop_map(|(n, rest): (u8, String)| format!("{}{rest}\n", key(n)).into_bytes());
    let any = prop::collection::vec(any::<u8>(), 0..30).prop_map(|mut bytes: Vec<u8>| {
        bytes.retain(|b| *b != b'\n');
        bytes.push(b'\n');
        bytes
    });
    prop_oneof![3 => known, 1 => any]
}

#[test]
fn keys_are_found_in_upper_case_too() {
    let upper = key(1).to_string().to_uppercase();
    let list = ClientList::parse(format!("{upper} read\n{} read\n", key(1)).as_bytes());
    assert_eq!(list.standing(&key(1)), Standing::Denied, "it is the same key");
    assert_eq!(list.line_of(&key(1)), Some(1));
    assert!(upper.parse::<PublicKey>().is_ok());
}
