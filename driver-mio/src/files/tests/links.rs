//! What is no regular file, and links that lead out of the root.

use std::{
    fs,
    os::unix::{
        fs::{FileTypeExt as _, symlink},
        net::UnixListener,
    },
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::fs::{CWD, FileType, RenameFlags};

use super::*;

#[test]
#[cfg(target_os = "linux")]
fn what_is_no_regular_file_is_told_at_once_and_not_touched() {
    let world = World::new();
    let at = |name: &str| world.inside.join(name);
    fs::create_dir(at("dir")).unwrap();
    let mode = rustix::fs::Mode::RWXU;
    rustix::fs::mknodat(CWD, at("fifo"), FileType::Fifo, mode, 0).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    assert_eq!(world.get("dir"), Err(Status::IsDirectory));
    assert_eq!(world.get("fifo"), Err(Status::NotRegular));
    assert_eq!(world.get("socket"), Err(Status::NotRegular));
    assert_eq!(world.get("missing"), Err(Status::NotFound));
    assert_eq!(world.get("missing/file"), Err(Status::NotFound));
    assert_eq!(world.get("fifo/file"), Err(Status::NotDirectory));
    assert_eq!(world.resolve(None, "fifo", false), Err(Status::NotRegular));
    assert_eq!(world.resolve(None, "dir", false), Err(Status::IsDirectory));
    if is_superuser() {
        let null = rustix::fs::makedev(1, 3);
        rustix::fs::mknodat(CWD, at("null"), FileType::CharacterDevice, mode, null).unwrap();
        assert!(fs::metadata(at("null")).unwrap().file_type().is_char_device());
        assert_eq!(world.get("null"), Err(Status::NotRegular));
        assert_eq!(world.resolve(None, "null", false), Err(Status::NotRegular));
    } else {
        eprintln!("SKIPPED: device nodes need root");
    }
}

#[test]
fn links_that_stay_inside_are_followed_and_others_refused_in_every_verb() {
    let world = World::new();
    let at = |name: &str| world.inside.join(name);
    fs::create_dir_all(at("a/b")).unwrap();
    fs::write(at("a/file"), "content").unwrap();
    symlink("../file", at("a/b/near")).unwrap();
    symlink("a/b", at("shortcut")).unwrap();
    symlink(world.outside.join("secret"), at("absolute")).unwrap();
    symlink("../outside/secret", at("upward")).unwrap();
    symlink("../outside", at("outdir")).unwrap();
    symlink("/dev/null", at("device")).unwrap();
    symlink("loop", at("loop")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();

    assert_eq!(world.get("a/b/near").as_deref(), Ok("content"));
    assert_eq!(world.get("shortcut/near").as_deref(), Ok("content"));
    for out in ["absolute", "upward", "outdir", "outdir/secret", "device", "loop"] {
        assert_eq!(world.get(out), Err(Status::Denied), "{out}");
        assert_eq!(world.resolve(None, "new", false).as_deref(), Ok("new"));
        assert_eq!(world.resolve(Some(out), "new", false), Err(Status::Denied), "{out}");
        assert_eq!(world.list(Some(out)), Err(Status::Denied), "{out}");
        assert_eq!(world.rename(out, "renamed"), Err(Status::Denied), "{out}");
        assert_eq!(world.root.stat(&name(out)), Err(Status::Denied), "{out}");
        assert_eq!(world.root.remove(&name(out)), Err(Status::Denied), "{out}");
    }
    assert_eq!(world.root.make_directory(&name("outdir/new"), None), Err(Status::Denied));
    // A link that stays inside is a name like another, and what it leads to stays.
    assert_eq!(world.root.make_directory(&name("dangling"), None), Err(Status::Exists));
    symlink("a", at("removed")).unwrap();
    for link in ["removed", "dangling"] {
        assert_eq!(world.root.remove(&name(link)), Ok(()));
        assert!(fs::symlink_metadata(at(link)).is_err());
    }
    symlink("nowhere", at("dangling")).unwrap();
    assert_eq!(world.put("outdir/new", "x"), Err(Status::Denied));
    assert_eq!(world.rename("a/file", "outdir/file"), Err(Status::Denied));
    assert_eq!(world.get("dangling"), Err(Status::NotFound));
    assert_eq!(count(&world.outside), 1);
    assert_eq!(fs::read_to_string(world.outside.join("secret")).unwrap(), "secret");

    let listed = world.list(None).unwrap();
    assert_eq!(listed["shortcut"], (EntryKind::Directory, 0));
    for out in ["absolute", "upward", "outdir", "device", "loop", "dangling"] {
        assert_eq!(listed[out], (EntryKind::Other, 0), "{out}");
    }
    assert_eq!(world.list(Some("shortcut")).unwrap()["near"], (EntryKind::File, 7));
}

/// Ends another thread's loop, even when this one fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A directory and a link to the outside change places all the time while `step` goes through that name. It tells whether it
/// was let in, and is called until it was met by both.
#[cfg(target_os = "linux")]
fn while_places_change(world: &World, mut step: impl FnMut(usize) -> bool) {
    const ROUNDS: usize = 4000;
    // For a machine that runs one thread for long.
    const MOST_ROUNDS: usize = 400_000;
    let at = |name: &str| world.inside.join(name);
    fs::create_dir(at("spot")).unwrap();
    fs::write(at("spot/secret"), "public").unwrap();
    symlink("../outside", at("other")).unwrap();
    let stop = AtomicBool::new(false);
    let (mut allowed, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let (spot, other) = (at("spot"), at("other"));
                rustix::fs::renameat_with(CWD, spot, CWD, other, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let _stop = Stop(&stop);
        for round in 0..MOST_ROUNDS {
            if round >= ROUNDS && allowed > 0 && refused > 0 {
                break;
            }
            if step(round) { allowed += 1 } else { refused += 1 }
        }
    });
    assert!(allowed > 0 && refused > 0, "both were met: {allowed} {refused}");
    assert_eq!(count(&world.outside), 1);
    assert_eq!(fs::read_to_string(world.outside.join("secret")).unwrap(), "secret");
}

/// Every verb goes through the name.
#[test]
#[cfg(target_os = "linux")]
fn a_component_that_becomes_a_link_does_not_lead_out() {
    let world = World::new();
    while_places_change(&world, |round| {
        match world.get("spot/secret") {
            Ok(content) => assert_eq!(content, "public"),
            Err(status) => assert!(matches!(status, Status::Denied | Status::Overloaded)),
        }
        let done = match round % 6 {
            0 => world.put("spot/new", "x"),
            1 => world.rename("spot/new", &format!("spot/new{round}")),
            2 => world.root.make_directory(&name(&format!("spot/dir{round}")), None),
            3 => world.root.remove(&name(&format!("spot/dir{}", round - 1))),
            4 => world.root.stat(&name("spot/secret")).map(|stat| {
                assert_eq!((stat.kind, stat.len), (EntryKind::File, 6));
            }),
            _ => world.list(Some("spot")).map(|listed| {
                assert_ne!(listed.get("secret"), None);
            }),
        };
        done.is_ok()
    });
}

/// `docs/hostile-input.md`, row 43: the directory of `dir=`, as a link.
#[test]
fn a_directory_that_is_a_link_holds_what_is_inside_or_nothing() {
    let world = World::new();
    let at = |name: &str| world.inside.join(name);
    fs::create_dir_all(at("a/b")).unwrap();
    fs::write(at("a/b/file"), "inside").unwrap();
    symlink("a/b", at("near")).unwrap();
    symlink("../outside", at("upward")).unwrap();
    symlink(&world.outside, at("absolute")).unwrap();
    symlink("..", at("a/b/up")).unwrap();
    symlink("/", at("a/b/top")).unwrap();
    for dir in ["upward", "absolute", "near/top", "near/../../outside", "a/b/up/up/.."] {
        let Ok(dir) = Name::parse(dir.as_bytes()) else { continue };
        assert!(world.root.below(Some(&dir)).is_err(), "{dir}");
    }
    let near = world.root.below(Some(&name("near"))).unwrap();
    near.open_source(&name("file")).unwrap();
    for out in ["up/b/file", "up", "top/etc/passwd"] {
        assert!(near.open_source(&name(out)).is_err(), "{out}");
        assert!(near.list(Some(&name(out))).is_err(), "{out}");
        assert!(
            near.create_partial(&Placing::Replace(name(&format!("{out}/new"))), BodyLen::Open)
                .is_err(),
            "{out}"
        );
    }
}

/// `docs/hostile-input.md`, row 44: the name is the directory of `dir=`.
#[test]
#[cfg(target_os = "linux")]
fn a_directory_that_becomes_a_link_does_not_lead_out() {
    let world = World::new();
    let (spot, secret) = (name("spot"), name("secret"));
    while_places_change(&world, |round| {
        let held = match world.root.below(Some(&spot)) {
            Ok(held) => held,
            Err(status) => {
                assert!(matches!(status, Status::Denied | Status::Overloaded), "{status:?}");
                return false;
            }
        };
        // What is held stays what it is, whatever its name means by now.
        let mut bytes = [0; 6];
        held.open_source(&secret).unwrap().read_at(0, &mut bytes).unwrap();
        assert_eq!(&bytes, b"public");
        let partial = held.create_partial(&Placing::Beside(name("new")), BodyLen::Open).unwrap();
        if round % 100 == 0 {
            publish_one(partial, 0o600, FileTime::new(7, 7)).unwrap();
        }
        true
    });
}
