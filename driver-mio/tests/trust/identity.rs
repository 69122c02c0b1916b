//! The user's own key pair.

use std::{error::Error, fs};

use gannet_driver_mio::trust::{Exposure, FileError, IdentityError, SecretKey};
use gannet_protocol::{
    PublicKey,
    armor::{self, BadText, Kind},
};
use zeroize::Zeroizing;

use crate::world::{World, at_once, give_away, mode, set_mode};

fn why(world: &World) -> IdentityError {
    SecretKey::load_or_create(&world.paths).unwrap_err()
}

/// RFC 7748, 6.1: Bob's.
#[test]
fn the_public_half_is_that_of_the_published_example() {
    let bytes = |hex: &str| -> [u8; 32] {
        std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
    };
    let secret = bytes("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    let public = bytes("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    let key = SecretKey::new(Zeroizing::new(secret)).unwrap();
    assert_eq!(key.public(), PublicKey::from_bytes(public));
    assert_eq!(key.expose(), &secret);
}

#[test]
fn a_key_is_made_once_and_read_from_then_on() {
    let world = World::new();
    let made = SecretKey::load_or_create(&world.paths).unwrap();
    let read = SecretKey::load_or_create(&world.paths).unwrap();
    assert_eq!((made.public(), made.expose()), (read.public(), read.expose()));
    assert_eq!(mode(&world.paths.secret_key()), 0o600);
    assert_eq!(mode(world.paths.config()), 0o700);
    assert_eq!(world.files(), [".lock", "secret_key"]);
    let other = SecretKey::load_or_create(&World::new().paths).unwrap();
    assert_ne!(made.public(), other.public());
}

#[test]
fn programs_that_start_at_once_get_one_key() {
    for _ in 0..20 {
        let world = World::new();
        let keys = at_once(8, |_| SecretKey::load_or_create(&world.paths).unwrap().public());
        assert!(keys.iter().all(|key| *key == keys[0]));
    }
}

#[test]
fn a_crash_in_the_middle_does_not_matter() {
    let world = World::prepared();
    fs::write(world.paths.config().join("secret_key.new"), "half").unwrap();
    SecretKey::load_or_create(&world.paths).unwrap();
    assert_eq!(world.files(), [".lock", "secret_key"]);
}

/// `docs/hostile-input.md`, row 40.
#[test]
fn a_key_that_others_can_read_or_own_is_refused() {
    let world = World::new();
    let key = SecretKey::load_or_create(&world.paths).unwrap();
    let path = world.paths.secret_key();
    for bad in [0o640, 0o604, 0o620, 0o601, 0o666] {
        set_mode(&path, bad);
        let error = why(&world);
        let IdentityError::File(FileError::Exposed { exposure, .. }) = &error else {
            panic!("{error}");
        };
        assert_eq!(*exposure, Exposure::Readable { mode: bad });
        let told = error.to_string();
        assert!(told.contains(&format!("{bad:04o}")) && told.contains("chmod 600 '"), "{told}");
    }
    set_mode(&path, 0o400);
    assert_eq!(SecretKey::load_or_create(&world.paths).unwrap().public(), key.public());
    if give_away(&path) {
        let error = why(&world);
        let exposed = matches!(
            error,
            IdentityError::File(FileError::Exposed {
                exposure: Exposure::OwnedByAnother { owner: 12_345, .. },
                ..
            })
        );
        assert!(exposed, "{error}");
    }
}

#[test]
fn a_directory_that_others_can_change_is_refused() {
    for world in [World::prepared(), World::new()] {
        if world.paths.config().exists() {
            SecretKey::load_or_create(&world.paths).unwrap();
        } else {
            world.paths.prepare_config().unwrap();
        }
        let before = world.files();
        set_mode(world.paths.config(), 0o770);
        let error = why(&world);
        let exposure = Exposure::Writable { mode: 0o770 };
        assert!(
            matches!(&error, IdentityError::File(FileError::Exposed { exposure: e, .. }) if *e == exposure),
            "{error}"
        );
        assert_eq!(world.files(), before);
    }
}

/// `docs/hostile-input.md`, row 40: nothing of a key is in an error, even if it is mistyped.
#[test]
fn a_file_that_is_no_key_is_told_and_not_replaced() {
    let world = World::new();
    let key = SecretKey::load_or_create(&world.paths).unwrap();
    let path = world.paths.secret_key();
    let good = fs::read_to_string(&path).unwrap();
    let line = good.lines().find(|line| !line.starts_with('#')).unwrap();
    let cases = [
        (String::new(), None),
        (format!("{good}{line}\n"), None),
        ("rubbish\n".into(), Some(BadText::NotOurs)),
        (format!("{}\n", key.public()), Some(BadText::Other(Kind::PublicKey))),
        (line[..line.len() - 1].into(), Some(BadText::TooShort { missing: 1 })),
        (line.replacen("secret1", "secret1B", 1), Some(BadText::Checksum)),
    ];
    for (content, expected) in cases {
        fs::write(&path, &content).unwrap();
        let error = why(&world);
        let IdentityError::Content { why, .. } = &error else { panic!("{error}") };
        assert_eq!(*why, expected, "{content}");
        let told = format!("{error} {error:?} {:?}", error.source());
        assert!(!told.contains(&line[14..24]) && !told.contains("'B'"), "{told}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
    fs::write(&path, format!("\n# mine\r\n{line}\r\n")).unwrap();
    assert_eq!(SecretKey::load_or_create(&world.paths).unwrap().public(), key.public());
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(why(&world), IdentityError::File(FileError::NotAFile { .. })));
}

/// `docs/hostile-input.md`, row 40.
#[test]
fn a_secret_is_not_displayed() {
    let key = SecretKey::new(Zeroizing::new([0xa5; 32])).unwrap();
    let mut text = String::new();
    armor::write(&mut text, Kind::SecretKey, key.expose()).unwrap();
    let shown = format!("{key:?} {key:#?}");
    assert!(shown.contains(&key.public().to_string()));
    assert!(!shown.contains(&text[14..]) && !shown.contains("165") && !shown.contains("a5"));
}

#[test]
fn the_file_names_the_public_half_for_people() {
    let world = World::new();
    let key = SecretKey::load_or_create(&world.paths).unwrap();
    let content = fs::read_to_string(world.paths.secret_key()).unwrap();
    let named = content.lines().find_map(|line| line.strip_prefix("# ")?.parse().ok());
    assert_eq!(named, Some::<PublicKey>(key.public()));
}
